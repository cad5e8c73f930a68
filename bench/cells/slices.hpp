// What the times of a block's slices say: where steady work begins, whether it goes on slowing, and how one allocator compares with
// another. Arithmetic only.
#pragma once

#include <cstddef>
#include <cstdint>
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

// What one worker's slices took. All of one length, a slice each.
struct SliceCosts {
  SliceTimes seconds;                   // wall time
  std::vector<double> cpu_s;            // CPU time of all its threads
  std::vector<std::int64_t> preempted;  // how often the kernel took a CPU away from one of them
};

// The slices from `first` on in which other programs did not visibly take time from either side. A slice is taken out where a thread lost its
// CPU in it, and its wall time is above the side's median by more than kDisturbance without as much more CPU time: so a slice stays that is slow
// because the allocator works. Out for one side is out for both. At most half go, the worst first.
std::vector<std::size_t> calm_slices(const SliceCosts& subject, const SliceCosts& baseline, std::size_t first);
inline constexpr double kDisturbance = 0.25;  // of a median slice

// The natural log of how much faster `subject` did the calm slices from `first` on than `baseline`: the ratio of sums, so that what an allocator
// does in a few slices only counts as it does for a user. Both did slice k next to each other in time. Nothing if there is no such slice.
std::optional<double> log_speed_ratio(const SliceCosts& subject, const SliceCosts& baseline, std::size_t first);

}  // namespace bench
