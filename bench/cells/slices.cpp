#include "bench/cells/slices.hpp"

#include <algorithm>
#include <array>
#include <cmath>

namespace bench {
namespace {

constexpr std::size_t kLeastForTrend = 6;
constexpr std::size_t kMostForTrend = 128;  // more are averaged in groups: the pairs grow with the square
constexpr double kSignificantZ = 2.576;     // two-sided 1 %

double median(std::vector<double> values) {
  const auto middle = values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2);
  std::ranges::nth_element(values, middle);
  if (values.size() % 2 == 1) {
    return *middle;
  }
  return (*middle + *std::max_element(values.begin(), middle)) / 2;
}

// At most kMostForTrend figures: the medians of groups of neighbours.
std::vector<double> thinned(std::span<const double> times, std::size_t group) {
  std::vector<double> out;
  for (std::size_t i = 0; i + group <= times.size(); i += group) {
    out.push_back(median({times.begin() + static_cast<std::ptrdiff_t>(i), times.begin() + static_cast<std::ptrdiff_t>(i + group)}));
  }
  return out;
}

}  // namespace

Trend trend_of(std::span<const double> times) {
  if (times.size() < kLeastForTrend) {
    return {};
  }
  const std::size_t group = (times.size() + kMostForTrend - 1) / kMostForTrend;
  const std::vector<double> values = thinned(times, group);
  const auto n = static_cast<double>(values.size());
  std::vector<double> slopes;
  double score = 0;  // Kendall's S: pairs that rise less those that fall
  for (std::size_t i = 0; i < values.size(); ++i) {
    for (std::size_t j = i + 1; j < values.size(); ++j) {
      slopes.push_back((values[j] - values[i]) / static_cast<double>((j - i) * group));
      score += values[j] > values[i] ? 1 : values[j] < values[i] ? -1 : 0;
    }
  }
  const double middle = median(values);
  const double per_slice = middle > 0 ? median(std::move(slopes)) / middle : 0;
  const double z = std::abs(score) / std::sqrt(n * (n - 1) * (2 * n + 5) / 18);
  const double drift = std::abs(per_slice) * static_cast<double>(times.size());
  return {per_slice, z > kSignificantZ && drift > kLeastDrift};
}

Steady steady_phase(const SliceTimes& times) {
  if (times.size() < 2) {
    return {};
  }
  const std::size_t slices = times.size();
  Steady steady;
  for (const std::size_t first : {std::size_t{1}, 1 + slices / 8, 1 + slices / 4, 1 + slices * 3 / 8, slices / 2}) {
    if (first < steady.first || first == 0) {
      continue;
    }
    steady = {first, trend_of(std::span(times).subspan(first))};
    if (!steady.trend.is_significant) {
      break;
    }
  }
  return steady;
}

std::optional<double> log_speed_ratio(const SliceTimes& subject, const SliceTimes& baseline, std::size_t first) {
  std::vector<double> ratios;
  for (std::size_t slice = first; slice < std::min(subject.size(), baseline.size()); ++slice) {
    if (subject[slice] > 0 && baseline[slice] > 0) {
      ratios.push_back(std::log(baseline[slice] / subject[slice]));
    }
  }
  if (ratios.empty()) {
    return std::nullopt;
  }
  return median(std::move(ratios));
}

}  // namespace bench
