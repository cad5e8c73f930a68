#include "bench/stats/comparison.hpp"

#include <algorithm>
#include <cmath>
#include <iterator>
#include <map>
#include <numeric>
#include <tuple>

#include "bench/model/metric.hpp"
#include "bench/stats/student.hpp"

namespace bench {
namespace {

constexpr double kConfidence = 0.95;
constexpr double kPower = 0.8;

struct Moments {
  double mean = 0;
  double variance_of_mean = 0;
  double degrees = 0;
};

Moments moments_of(std::span<const double> values) {
  const auto n = static_cast<double>(values.size());
  const double mean = std::accumulate(values.begin(), values.end(), 0.0) / n;
  double squares = 0;
  for (const double value : values) {
    squares += (value - mean) * (value - mean);
  }
  return {mean, n > 1 ? squares / (n - 1) / n : 0, n - 1};
}

// Welch's and Satterthwaite's; at least 1.
double joint_degrees(const Moments& a, const Moments& b) {
  const double sum = a.variance_of_mean + b.variance_of_mean;
  const double parts = a.variance_of_mean * a.variance_of_mean / a.degrees + b.variance_of_mean * b.variance_of_mean / b.degrees;
  return parts > 0 ? std::max(1.0, sum * sum / parts) : a.degrees + b.degrees;
}

// Fills in what follows from the mean change and its error.
void settle(Change& change, double mean) {
  change.ratio = std::exp(mean);
  if (change.degrees < 1) {
    return;
  }
  const double half = change.standard_error * student_quantile(kConfidence, change.degrees);
  change.interval = Interval{std::exp(mean - half), std::exp(mean + half)};
  if (change.standard_error > 0) {
    change.p_value = student_two_sided_p(mean / change.standard_error, change.degrees);
  } else {
    change.p_value = mean == 0 ? 1 : 0;
  }
}

// The figures of one metric of one cell and allocator.
struct Series {
  Change change;                 // its names
  std::optional<double> median;  // in the metric's unit
  std::vector<double> logarithms;  // of figures or of ratios, a block each; empty where there is none, or one is 0
};

using Key = std::tuple<std::string, int, std::string, std::string>;

Series series_of(const Summary& row, const std::map<std::string, Kind>& kinds) {
  Series series;
  series.change.workload = row.workload;
  series.change.threads = row.threads;
  series.change.kind = kinds.at(row.workload);
  series.change.metric = row.metric;
  series.change.allocator = row.allocator;
  series.median = row.median;
  return series;
}

// Of complete cells: those of failed ones have no figures.
std::map<Key, Series> all_series(std::span<const Sample> samples, std::string_view baseline, Basis basis) {
  std::map<std::string, Kind> kinds;
  std::map<Key, std::vector<double>> figures;
  for (const Sample& sample : samples) {
    kinds.emplace(sample.workload, sample.kind);
    if (sample.value) {
      figures[{sample.workload, sample.threads, sample.metric, sample.allocator}].push_back(*sample.value);
    }
  }
  std::map<Key, Series> all;
  for (const Summary& row : summarise(samples, baseline)) {
    if (!row.median) {
      continue;
    }
    const Key key{row.workload, row.threads, row.metric, row.allocator};
    Series series = series_of(row, kinds);
    if (basis == Basis::kRatios) {
      series.logarithms = log_ratio_values(row.log_ratios);
    } else if (std::ranges::all_of(figures[key], [](double value) { return value > 0; })) {
      std::ranges::transform(figures[key], std::back_inserter(series.logarithms), [](double value) { return std::log(value); });
    }
    all.emplace(key, std::move(series));
  }
  return all;
}

Change change_between(const Series& before, const Series& after) {
  const Moments a = moments_of(before.logarithms);
  const Moments b = moments_of(after.logarithms);
  Change change = after.change;
  change.before = before.median;
  change.after = after.median;
  if (before.logarithms.size() > 1 && after.logarithms.size() > 1) {
    change.standard_error = std::sqrt(a.variance_of_mean + b.variance_of_mean);
    change.degrees = joint_degrees(a, b);
  }
  settle(change, b.mean - a.mean);
  return change;
}

// Holm's step-down correction: rejecting what is below alpha keeps the chance of any wrong rejection below alpha.
std::vector<double> holm(const std::vector<double>& p_values) {
  std::vector<std::size_t> order(p_values.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::ranges::sort(order, [&](std::size_t a, std::size_t b) { return p_values[a] < p_values[b]; });
  std::vector<double> corrected(p_values.size());
  double so_far = 0;
  for (std::size_t i = 0; i < order.size(); ++i) {
    so_far = std::max(so_far, std::min(1.0, p_values[order[i]] * static_cast<double>(order.size() - i)));
    corrected[order[i]] = so_far;
  }
  return corrected;
}

// Holm's correction over the changes of each metric.
void correct(std::vector<Change>& changes) {
  std::map<std::string, std::vector<Change*>> by_metric;
  for (Change& change : changes) {
    if (change.p_value) {
      by_metric[change.metric].push_back(&change);
    }
  }
  for (auto& [metric, members] : by_metric) {
    std::vector<double> p_values;
    for (const Change* member : members) {
      p_values.push_back(*member->p_value);
    }
    const std::vector<double> corrected = holm(p_values);
    for (std::size_t i = 0; i < members.size(); ++i) {
      members[i]->p_value = corrected[i];
    }
  }
}

}  // namespace

std::vector<Change> changes_between(std::span<const Sample> before, std::span<const Sample> after, std::string_view baseline, Basis basis) {
  const std::map<Key, Series> first = all_series(before, baseline, basis);
  std::vector<Change> changes;
  for (const auto& [key, series] : all_series(after, baseline, basis)) {
    const auto found = first.find(key);
    if (found != first.end() && !found->second.logarithms.empty() && !series.logarithms.empty()) {
      changes.push_back(change_between(found->second, series));
    }
  }
  correct(changes);
  return changes;
}

std::vector<Change> changes_within(std::span<const Sample> samples, std::string_view baseline, std::string_view subject) {
  const std::map<Key, Series> figures = all_series(samples, baseline, Basis::kFigures);
  std::vector<Change> changes;
  for (const auto& [key, series] : all_series(samples, baseline, Basis::kRatios)) {
    if (series.change.allocator != subject || series.logarithms.empty()) {
      continue;
    }
    const Moments moments = moments_of(series.logarithms);
    Change change = series.change;
    change.after = series.median;
    const auto other = figures.find({change.workload, change.threads, change.metric, std::string(baseline)});
    change.before = other != figures.end() ? other->second.median : std::nullopt;
    if (series.logarithms.size() > 1) {
      change.standard_error = std::sqrt(moments.variance_of_mean);
      change.degrees = moments.degrees;
    }
    settle(change, moments.mean);
    changes.push_back(std::move(change));
  }
  correct(changes);
  return changes;
}

namespace {

bool has_logarithms(const Series* series) { return series != nullptr && !series->logarithms.empty(); }

// Whether there is something to say of two sides without a ratio. Either may be null.
bool differ(const Series* before, const Series* after) {
  if (before == nullptr || after == nullptr) {
    return has_logarithms(before) || has_logarithms(after);
  }
  const double least = metric_named(after->change.metric).least_for_ratio;
  // Twice: pages more or less carry a small figure across the least size, and say nothing.
  return *before->median != *after->median && std::max(*before->median, *after->median) > 2 * least;
}

void add_incomparable(const Series* before, const Series* after, std::vector<Incomparable>& found) {
  if ((has_logarithms(before) && has_logarithms(after)) || !differ(before, after)) {
    return;
  }
  const Change& names = after != nullptr ? after->change : before->change;
  found.push_back({names.workload, names.threads, names.metric, names.allocator, before != nullptr ? before->median : std::nullopt,
                   after != nullptr ? after->median : std::nullopt});
}

const Series* series_in(const std::map<Key, Series>& all, const Key& key) {
  const auto found = all.find(key);
  return found == all.end() ? nullptr : &found->second;
}

}  // namespace

std::vector<Incomparable> incomparable_between(std::span<const Sample> before, std::span<const Sample> after, std::string_view baseline, Basis basis) {
  const std::map<Key, Series> first = all_series(before, baseline, basis);
  const std::map<Key, Series> second = all_series(after, baseline, basis);
  std::vector<Incomparable> found;
  const auto takes_part = [&](const Series& series) { return basis == Basis::kFigures || series.change.allocator != baseline; };
  for (const auto& [key, series] : second) {
    if (takes_part(series)) {
      add_incomparable(series_in(first, key), &series, found);
    }
  }
  for (const auto& [key, series] : first) {
    if (takes_part(series) && !second.contains(key)) {
      add_incomparable(&series, nullptr, found);
    }
  }
  return found;
}

std::vector<Incomparable> incomparable_within(std::span<const Sample> samples, std::string_view baseline, std::string_view subject) {
  const std::map<Key, Series> figures = all_series(samples, baseline, Basis::kFigures);
  std::vector<Incomparable> found;
  for (const auto& [key, series] : all_series(samples, baseline, Basis::kRatios)) {
    if (series.change.allocator == subject && series.logarithms.empty()) {
      const auto& [workload, threads, metric, allocator] = key;
      add_incomparable(series_in(figures, {workload, threads, metric, std::string(baseline)}), &series, found);
    }
  }
  return found;
}

bool is_shown(const Change& change) { return change.p_value && *change.p_value < 1 - kConfidence; }

std::optional<double> detectable_change(const Change& change, int comparisons) {
  if (!change.interval) {
    return std::nullopt;
  }
  const double degrees = change.degrees;
  const double confidence = 1 - (1 - kConfidence) / std::max(1, comparisons);
  const double claim = student_quantile(confidence, degrees);
  const double power = student_quantile(2 * kPower - 1, degrees);  // one-sided
  return std::expm1((claim + power) * change.standard_error);
}

GateVerdict judge(const Change& change, const GateRule& rule) {
  if (!change.interval) {
    return GateVerdict::kUndecided;
  }
  const bool higher_is_worse = metric_named(change.metric).direction == Direction::kLowerIsBetter;
  // As a factor by which it got worse: above 1 is worse, whatever the metric.
  const double worse = higher_is_worse ? change.ratio : 1 / change.ratio;
  const double worst = higher_is_worse ? change.interval->high : 1 / change.interval->low;
  if (is_shown(change) && worse > 1 + rule.most_worse) {
    return GateVerdict::kFailed;
  }
  return worst <= 1 + rule.most_worse ? GateVerdict::kPassed : GateVerdict::kUndecided;
}

}  // namespace bench
