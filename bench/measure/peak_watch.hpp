// The exact peak of this process's resident memory, for heaps so small that VmHWM will not do.
//
// Since Linux 6.2 each CPU counts up to 31 pages by itself (with more than 16 CPUs more) before all may see them, and VmHWM is
// raised, from what is seen, only just before memory goes back and when somebody reads it. A peak that is over when it is read
// may so be 31 pages a CPU too low, and a process that gives memory back looks leaner than one that keeps it. Here the process itself
// looks before each system call that may take pages away.
//
// How: a thread of its own, and a filter (seccomp's user notification, Linux 5.5) that stops other threads in those calls until it
// has looked. That takes some 10 us, and grows with the resident set where the page tables have to be walked for an exact figure
// (Linux 6.2 to 6.16), so such a run is not timed.
#pragma once

#include <atomic>
#include <cstdint>

#include "bench/measure/process_memory.hpp"

namespace bench {

// The most that VmHWM may be too low: what so many CPUs may count by themselves.
std::uint64_t vm_hwm_error_bytes(int cpus);

class PeakWatch {
 public:
  // Whether the kernel can do it, and lets us: tried once, in a child process, and remembered.
  static bool available();

  // Watches the calling thread, and those that it starts from here on, until the process ends; the children it forks are stopped, too,
  // but not counted. A second call changes nothing. Throws std::runtime_error if the kernel refuses.
  static PeakWatch& start();

  // The peak counts from now. Not while other threads are at work.
  void reset();
  // The most since reset(), what is resident now included. Any thread.
  [[nodiscard]] std::uint64_t peak_bytes();
  // Calls since reset() that name pages to give back, and how many pages they named. Any thread.
  [[nodiscard]] std::uint64_t purge_calls() const { return purge_calls_.load(std::memory_order_relaxed); }  // relaxed: a count
  [[nodiscard]] std::uint64_t purge_pages() const { return purge_pages_.load(std::memory_order_relaxed); }

 private:
  PeakWatch();
  [[noreturn]] void answer_calls();
  void look();
  void count(int call, std::uint64_t bytes, std::uint64_t advice);

  const ResidentReader reader_;
  const bool exact_reader_;  // or the page tables are walked
  const long page_bytes_;
  static constexpr int kStarting = -2;
  static constexpr int kWaiting = -1;
  std::atomic<int> listener_{kStarting};  // then the filter's file
  std::atomic<std::uint64_t> peak_bytes_{0};
  std::atomic<std::uint64_t> purge_calls_{0};
  std::atomic<std::uint64_t> purge_pages_{0};
};

}  // namespace bench
