// What libosmem-call-timer.so tells the process that it is preloaded into, in front of an allocator.
//
// It stands between the program and the allocator, and while it is switched on takes the time of every malloc, free, calloc, realloc and
// aligned allocation that the program or one of its libraries makes; new and delete count as malloc and free. Calls that an allocator makes
// to itself are part of the outer call. What the timer itself takes is measured and subtracted. Found by dlsym: see find_call_timer().
#pragma once

#include <dlfcn.h>

#include <array>
#include <cstddef>
#include <cstdint>

#include "workloads/log_histogram.hpp"

namespace bench {

using workloads::LogBuckets;

enum class TimedCall : std::uint32_t { kMalloc, kFree, kCalloc, kRealloc, kAligned };
inline constexpr std::size_t kTimedCalls = 5;
inline constexpr std::array<const char*, kTimedCalls> kTimedCallNames{"malloc", "free", "calloc", "realloc", "aligned"};

// One slow call. What the kernel did is known in an explaining run only, and purges and mappings only of allocators that make them
// through the C library's functions, which glibc's own malloc does not.
struct SlowCall {
  std::uint64_t ticks;
  std::uint64_t size_bytes;  // asked for; 0 of a free
  TimedCall call;
  std::uint32_t minor_faults;
  std::uint32_t major_faults;
  std::uint32_t purges;       // calls of madvise and munmap
  std::uint32_t mappings;     // calls of mmap, mremap and mprotect
  std::uint32_t preemptions;  // times that the kernel gave the CPU to another thread
  std::uint32_t waits;        // times that the thread waited, as for a lock
};

inline constexpr std::size_t kSlowCallsKept = 16;

// Of all threads together.
struct CallTimes {
  std::uint64_t counts[kTimedCalls][LogBuckets::kCount];  // by ticks, the timer's cost subtracted
  std::uint64_t max_ticks[kTimedCalls];
  SlowCall slowest[kSlowCallsKept];  // the slowest first
  std::size_t slowest_count;
  double ns_per_tick;
  double cost_ticks;  // subtracted from each call
  double step_ticks;  // the clock goes on in steps of that many
  bool uses_counter;  // of the CPU; else the system's clock
};

struct CallTimer {
  // From here on calls are timed. Explaining, two system calls around each tell what the kernel did: those times are not for percentiles.
  void (*start)(bool explaining) = nullptr;
  // Until here. REQUIRES: no other thread is in a call, nor makes one.
  void (*stop)(CallTimes* out) = nullptr;
  // The allocator's function of that name.
  void* (*target)(const char* name) = nullptr;
};

// Nothing of it is there unless the library is preloaded.
inline CallTimer find_call_timer() {
  CallTimer timer;
  timer.start = reinterpret_cast<void (*)(bool)>(dlsym(RTLD_DEFAULT, "bench_call_timer_start"));
  timer.stop = reinterpret_cast<void (*)(CallTimes*)>(dlsym(RTLD_DEFAULT, "bench_call_timer_stop"));
  timer.target = reinterpret_cast<void* (*)(const char*)>(dlsym(RTLD_DEFAULT, "bench_call_timer_target"));
  return timer;
}

}  // namespace bench
