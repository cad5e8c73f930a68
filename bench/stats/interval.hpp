// The mean of a few repetitions and how well it is known, by Student's t. Pure functions; any
// thread. README.md says why this and not a bootstrap.
#pragma once

#include <optional>
#include <span>
#include <vector>

#include "bench/stats/student.hpp"

namespace bench {

struct Interval {
  double low;
  double high;
};

// What is known of the scatter of cells before one of them is looked at: as much as `degrees` more differences with that variance
// would tell. Degrees 0: nothing.
struct Scatter {
  double variance = 0;
  double degrees = 0;
};

// A mean, and how far it may be off.
struct Estimate {
  double mean = 0;
  double standard_error = 0;
  double degrees = 0;  // of freedom; 0: one value, nothing is known of its error
};

// REQUIRES: values not empty. O(n). With a prior, the variance is the mean of the prior's and the values' own, weighted by their degrees
// (Smyth's moderated t): a handful of values tells little of its own scatter, the cells beside it tell more.
Estimate estimate(std::span<const double> values, const Scatter& prior = {});

// The scatter that cells with such values have in common, by the method of moments on the logarithms of their variances. How unlike they
// are is taken a standard error too high, for too much in common would make p-values too small. Nothing is
// known (degrees 0) with fewer than kLeastCellsForScatter cells that vary, or if they have little in common.
Scatter common_scatter(std::span<const std::vector<double>> cells);
inline constexpr int kLeastCellsForScatter = 10;

// Covers the true mean with that probability. None for one value. Equal values without a prior give an interval of no width.
std::optional<Interval> interval_of(const Estimate& estimate, double confidence);

// The p-value of "the true mean is 0". REQUIRES: degrees > 0. Without any scatter 0, or 1 if the mean is 0.
double p_of_no_difference(const Estimate& estimate);

// The p-value of "the true mean is not within (-margin, margin)": two one-sided tests. REQUIRES: degrees > 0.
double p_of_not_within(const Estimate& estimate, double margin);

// Benjamini's and Hochberg's step-up correction: adjusted p-values in the order given. Of those rejected below alpha, a share of alpha
// is expected to be wrong. O(n log n).
std::vector<double> benjamini_hochberg(std::span<const double> p_values);

}  // namespace bench
