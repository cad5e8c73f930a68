#include "bench/stats/interval.hpp"

#include <algorithm>
#include <cmath>
#include <numbers>
#include <numeric>

namespace bench {

MeanEstimate estimate_mean(std::span<const double> values, double confidence) {
  const auto n = static_cast<double>(values.size());
  MeanEstimate estimate;
  estimate.mean = std::accumulate(values.begin(), values.end(), 0.0) / n;
  if (values.size() < 2) {
    return estimate;
  }
  double squares = 0;
  for (const double value : values) {
    squares += (value - estimate.mean) * (value - estimate.mean);
  }
  const double standard_error = std::sqrt(squares / (n - 1) / n);
  const int degrees = static_cast<int>(values.size()) - 1;
  const double half_width = student_quantile(confidence, degrees) * standard_error;
  estimate.interval = Interval{estimate.mean - half_width, estimate.mean + half_width};
  if (standard_error > 0) {
    estimate.p_value = student_two_sided_p(estimate.mean / standard_error, degrees);
  } else {
    estimate.p_value = estimate.mean == 0 ? 1 : 0;
  }
  return estimate;
}

// The finite series for whole degrees of freedom (Abramowitz and Stegun 26.7.3 and 26.7.4), with
// theta = atan(t / sqrt(degrees)). For tiny p the series loses digits by cancellation; an absolute
// error of 1e-15 does not move a verdict.
double student_two_sided_p(double t, int degrees) {
  const double theta = std::atan(std::abs(t) / std::sqrt(static_cast<double>(degrees)));
  const double cosine = std::cos(theta);
  const double sine = std::sin(theta);
  const bool odd = degrees % 2 == 1;
  double term = odd ? cosine : 1;
  double sum = degrees == 1 ? 0 : term;
  for (int k = odd ? 3 : 2; k < degrees; k += 2) {
    term *= cosine * cosine * (k - 1) / k;
    sum += term;
  }
  const double inside = odd ? 2 / std::numbers::pi * (theta + sine * sum) : sine * sum;
  return std::clamp(1 - inside, 0.0, 1.0);
}

double student_quantile(double confidence, int degrees) {
  double low = 0;
  double high = 1;
  while (student_two_sided_p(high, degrees) > 1 - confidence) {
    high *= 2;
  }
  for (int i = 0; i < 100; ++i) {
    const double middle = (low + high) / 2;
    (student_two_sided_p(middle, degrees) > 1 - confidence ? low : high) = middle;
  }
  return high;
}

std::vector<double> holm(std::span<const double> p_values) {
  std::vector<std::size_t> order(p_values.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::ranges::stable_sort(order, {}, [&](std::size_t i) { return p_values[i]; });
  std::vector<double> adjusted(p_values.size());
  double floor = 0;
  for (std::size_t rank = 0; rank < order.size(); ++rank) {
    const double factor = static_cast<double>(order.size() - rank);
    floor = std::max(floor, std::min(1.0, factor * p_values[order[rank]]));
    adjusted[order[rank]] = floor;
  }
  return adjusted;
}

}  // namespace bench
