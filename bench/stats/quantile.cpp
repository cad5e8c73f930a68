#include "bench/stats/quantile.hpp"

#include <algorithm>
#include <cmath>
#include <vector>

namespace bench {
namespace {

std::vector<double> sorted(std::span<const double> values) {
  std::vector<double> result(values.begin(), values.end());
  std::ranges::sort(result);
  return result;
}

// P(X <= k) for X ~ Binomial(n, 1/2): the chance that at most k of n values fall below the median.
double binomial_half_cdf(std::size_t k, std::size_t n) {
  double term = std::exp2(-static_cast<double>(n));
  double sum = term;
  for (std::size_t i = 1; i <= k; ++i) {
    term *= static_cast<double>(n - i + 1) / static_cast<double>(i);
    sum += term;
  }
  return sum;
}

}  // namespace

double quantile(std::span<const double> values, double probability) {
  const std::vector<double> x = sorted(values);
  const double position = probability * static_cast<double>(x.size() - 1);
  const auto below = static_cast<std::size_t>(position);
  const std::size_t above = std::min(below + 1, x.size() - 1);
  return x[below] + (position - static_cast<double>(below)) * (x[above] - x[below]);
}

double median(std::span<const double> values) { return quantile(values, 0.5); }

std::optional<Interval> median_interval(std::span<const double> values, double confidence) {
  const std::size_t n = values.size();
  if (n < 2) {
    return std::nullopt;
  }
  // x[k] .. x[n-1-k] misses the median if at most k values fall below it, or at most k above.
  std::size_t k = 0;
  while (2 * binomial_half_cdf(k + 1, n) <= 1 - confidence) {
    ++k;
  }
  const std::vector<double> x = sorted(values);
  return Interval{x[k], x[n - 1 - k]};
}

}  // namespace bench
