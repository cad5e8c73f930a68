#include "bench/stats/bootstrap.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <random>
#include <vector>

#include "bench/stats/quantile.hpp"

namespace bench {
namespace {

struct Moments {
  double mean;
  double standard_error;
};

Moments moments(std::span<const double> values) {
  const auto n = static_cast<double>(values.size());
  double sum = 0;
  for (const double value : values) {
    sum += value;
  }
  const double mean = sum / n;
  double squares = 0;
  for (const double value : values) {
    squares += (value - mean) * (value - mean);
  }
  return {mean, std::sqrt(squares / (n - 1) / n)};
}

double normal_cdf(double z) { return std::erfc(-z / std::sqrt(2.0)) / 2; }

double normal_quantile(double probability) {
  double low = -40;
  double high = 40;
  for (int i = 0; i < 80; ++i) {
    const double middle = (low + high) / 2;
    (normal_cdf(middle) < probability ? low : high) = middle;
  }
  return low;
}

// Draws with replacement. Indices come from the generator's upper bits, as std's distributions
// differ between libraries.
void resample(std::span<const double> values, std::mt19937_64& random, std::vector<double>& out) {
  for (double& value : out) {
    value = values[((random() >> 32U) * values.size()) >> 32U];
  }
}

// A sixth of the skewness of the mean, by the jackknife.
double acceleration(std::span<const double> values) {
  const double mean = moments(values).mean;
  double squares = 0;
  double cubes = 0;
  for (const double value : values) {
    const double d = value - mean;  // proportional to how far leaving this value out moves the mean
    squares += d * d;
    cubes += d * d * d;
  }
  return squares > 0 ? cubes / (6 * std::pow(squares, 1.5)) : 0;
}

}  // namespace

Interval bca_interval(std::span<const double> values, double confidence, int resamples,
                      std::uint64_t seed) {
  std::mt19937_64 random(seed);
  std::vector<double> draw(values.size());
  std::vector<double> means;
  const double mean = moments(values).mean;
  double below = 0;
  for (int i = 0; i < resamples; ++i) {
    resample(values, random, draw);
    means.push_back(moments(draw).mean);
    below += means.back() < mean ? 1 : means.back() == mean ? 0.5 : 0;
  }
  const double bias = normal_quantile(std::clamp(below / resamples, 1e-6, 1 - 1e-6));
  const double skew = acceleration(values);
  const auto bound = [&](double probability) {
    const double z = bias + normal_quantile(probability);
    return quantile(means, normal_cdf(bias + z / (1 - skew * z)));
  };
  return {bound((1 - confidence) / 2), bound((1 + confidence) / 2)};
}

Interval bootstrap_t_interval(std::span<const double> values, double confidence, int resamples,
                              std::uint64_t seed) {
  std::mt19937_64 random(seed);
  std::vector<double> draw(values.size());
  std::vector<double> statistics;
  const Moments original = moments(values);
  for (int i = 0; i < resamples; ++i) {
    resample(values, random, draw);
    const Moments drawn = moments(draw);
    const double distance = drawn.mean - original.mean;
    const double huge = std::copysign(std::numeric_limits<double>::max() / 4, distance);
    statistics.push_back(distance == 0               ? 0
                         : drawn.standard_error == 0 ? huge
                                                     : distance / drawn.standard_error);
  }
  const double high = quantile(statistics, (1 + confidence) / 2);
  const double low = quantile(statistics, (1 - confidence) / 2);
  return {original.mean - high * original.standard_error,
          original.mean - low * original.standard_error};
}

}  // namespace bench
