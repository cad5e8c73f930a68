#include "bench/output/index.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace bench {

Index::Index(const Report& report) {
  for (const Summary& row : report.summaries) {
    summaries_[{row.workload, row.threads, row.metric, row.allocator}] = &row;
    CellName cell{row.workload, row.threads, row.kind};
    if (std::ranges::find(cells_, cell) == cells_.end()) {
      cells_.push_back(std::move(cell));
    }
    if (!has_metric(row.metric)) {
      metrics_.push_back(row.metric);
    }
  }
  for (const GeometricMean& mean : report.means) {
    means_[{mean.kind, mean.metric, mean.allocator}] = &mean;
  }
}

const Summary* Index::summary(const CellName& cell, std::string_view metric,
                              std::string_view allocator) const {
  const auto found = summaries_.find({cell.workload, cell.threads, metric, allocator});
  return found == summaries_.end() ? nullptr : found->second;
}

const GeometricMean* Index::mean(Kind kind, std::string_view metric, std::string_view allocator) const {
  const auto found = means_.find({kind, metric, allocator});
  return found == means_.end() ? nullptr : found->second;
}

std::vector<Kind> Index::kinds_with_mean(std::string_view metric) const {
  std::vector<Kind> kinds;
  for (const Kind kind : kKinds) {
    const auto has = [&](const auto& item) { return std::get<0>(item.first) == kind && std::get<1>(item.first) == metric && item.second->cells > 0; };
    if (std::ranges::any_of(means_, has)) {
      kinds.push_back(kind);
    }
  }
  return kinds;
}

bool Index::has_metric(std::string_view metric) const {
  return std::ranges::find(metrics_, metric) != metrics_.end();
}

std::string Index::repetitions(std::string_view metric) const {
  int least = 0;
  int most = 0;
  for (const auto& [key, row] : summaries_) {
    if (row->metric == metric && row->median) {
      least = least == 0 ? row->n : std::min(least, row->n);
      most = std::max(most, row->n);
    }
  }
  return least == most ? fmt::format("{}", most) : fmt::format("{} to {}", least, most);
}

}  // namespace bench
