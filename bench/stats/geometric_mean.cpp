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

// The rows of one metric, cell by cell.
struct MetricRows {
  std::string_view metric;
  std::vector<std::string_view> allocators;                             // in order of appearance
  std::map<CellKey, std::map<std::string_view, const Summary*>> cells;  // rows by allocator
};

std::vector<MetricRows> by_metric(std::span<const Summary> summaries) {
  std::vector<MetricRows> all;
  for (const Summary& row : summaries) {
    auto found = std::ranges::find(all, row.metric, &MetricRows::metric);
    if (found == all.end()) {
      all.push_back({row.metric, {}, {}});
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

// The mean over cells of the log-ratios of each block that all the cells have.
std::vector<BlockRatio> mean_by_block(std::span<const Summary* const> cells) {
  std::map<int, std::vector<double>> blocks;
  for (const Summary* cell : cells) {
    for (const BlockRatio& ratio : cell->log_ratios) {
      blocks[ratio.block].push_back(ratio.log_ratio);
    }
  }
  std::vector<BlockRatio> means;
  for (const auto& [block, values] : blocks) {
    if (values.size() == cells.size()) {
      means.push_back({block, estimate_mean(values, 0.95).mean});
    }
  }
  return means;
}

GeometricMean mean_of(std::span<const Summary* const> cells, const SummaryOptions& options) {
  GeometricMean mean;
  mean.cells = static_cast<int>(cells.size());
  if (cells.empty()) {
    return mean;
  }
  std::vector<double> logarithms;
  for (const Summary* cell : cells) {
    logarithms.push_back(std::log(*cell->ratio));
  }
  mean.ratio = std::exp(estimate_mean(logarithms, options.confidence).mean);
  mean.log_ratios = mean_by_block(cells);
  if (!mean.log_ratios.empty()) {
    const auto blocks = log_ratio_values(mean.log_ratios);
    mean.interval = exp_of(estimate_mean(blocks, options.confidence).interval);
  }
  return mean;
}

GeometricMean mean_for(const MetricRows& rows, std::string_view allocator,
                       std::string_view baseline, const SummaryOptions& options) {
  std::vector<const Summary*> cells;
  std::vector<LeftOutCell> left_out;
  int complete_cells = 0;
  for (const auto& [key, cell] : rows.cells) {
    if (std::string why = why_left_out(rows, cell, baseline); !why.empty()) {
      left_out.push_back({std::string(key.first), key.second, std::move(why)});
      continue;
    }
    ++complete_cells;
    if (allocator != baseline) {
      cells.push_back(cell.at(allocator));
    }
  }
  GeometricMean mean = mean_of(cells, options);
  mean.metric = rows.metric;
  mean.allocator = allocator;
  mean.cells = complete_cells;
  mean.left_out = std::move(left_out);
  if (allocator == baseline && complete_cells > 0) {
    mean.ratio = 1;
  }
  return mean;
}

}  // namespace

std::vector<GeometricMean> geometric_means(std::span<const Summary> summaries,
                                           std::string_view baseline,
                                           const SummaryOptions& options) {
  std::vector<GeometricMean> means;
  for (const MetricRows& rows : by_metric(summaries)) {
    const bool compared = std::ranges::any_of(
        summaries, [&](const Summary& row) { return row.metric == rows.metric && row.ratio; });
    if (!compared) {
      continue;
    }
    for (const std::string_view allocator : rows.allocators) {
      means.push_back(mean_for(rows, allocator, baseline, options));
    }
  }
  return means;
}

}  // namespace bench
