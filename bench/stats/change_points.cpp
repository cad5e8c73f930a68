#include "bench/stats/change_points.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

#include "bench/stats/student.hpp"

namespace bench {
namespace {

constexpr double kConfidence = 0.95;

// The mean of several runs, each of one weight: runs differ in more than their blocks' scatter.
RunMean pooled(std::span<const RunMean> runs) {
  const auto n = static_cast<double>(runs.size());
  RunMean pool;
  double parts = 0;  // Satterthwaite's
  for (const RunMean& run : runs) {
    pool.mean += run.mean / n;
    pool.variance += run.variance / n / n;
    parts += run.degrees > 0 ? run.variance * run.variance / n / n / n / n / run.degrees : 0;
  }
  pool.degrees = parts > 0 ? pool.variance * pool.variance / parts : std::numeric_limits<double>::infinity();
  return pool;
}

struct Step {
  double size = 0;  // of logarithms
  double error = 0;
  double degrees = 0;

  [[nodiscard]] double p_value() const { return error > 0 ? student_two_sided_p(size / error, degrees) : size == 0 ? 1 : 0; }
};

Step step_between(std::span<const RunMean> before, std::span<const RunMean> after) {
  const RunMean a = pooled(before);
  const RunMean b = pooled(after);
  const double variance = a.variance + b.variance;
  const double parts = a.variance * a.variance / a.degrees + b.variance * b.variance / b.degrees;
  return {b.mean - a.mean, std::sqrt(variance), parts > 0 ? std::max(1.0, variance * variance / parts) : std::max(1.0, a.degrees)};
}

// Appends the places of changes within [first, last) in order.
void split(std::span<const RunMean> runs, std::size_t first, std::size_t last, double alpha, double least, std::vector<std::size_t>& places) {
  std::size_t best = first;
  double best_p = alpha;
  double best_size = 0;
  for (std::size_t at = first + 1; at < last; ++at) {
    const Step step = step_between(runs.subspan(first, at - first), runs.subspan(at, last - at));
    const double p = step.p_value();
    const bool is_better = p < best_p || (p == best_p && best > first && std::abs(step.size) > best_size);
    if (is_better && std::abs(step.size) >= least) {
      best = at;
      best_p = p;
      best_size = std::abs(step.size);
    }
  }
  if (best > first) {
    split(runs, first, best, alpha, least, places);
    places.push_back(best);
    split(runs, best, last, alpha, least, places);
  }
}

}  // namespace

RunMean run_mean(std::span<const double> logarithms, double host_spread) {
  const auto n = static_cast<double>(logarithms.size());
  if (logarithms.empty()) {
    return {};
  }
  const double mean = std::accumulate(logarithms.begin(), logarithms.end(), 0.0) / n;
  double squares = 0;
  for (const double value : logarithms) {
    squares += (value - mean) * (value - mean);
  }
  const double of_blocks = n > 1 ? squares / (n - 1) / n : 0;
  return {mean, of_blocks + host_spread * host_spread, n - 1};
}

std::vector<ChangePoint> change_points(std::span<const RunMean> runs, std::size_t comparisons, double least_log_effect) {
  std::vector<ChangePoint> found;
  if (std::ranges::any_of(runs, [](const RunMean& run) { return run.degrees < 1; })) {
    return found;
  }
  std::vector<std::size_t> places;
  const double alpha = (1 - kConfidence) / static_cast<double>(std::max<std::size_t>(1, comparisons));
  split(runs, 0, runs.size(), alpha, least_log_effect, places);
  for (std::size_t i = 0; i < places.size(); ++i) {
    const std::size_t from = i > 0 ? places[i - 1] : 0;
    const std::size_t to = i + 1 < places.size() ? places[i + 1] : runs.size();
    const Step step = step_between(runs.subspan(from, places[i] - from), runs.subspan(places[i], to - places[i]));
    const double half = step.error * student_quantile(kConfidence, step.degrees);
    found.push_back({places[i], std::exp(step.size), {std::exp(step.size - half), std::exp(step.size + half)}});
  }
  return found;
}

}  // namespace bench
