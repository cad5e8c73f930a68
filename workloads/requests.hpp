// What a server workload tells of its requests and of the bytes that it holds, while it runs: counts in memory of its own, a share for each
// thread, so that telling costs a few cache lines and no lock. There is one of it in a process, as there is one workload.
#pragma once

#include <atomic>
#include <cstdint>
#include <optional>

#include "workloads/log_histogram.hpp"
#include "workloads/memory.hpp"

namespace workloads {

class RequestLog {
 public:
  struct alignas(64) Share {
    std::atomic<std::int64_t> live_bytes;  // held by this thread: may be below 0, where another took what it freed
    std::uint64_t max_ns;
    std::uint64_t counts[LogBuckets::kCount];  // of requests, by ns

    // relaxed, all: a count of one writer, read by a sampler that may be a little late.
    void hold(std::size_t bytes) { live_bytes.store(live_bytes.load(std::memory_order_relaxed) + static_cast<std::int64_t>(bytes), std::memory_order_relaxed); }
    void let_go(std::size_t bytes) { live_bytes.store(live_bytes.load(std::memory_order_relaxed) - static_cast<std::int64_t>(bytes), std::memory_order_relaxed); }
    void served(std::uint64_t ns) {
      ++counts[LogBuckets::index_of(ns)];
      max_ns = std::max(max_ns, ns);
    }
  };

  explicit RequestLog(std::size_t threads) : shares_(threads) { current() = this; }
  ~RequestLog() { current() = nullptr; }
  RequestLog(const RequestLog&) = delete;
  RequestLog& operator=(const RequestLog&) = delete;

  // A thread's own; at most one thread at a time uses it.
  Share& of(std::size_t thread) { return shares_[thread]; }
  [[nodiscard]] const MappedArray<Share>& shares() const { return shares_; }

  // The log of the workload that there is; null if it keeps none. Set while the workload is built and taken away when it is destroyed,
  // both by the main thread.
  static RequestLog*& current() {
    static RequestLog* log = nullptr;
    return log;
  }
  // Bytes that the workload holds now; 0 without a log. Any thread.
  static std::uint64_t live_bytes() {
    std::int64_t sum = 0;
    if (const RequestLog* log = current()) {
      for (const Share& share : log->shares_) {
        sum += share.live_bytes.load(std::memory_order_relaxed);  // relaxed: see Share
      }
    }
    return sum > 0 ? static_cast<std::uint64_t>(sum) : 0;
  }

 private:
  MappedArray<Share> shares_;
};

}  // namespace workloads
