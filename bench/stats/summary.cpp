#include "bench/stats/summary.hpp"

#include <algorithm>
#include <cmath>
#include <map>
#include <tuple>
#include <utility>

#include "bench/model/metric.hpp"
#include "bench/stats/quantile.hpp"
#include "bench/stats/verdict.hpp"

namespace bench {
namespace {

// Numbers names in order of first appearance.
class Order {
 public:
  int of(std::string_view name) {
    return numbers_.emplace(name, static_cast<int>(numbers_.size())).first->second;
  }

 private:
  std::map<std::string_view, int> numbers_;  // views into the samples
};

// Everything known of one row before it is digested.
struct Cell {
  const Sample* first = nullptr;    // any sample of it: for its names
  std::map<int, double> values;     // by block
  std::map<int, double> log_ratios;  // to the baseline, from neighbouring slices; by block
  const Sample* failure = nullptr;  // the first
};

// workload, threads, metric, allocator; the strings as numbers from Order.
using Key = std::tuple<int, int, int, int>;

struct Cells {
  std::map<Key, Cell> by_key;
  int baseline = -1;

  [[nodiscard]] const Cell* baseline_of(const Key& key) const {
    const auto found =
        by_key.find({std::get<0>(key), std::get<1>(key), std::get<2>(key), baseline});
    return found == by_key.end() ? nullptr : &found->second;
  }
};

// Replaces a failure of a whole cell (empty metric) by one for each metric that any allocator has
// there, or for throughput if none has: so that it has a row of its own wherever others have a
// figure.
std::vector<Sample> expand_failures(std::span<const Sample> samples) {
  std::map<std::pair<std::string_view, int>, std::map<std::string_view, std::string_view>> units;
  for (const Sample& sample : samples) {
    if (!sample.metric.empty()) {
      units[{sample.workload, sample.threads}].emplace(sample.metric, sample.unit);
    }
  }
  std::vector<Sample> expanded;
  for (const Sample& sample : samples) {
    if (!sample.metric.empty()) {
      expanded.push_back(sample);
      continue;
    }
    auto metrics_there = units[{sample.workload, sample.threads}];
    if (metrics_there.empty()) {
      metrics_there.emplace("throughput", metric_named("throughput").unit);
    }
    for (const auto& [metric, unit] : metrics_there) {
      expanded.push_back(sample);
      expanded.back().metric = metric;
      expanded.back().unit = unit;
    }
  }
  return expanded;
}

Cells collect(std::span<const Sample> samples, std::string_view baseline) {
  Cells cells;
  Order workloads;
  Order metrics;
  Order allocators;
  for (const Sample& sample : samples) {
    const Key key{workloads.of(sample.workload), sample.threads, metrics.of(sample.metric),
                  allocators.of(sample.allocator)};
    Cell& cell = cells.by_key[key];
    cell.first = cell.first == nullptr ? &sample : cell.first;
    if (sample.status == Status::kOk && sample.value) {
      cell.values[sample.block] = *sample.value;
      if (sample.log_ratio) {
        cell.log_ratios[sample.block] = *sample.log_ratio;
      }
    } else if (cell.failure == nullptr) {
      cell.failure = &sample;
    }
  }
  cells.baseline = allocators.of(baseline);
  return cells;
}

// Pairs by block. Empty if any pair has a figure that is not positive: it has no logarithm, and
// leaving out the pair would bias the mean.
std::vector<BlockRatio> pair_by_block(const Cell& subject, const Cell& baseline) {
  std::vector<BlockRatio> ratios;
  for (const auto& [block, value] : subject.values) {
    const auto other = baseline.values.find(block);
    if (other == baseline.values.end()) {
      continue;
    }
    if (!(value > 0) || !(other->second > 0)) {
      return {};
    }
    const auto paired = subject.log_ratios.find(block);
    ratios.push_back({block, paired != subject.log_ratios.end() ? paired->second
                                                                : std::log(value / other->second)});
  }
  return ratios;
}

void digest_values(const Cell& cell, Summary& row, const SummaryOptions& options) {
  std::vector<double> values;
  for (const auto& [block, value] : cell.values) {
    values.push_back(value);
  }
  row.n = static_cast<int>(values.size());
  if (row.status != Status::kOk || values.empty()) {
    return;
  }
  row.median = median(values);
  row.range = median_interval(values, options.confidence);
}

// A baseline of a few pages has no ratio that says anything of the allocators.
bool is_large_enough(const Cell& baseline, std::string_view metric) {
  const double least = metric_named(metric).least_for_ratio;
  std::vector<double> values;
  for (const auto& [block, value] : baseline.values) {
    values.push_back(value);
  }
  return least <= 0 || (!values.empty() && median(values) >= least);
}

void digest_ratio(const Cell& cell, const Cell* baseline, Summary& row) {
  if (baseline == nullptr || baseline == &cell || baseline->failure != nullptr ||
      row.status != Status::kOk || !is_large_enough(*baseline, row.metric)) {
    return;
  }
  row.log_ratios = pair_by_block(cell, *baseline);
  if (!row.log_ratios.empty()) {
    row.ratio = std::exp(estimate(log_ratio_values(row.log_ratios)).mean);
  }
}

Summary digest_cell(const Cell& cell, const Cell* baseline, const SummaryOptions& options) {
  Summary row;
  row.workload = cell.first->workload;
  row.threads = cell.first->threads;
  row.kind = cell.first->kind;
  row.metric = cell.first->metric;
  row.unit = cell.first->unit;
  row.allocator = cell.first->allocator;
  if (cell.failure != nullptr) {
    // A missing value without a failure is a failure of whoever wrote the sample.
    row.status = cell.failure->status == Status::kOk ? Status::kFailed : cell.failure->status;
    row.detail = cell.failure->detail;
  }
  digest_values(cell, row, options);
  digest_ratio(cell, baseline, row);
  return row;
}

}  // namespace

std::vector<double> log_ratio_values(std::span<const BlockRatio> ratios) {
  std::vector<double> values;
  for (const BlockRatio& ratio : ratios) {
    values.push_back(ratio.log_ratio);
  }
  return values;
}

std::optional<Interval> exp_of(const std::optional<Interval>& logarithms) {
  if (!logarithms) {
    return std::nullopt;
  }
  return Interval{std::exp(logarithms->low), std::exp(logarithms->high)};
}

std::string_view verdict_word(const Summary& summary) {
  switch (summary.verdict) {
    case Verdict::kNone:
      return "";
    case Verdict::kUndecided:
      return "not decided";
    case Verdict::kSame:
      return "same";
    case Verdict::kHigher:
      return metric_named(summary.metric).if_higher;
    case Verdict::kLower:
      return metric_named(summary.metric).if_lower;
  }
  return "";
}

Judgement judgement(const Summary& summary) {
  const Direction direction = metric_named(summary.metric).direction;
  const bool higher = summary.verdict == Verdict::kHigher;
  if (direction == Direction::kNeither || (!higher && summary.verdict != Verdict::kLower)) {
    return Judgement::kNeither;
  }
  return higher == (direction == Direction::kHigherIsBetter) ? Judgement::kBetter
                                                             : Judgement::kWorse;
}

std::vector<Summary> summarise(std::span<const Sample> samples, std::string_view baseline,
                               const SummaryOptions& options) {
  const std::vector<Sample> expanded = expand_failures(samples);
  const Cells cells = collect(expanded, baseline);
  std::vector<Summary> rows;
  for (const auto& [key, cell] : cells.by_key) {
    rows.push_back(digest_cell(cell, cells.baseline_of(key), options));
  }
  judge(rows, options);
  return rows;
}

}  // namespace bench
