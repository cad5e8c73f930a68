// Order statistics of a handful of repetitions. Pure functions; any thread.
#pragma once

#include <optional>
#include <span>

#include "bench/stats/interval.hpp"

namespace bench {

// Linear interpolation between order statistics (Hyndman and Fan's type 7: what R, NumPy and
// spreadsheets do by default). REQUIRES: values not empty, 0 <= probability <= 1. O(n log n).
double quantile(std::span<const double> values, double probability);

// quantile(values, 0.5).
double median(std::span<const double> values);

// The distribution-free interval of the median: the innermost pair of order statistics x(k),
// x(n+1-k) that covers it with at least `confidence`; smallest and largest value where n is too
// small for that (below 6 for 95 %); none for n < 2.
std::optional<Interval> median_interval(std::span<const double> values, double confidence);

}  // namespace bench
