#include "bench/stats/geometric_mean.hpp"

#include <algorithm>
#include <cmath>
#include <map>
#include <set>
#include <utility>

#include "bench/model/metric.hpp"

namespace bench {
namespace {

using CellKey = std::pair<std::string_view, int>;  // workload, threads

// The rows of one metric in one kind, cell by cell.
struct MetricRows {
  Kind kind;
  std::string_view metric;
  std::vector<std::string_view> allocators;                             // in order of appearance
  std::map<CellKey, std::map<std::string_view, const Summary*>> cells;  // rows by allocator
};

std::vector<MetricRows> by_metric(std::span<const Summary> summaries, Kind kind) {
  std::vector<MetricRows> all;
  for (const Summary& row : summaries) {
    if (row.kind != kind) {
      continue;
    }
    auto found = std::ranges::find(all, row.metric, &MetricRows::metric);
    if (found == all.end()) {
      all.push_back({kind, row.metric, {}, {}});
      found = all.end() - 1;
    }
    if (std::ranges::find(found->allocators, row.allocator) == found->allocators.end()) {
      found->allocators.push_back(row.allocator);
    }
    found->cells[{row.workload, row.threads}][row.allocator] = &row;
  }
  return all;
}

using CellRows = std::map<std::string_view, const Summary*>;  // by allocator

// Why one allocator's row cannot go into a mean; empty if it can. A figure of 0 has no logarithm.
std::string gap_of(const CellRows& cell, std::string_view allocator, std::string_view baseline) {
  const auto found = cell.find(allocator);
  const std::string under = " under " + std::string(allocator);
  if (found == cell.end()) {
    return "no figure" + under;
  }
  const Summary& row = *found->second;
  if (row.status != Status::kOk) {
    return std::string(to_string(row.status)) + under;
  }
  if (!row.median) {
    return "no figure" + under;
  }
  if (*row.median == 0) {
    return "0" + under;
  }
  if (allocator == baseline) {
    return *row.median < metric_named(row.metric).least_for_ratio ? "too small for a ratio" + under
                                                                  : "";
  }
  return row.ratio ? "" : "no ratio" + under;
}

// Empty if every allocator has a figure there, and every one but the baseline a ratio.
std::string why_left_out(const MetricRows& rows, const CellRows& cell, std::string_view baseline) {
  if (std::string why = gap_of(cell, baseline, baseline); !why.empty()) {
    return why;  // the reason why the others have no ratio
  }
  for (const std::string_view allocator : rows.allocators) {
    if (std::string why = gap_of(cell, allocator, baseline); !why.empty()) {
      return why;
    }
  }
  return {};
}

using Families = std::map<std::string_view, std::vector<const Summary*>>;

double mean_of(const std::vector<double>& values) { return estimate(values).mean; }

// The mean log-ratio of a family in one block; none if a cell of it has no figure there.
std::optional<double> family_in_block(std::span<const Summary* const> cells, int block) {
  std::vector<double> values;
  for (const Summary* cell : cells) {
    const auto found = std::ranges::find(cell->log_ratios, block, &BlockRatio::block);
    if (found == cell->log_ratios.end()) {
      return std::nullopt;
    }
    values.push_back(found->log_ratio);
  }
  return mean_of(values);
}

// The mean over families in each block that all their cells have.
std::vector<BlockRatio> mean_by_block(const Families& families) {
  std::vector<BlockRatio> means;
  for (const BlockRatio& ratio : families.begin()->second.front()->log_ratios) {
    std::vector<double> values;
    for (const auto& [family, cells] : families) {
      if (const auto value = family_in_block(cells, ratio.block)) {
        values.push_back(*value);
      }
    }
    if (values.size() == families.size()) {
      means.push_back({ratio.block, mean_of(values)});
    }
  }
  return means;
}

// The log-ratio of each family, over all blocks.
std::map<std::string_view, double> votes_of(const Families& families) {
  std::map<std::string_view, double> votes;
  for (const auto& [family, cells] : families) {
    std::vector<double> logarithms;
    for (const Summary* cell : cells) {
      logarithms.push_back(std::log(*cell->ratio));
    }
    votes[family] = mean_of(logarithms);
  }
  return votes;
}

// Without a vote v of n the mean m becomes m + (m - v) / (n - 1): the vote farthest from the mean moves it most.
std::optional<WithoutFamily> without_most_influential(const std::map<std::string_view, double>& votes, double mean) {
  if (votes.size() < 2) {
    return std::nullopt;
  }
  const auto most = std::ranges::max_element(votes, {}, [mean](const auto& vote) { return std::abs(vote.second - mean); });
  const double moved = mean + (mean - most->second) / static_cast<double>(votes.size() - 1);
  return WithoutFamily{std::string(most->first), std::exp(moved)};
}

void take_mean(const Families& families, const SummaryOptions& options, GeometricMean& mean) {
  const auto votes = votes_of(families);
  std::vector<double> logarithms;
  for (const auto& [family, vote] : votes) {
    logarithms.push_back(vote);
  }
  const double log_mean = mean_of(logarithms);
  mean.ratio = std::exp(log_mean);
  mean.without = without_most_influential(votes, log_mean);
  mean.log_ratios = mean_by_block(families);
  if (!mean.log_ratios.empty()) {
    mean.interval = exp_of(interval_of(estimate(log_ratio_values(mean.log_ratios)), options.confidence));
  }
}

GeometricMean mean_for(const MetricRows& rows, std::string_view allocator,
                       std::string_view baseline, const SummaryOptions& options) {
  GeometricMean mean;
  mean.kind = rows.kind;
  mean.metric = rows.metric;
  mean.allocator = allocator;
  Families families;
  for (const auto& [key, cell] : rows.cells) {
    if (std::string why = why_left_out(rows, cell, baseline); !why.empty()) {
      mean.left_out.push_back({std::string(key.first), key.second, std::move(why)});
      continue;
    }
    ++mean.cells;
    families[family_of(key.first)].push_back(cell.at(allocator));
  }
  mean.families = static_cast<int>(families.size());
  if (allocator != baseline && !families.empty()) {
    take_mean(families, options, mean);
  } else if (!families.empty()) {
    mean.ratio = 1;
  }
  return mean;
}

}  // namespace

std::vector<GeometricMean> geometric_means(std::span<const Summary> summaries,
                                           std::string_view baseline,
                                           const SummaryOptions& options) {
  std::vector<GeometricMean> means;
  for (const Kind kind : kKinds) {
    for (const MetricRows& rows : by_metric(summaries, kind)) {
      const bool compared = std::ranges::any_of(
          summaries, [&](const Summary& row) { return row.metric == rows.metric && row.ratio; });
      for (const std::string_view allocator : compared ? rows.allocators : std::vector<std::string_view>()) {
        means.push_back(mean_for(rows, allocator, baseline, options));
      }
    }
  }
  return means;
}

}  // namespace bench
