// The mean of a few repetitions and how well it is known, by Student's t. Pure functions; any
// thread. README.md says why this and not a bootstrap.
#pragma once

#include <optional>
#include <span>
#include <vector>

namespace bench {

struct Interval {
  double low;
  double high;
};

// A mean with its two-sided confidence interval and the p-value of "the true mean is 0".
struct MeanEstimate {
  double mean = 0;
  std::optional<Interval> interval;  // none for fewer than 2 values
  std::optional<double> p_value;     // likewise
};

// REQUIRES: values not empty, 0 < confidence < 1. O(n).
// Values that are all equal give an interval of no width, and p = 0 (1 if they are 0).
MeanEstimate estimate_mean(std::span<const double> values, double confidence);

// P(|T| > |t|) for Student's t with that many degrees of freedom (>= 1). O(degrees).
double student_two_sided_p(double t, int degrees);

// The t > 0 with P(|T| > t) = 1 - confidence.
double student_quantile(double confidence, int degrees);

// Holm's step-down correction: adjusted p-values in the order given; rejecting those below alpha
// keeps the chance of one wrong rejection in the whole family below alpha. O(n log n).
std::vector<double> holm(std::span<const double> p_values);

}  // namespace bench
