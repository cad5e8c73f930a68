// Where a metric changed for good in the course of a history of runs. Pure functions; any thread.
//
// Binary segmentation: the split with the largest Student's t between the means before and after is taken if it is shown, then either part
// is split likewise. A run's error is that of its blocks and the host's own spread between equal pieces of work, where its card has one: a
// history of two runs has no other measure of how far runs lie apart. What all runs of one build share (placement, a host that was
// changed) is in neither, so a change point says that figures changed, not that the code did.
#pragma once

#include <cstddef>
#include <span>
#include <vector>

#include "bench/stats/interval.hpp"

namespace bench {

// One run's figure: the mean of logarithms over its blocks.
struct RunMean {
  double mean = 0;
  double variance = 0;  // of the mean
  double degrees = 0;   // of freedom of the variance; below 1: a single block, which shows nothing
};

// Of the logarithms of one run. `host_spread`: the standard deviation of the log ratio of two equal pieces of work; 0 if unknown.
RunMean run_mean(std::span<const double> logarithms, double host_spread);

struct ChangePoint {
  std::size_t run = 0;  // the first run after the change
  double ratio = 1;     // of the mean after to that before, up to the neighbouring change points
  Interval interval;    // of it, at 95 %
};

// In order of runs. `comparisons`: among how many splits, of all series of the metric, any wrong claim may have a chance of 5 %
// (Bonferroni). A change below `least_log_effect` is none. O(runs squared).
std::vector<ChangePoint> change_points(std::span<const RunMean> runs, std::size_t comparisons, double least_log_effect);

}  // namespace bench
