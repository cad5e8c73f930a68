// What the times of a block's slices say: where steady work begins, whether it goes on slowing, and how one allocator compares with
// another. Arithmetic only.
#pragma once

#include <cstddef>
#include <optional>
#include <span>
#include <vector>

namespace bench {

// Seconds of each slice in order, the first pass (the first slice) included. Every slice of it is the same amount of work.
using SliceTimes = std::vector<double>;

// By how much slices change over time: the median slope through all pairs (Theil and Sen), relative to the median slice.
struct Trend {
  double per_slice = 0;       // 0.01: each slice takes 1 % more than the one before
  bool is_significant = false;  // by Kendall's test at 1 %, and more than kLeastDrift from end to end
};
inline constexpr double kLeastDrift = 0.02;

// Of `times` in order. No trend for fewer than six.
Trend trend_of(std::span<const double> times);

// Where the steady phase begins: the first of a few candidates (after the first pass, an eighth, a quarter, three eighths, half) from
// which no trend is left, and the last of them if there is one in all. 0 where there is one slice only.
struct Steady {
  std::size_t first = 0;  // index of its first slice
  Trend trend;            // what is left
};
Steady steady_phase(const SliceTimes& times);

// The natural log of how much faster `subject` did the slices from `first` on than `baseline`: the median over slices. Both did slice k
// next to each other in time. Nothing if there is no such slice.
std::optional<double> log_speed_ratio(const SliceTimes& subject, const SliceTimes& baseline, std::size_t first);

}  // namespace bench
