#include "bench/cells/slices.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <functional>
#include <numeric>

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

// Raises `disturbance` of each slice from `first` on to what others took from it, as a share of the side's median slice.
void add_disturbance(const SliceCosts& side, std::size_t first, std::vector<double>& disturbance) {
  const auto part = [&](const std::vector<double>& all) {
    const auto begin = all.begin() + static_cast<std::ptrdiff_t>(first);
    return std::vector<double>(begin, begin + static_cast<std::ptrdiff_t>(disturbance.size()));
  };
  const double wall_s = median(part(side.seconds));
  const double cpu_s = median(part(side.cpu_s));
  for (std::size_t i = 0; i < disturbance.size(); ++i) {
    if (side.preempted[first + i] > 0 && wall_s > 0) {
      const double explained_s = std::max(0.0, side.cpu_s[first + i] - cpu_s);
      disturbance[i] = std::max(disturbance[i], (side.seconds[first + i] - wall_s - explained_s) / wall_s);
    }
  }
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

std::vector<std::size_t> calm_slices(const SliceCosts& subject, const SliceCosts& baseline, std::size_t first) {
  const std::size_t end = std::min(subject.seconds.size(), baseline.seconds.size());
  if (first >= end) {
    return {};
  }
  std::vector<double> disturbance(end - first, 0.0);
  add_disturbance(subject, first, disturbance);
  add_disturbance(baseline, first, disturbance);
  std::vector<std::size_t> order(end - first);
  std::iota(order.begin(), order.end(), first);
  std::ranges::stable_sort(order, std::ranges::greater{}, [&](std::size_t slice) { return disturbance[slice - first]; });
  const auto disturbed = static_cast<std::size_t>(std::ranges::count_if(disturbance, [](double share) { return share > kDisturbance; }));
  order.erase(order.begin(), order.begin() + static_cast<std::ptrdiff_t>(std::min(disturbed, order.size() / 2)));
  return order;
}

std::optional<double> log_speed_ratio(const SliceCosts& subject, const SliceCosts& baseline, std::size_t first) {
  double subject_s = 0;
  double baseline_s = 0;
  for (const std::size_t slice : calm_slices(subject, baseline, first)) {
    subject_s += subject.seconds[slice];
    baseline_s += baseline.seconds[slice];
  }
  if (subject_s <= 0 || baseline_s <= 0) {
    return std::nullopt;
  }
  return std::log(baseline_s / subject_s);
}

}  // namespace bench
