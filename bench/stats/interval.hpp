// Interval estimates of a mean from few repetitions. Pure functions; any thread.
#pragma once

#include <cstdint>
#include <optional>
#include <span>

namespace bench {

struct Interval {
  double low;
  double high;
};

enum class IntervalMethod { kStudentT, kBcaBootstrap, kBootstrapT };

// A mean with its two-sided confidence interval and the p-value of "the mean is 0".
struct MeanEstimate {
  double mean = 0;
  std::optional<Interval> interval;  // none for fewer than 2 values
  std::optional<double> p_value;     // likewise
};

// REQUIRES: values not empty. `seed` fixes the bootstrap's resamples; Student's t does not use it.
// Equal values give an interval of no width and p = 0 (or 1 if they are all 0).
// O(n) for Student's t, O(resamples * n) for the bootstraps.
MeanEstimate estimate_mean(std::span<const double> values, IntervalMethod method, double confidence,
                           std::uint64_t seed);

// The distribution-free interval of the median: the narrowest pair of order statistics x(k), x(n+1-k) that covers it with at least
// `confidence`; the smallest and largest value where n is too small for that (below 6 for 95 %); none for n < 2.
std::optional<Interval> median_interval(std::span<const double> values, double confidence);

}  // namespace bench
