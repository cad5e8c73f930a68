#include "bench/stats/interval.hpp"

#include <algorithm>
#include <cmath>
#include <numeric>

namespace bench {
namespace {

struct Moments {
  double mean = 0;
  double variance = 0;  // of the sample, over n - 1; 0 for one value
};

Moments moments_of(std::span<const double> values) {
  Moments moments;
  const auto n = static_cast<double>(values.size());
  moments.mean = std::accumulate(values.begin(), values.end(), 0.0) / n;
  if (values.size() > 1) {
    for (const double value : values) {
      moments.variance += (value - moments.mean) * (value - moments.mean) / (n - 1);
    }
  }
  return moments;
}

// The standard error of the values' variance, from their fourth moment.
double error_of_variance(std::span<const double> values, const Moments& moments) {
  const auto n = static_cast<double>(values.size());
  double fourth = 0;
  for (const double value : values) {
    fourth += std::pow(value - moments.mean, 4) / n;
  }
  return std::sqrt(std::max(0.0, fourth - moments.variance * moments.variance) / n);
}

}  // namespace

Estimate estimate(std::span<const double> values, const Scatter& prior) {
  const Moments moments = moments_of(values);
  const auto n = static_cast<double>(values.size());
  if (values.size() < 2) {
    return {moments.mean, 0, 0};
  }
  const double degrees = n - 1 + prior.degrees;
  const double variance = (prior.degrees * prior.variance + (n - 1) * moments.variance) / degrees;
  return {moments.mean, std::sqrt(variance / n), degrees};
}

// Smyth, "Linear models and empirical Bayes methods" (2004), section 6.2: ln s^2 of a cell with d degrees has the mean
// ln s0^2 + digamma(d/2) - ln(d/2) - digamma(d0/2) + ln(d0/2) and the variance trigamma(d/2) + trigamma(d0/2).
Scatter common_scatter(std::span<const std::vector<double>> cells) {
  std::vector<double> logarithms;
  double own = 0;      // trigamma(d/2), averaged: what chance alone gives
  double degrees = 0;  // of all cells together
  for (const std::vector<double>& values : cells) {
    const double d = static_cast<double>(values.size()) - 1;
    const double variance = values.size() < 2 ? 0 : moments_of(values).variance;
    if (variance > 0) {
      logarithms.push_back(std::log(variance) - digamma(d / 2) + std::log(d / 2));
      own += trigamma(d / 2);
      degrees += d;
    }
  }
  if (logarithms.size() < kLeastCellsForScatter) {
    return {};
  }
  const Moments moments = moments_of(logarithms);
  // Few cells tell little of how unlike cells are. Taken for more alike than they are, they make p-values too small, so what is left of
  // doubt counts as unlikeness: one standard error of the variance of the logarithms.
  const double between = moments.variance + error_of_variance(logarithms, moments) - own / static_cast<double>(logarithms.size());
  if (between <= 0) {  // no more unlike than chance makes them: one variance for all
    return {std::exp(moments.mean), degrees};
  }
  const double half = inverse_trigamma(between);
  return {std::exp(moments.mean + digamma(half) - std::log(half)), std::min(2 * half, degrees)};
}

std::optional<Interval> interval_of(const Estimate& estimate, double confidence) {
  if (estimate.degrees <= 0) {
    return std::nullopt;
  }
  const double half = student_quantile(confidence, estimate.degrees) * estimate.standard_error;
  return Interval{estimate.mean - half, estimate.mean + half};
}

double p_of_no_difference(const Estimate& estimate) {
  if (estimate.standard_error == 0) {
    return estimate.mean == 0 ? 1 : 0;
  }
  return student_two_sided_p(estimate.mean / estimate.standard_error, estimate.degrees);
}

double p_of_not_within(const Estimate& estimate, double margin) {
  const double room = margin - std::abs(estimate.mean);
  if (estimate.standard_error == 0) {
    return room > 0 ? 0 : 1;
  }
  return student_upper_p(room / estimate.standard_error, estimate.degrees);
}

std::vector<double> benjamini_hochberg(std::span<const double> p_values) {
  std::vector<std::size_t> order(p_values.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::ranges::stable_sort(order, {}, [&](std::size_t i) { return p_values[i]; });
  std::vector<double> adjusted(p_values.size());
  double ceiling = 1;
  for (std::size_t rank = order.size(); rank > 0; --rank) {
    const double factor = static_cast<double>(order.size()) / static_cast<double>(rank);
    ceiling = std::min(ceiling, factor * p_values[order[rank - 1]]);
    adjusted[order[rank - 1]] = ceiling;
  }
  return adjusted;
}

}  // namespace bench
