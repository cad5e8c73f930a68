// L1: what it costs to lose a free page, and so for how long it is kept.
//
// A page that stays costs memory for as long as it stays; one that went back costs a purge and a fault when it is wanted again. Kept
// for as long as its loss would cost, it is never more than twice as dear as if the future were known. At the balanced price
// a page kept for a second costs 0.95 us of CPU time.
//
//   age = (first touch + purge of a page) * memory per CPU / page size,   within bounds
//
// The first touch is timed on the process's own first pages, a handful; a purge on all so far. Thread-safe, without locks: estimates.
#pragma once

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <cstdint>

#include "allocator/osmem/base/config.hpp"
#include "allocator/osmem/base/tuning.hpp"
#include "allocator/osmem/os/os.hpp"

namespace osmem {

class Price {
 public:
  // Before anything is allocated.
  void set_memory_per_cpu(std::size_t bytes) { memory_per_cpu_ = bytes; }
  [[nodiscard]] std::size_t memory_per_cpu() const { return memory_per_cpu_; }

  // Whether another first touch is to be timed.
  [[nodiscard]] bool wants_fault() const { return faults_.load(std::memory_order_relaxed) < kTimedFaults; }  // relaxed: an estimate

  // A first touch took so long.
  void note_fault(std::uint64_t ns) {
    // Relaxed, all: see the top.
    if (faults_.fetch_add(1, std::memory_order_relaxed) == 0 || ns < fault_ns_.load(std::memory_order_relaxed)) {
      fault_ns_.store(ns, std::memory_order_relaxed);
    }
  }

  [[nodiscard]] std::uint64_t fault_ns() const {
    const std::uint64_t timed = fault_ns_.load(std::memory_order_relaxed);  // relaxed: see the top
    return timed != 0 ? timed : kAssumedFaultNs;
  }

  // How long a page is kept that nobody wants, in ms.
  [[nodiscard]] std::uint64_t age_ms() const { return age_ms(fault_ns(), purge_ns_per_page()); }
  [[nodiscard]] std::uint64_t age_ms(std::uint64_t fault_ns, std::uint64_t purge_ns) const {
    const std::uint64_t age = (fault_ns + purge_ns) * (memory_per_cpu_ / kPageBytes) / 1'000'000;
    // At a price beyond the usual ones the longest age grows with it.
    const std::uint64_t longest = kLongestAgeMs * std::max<std::uint64_t>(memory_per_cpu_ / kFastMemoryPerCpu, 1);
    return std::clamp(age, kLeastAgeMs, longest);
  }

  // How far free pages may go above the demand, in 1/1024 of it: the dearer a fault, the farther.
  [[nodiscard]] std::size_t slack_share() const {
    const std::uint64_t dearness = std::clamp<std::uint64_t>(fault_ns() / kDearFaultNs, 1, kMostDearness);
    return std::clamp(at_this_price(kSlackShare) * dearness, kLeastSlackShare, kMostSlackShare);
  }
  // And so many pages at least.
  [[nodiscard]] std::size_t least_slack_pages() const { return std::clamp(at_this_price(kLeastSlackPages), kLeastSlackPages / 4, kLeastSlackPages * 4); }

 private:
  // What is `figure` at the balanced price.
  [[nodiscard]] std::size_t at_this_price(std::size_t figure) const { return figure * (memory_per_cpu_ >> 20) / (kBalancedMemoryPerCpu >> 20); }

  static std::uint64_t purge_ns_per_page() {
    const os::GivenBack so_far = os::given_back();
    return so_far.pages == 0 ? 0 : so_far.ns / (so_far.pages * (os::page_bytes() / kPageBytes));
  }

  std::size_t memory_per_cpu_ = kBalancedMemoryPerCpu;
  std::atomic<std::uint32_t> faults_{0};
  std::atomic<std::uint64_t> fault_ns_{0};
};

}  // namespace osmem
