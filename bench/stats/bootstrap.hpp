// The two bootstrap intervals of a mean that were weighed against Student's t (README.md has the
// outcome). Only coverage_simulation and the tests use them. Pure functions; any thread.
#pragma once

#include <cstdint>
#include <span>

#include "bench/stats/interval.hpp"

namespace bench {

// Bias-corrected and accelerated (Efron 1987): quantiles of the resampled means, shifted by median
// bias and by skewness. REQUIRES: at least 2 values. O(resamples * n).
Interval bca_interval(std::span<const double> values, double confidence, int resamples,
                      std::uint64_t seed);

// Bootstrap-t (Hall 1988): quantiles of the resampled t statistic instead of Student's. Resamples
// that drew one value n times have no spread and count as an infinite statistic. REQUIRES: at least
// 2 values. O(resamples * n).
Interval bootstrap_t_interval(std::span<const double> values, double confidence, int resamples,
                              std::uint64_t seed);

}  // namespace bench
