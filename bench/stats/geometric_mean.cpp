#include "bench/stats/geometric_mean.hpp"

#include <algorithm>
#include <cmath>
#include <map>
#include <set>
#include <utility>

namespace bench {
namespace {

using CellKey = std::pair<std::string_view, int>;  // workload, threads

// The rows of one metric, cell by cell.
struct MetricRows {
  std::string_view metric;
  std::vector<std::string_view> allocators;  // in order of appearance
  std::map<CellKey, std::map<std::string_view, const Summary*>> cells;
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

// Every allocator has a figure there, and every one but the baseline a ratio.
bool complete(const MetricRows& rows, const std::map<std::string_view, const Summary*>& cell,
              std::string_view baseline) {
  return std::ranges::all_of(rows.allocators, [&](std::string_view allocator) {
    const auto found = cell.find(allocator);
    return found != cell.end() && (allocator == baseline ? found->second->median.has_value()
                                                         : found->second->ratio.has_value());
  });
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
  int complete_cells = 0;
  for (const auto& [key, cell] : rows.cells) {
    if (complete(rows, cell, baseline)) {
      ++complete_cells;
      if (allocator != baseline) {
        cells.push_back(cell.at(allocator));
      }
    }
  }
  GeometricMean mean = mean_of(cells, options);
  mean.metric = rows.metric;
  mean.allocator = allocator;
  mean.cells = complete_cells;
  mean.cells_left_out = static_cast<int>(rows.cells.size()) - complete_cells;
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
