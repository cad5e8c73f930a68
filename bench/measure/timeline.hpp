// Resident memory over time, sampled beside a run that is not timed.
//
// A thread of its own reads VmRSS at a fixed interval and, at marked phases, what smaps_rollup says. Its records lie in
// memory mapped and made resident before the run, so that sampling does not change what is sampled.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <optional>
#include <span>
#include <thread>
#include <vector>

#include "bench/measure/process_memory.hpp"

namespace bench {

struct TimelinePoint {
  std::int64_t time_ns;          // since start()
  std::uint64_t resident_bytes;
  std::uint64_t live_bytes;      // requested and not yet freed; 0 without a counter
};

struct PhaseMark {
  std::int64_t time_ns;
  const char* name;              // a string literal
  MappingTotals totals;
};

class Timeline {
 public:
  // `live_bytes` counts requested live bytes; null if nobody does.
  Timeline(std::chrono::milliseconds interval, std::uint64_t (*live_bytes)());
  ~Timeline();
  Timeline(const Timeline&) = delete;
  Timeline& operator=(const Timeline&) = delete;

  void start();
  // Ends sampling; the accessors are valid after it. A second call does nothing.
  void stop();
  // Records a phase; safe from any thread. Marks beyond the first 256 are not kept.
  void mark(const char* name);

  [[nodiscard]] std::span<const TimelinePoint> points() const { return {points_, point_count_}; }
  [[nodiscard]] std::span<const PhaseMark> marks() const;
  // Mean over time of resident_bytes, each reading standing for the interval that ends with it; 0 without readings.
  [[nodiscard]] double mean_resident_bytes() const;
  // The same of live_bytes.
  [[nodiscard]] double mean_live_bytes() const;

 private:
  void sample_until_stopped();
  void take_point();
  [[nodiscard]] double mean_of(std::uint64_t TimelinePoint::* figure) const;

  static constexpr std::size_t kPoints = 60'000;  // five minutes at 5 ms; later readings overwrite none and are dropped
  static constexpr std::size_t kMarks = 256;

  const std::chrono::milliseconds interval_;
  std::uint64_t (*const live_bytes_)();
  const ResidentReader reader_;
  std::int64_t start_ns_ = 0;

  // Written by the sampling thread, read by others after stop().
  TimelinePoint* points_ = nullptr;
  std::size_t point_count_ = 0;

  // Each slot belongs to the thread that took its index.
  PhaseMark* marks_ = nullptr;
  std::atomic<std::size_t> mark_count_{0};

  std::atomic<bool> stop_{false};
  std::thread sampler_;
};

}  // namespace bench
