// One figure for an allocator over all cells: the geometric mean of its ratios to the baseline.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "bench/stats/summary.hpp"

namespace bench {

// A cell that is no part of a mean, and why: "0 under glibc", "TIMEOUT under jemalloc".
struct LeftOutCell {
  std::string workload;
  int threads = 0;
  std::string why;
};

// The geometric mean of one allocator's ratios over the cells in which every allocator completed
// that metric.
struct GeometricMean {
  std::string metric;
  std::string allocator;
  int cells = 0;                      // cells that went in
  std::vector<LeftOutCell> left_out;  // that some allocator failed or that have no ratio
  std::optional<double> ratio;        // none if no cell is left; 1 for the baseline
  std::optional<Interval> interval;   // over blocks that all those cells have; none if fewer than 2
  std::vector<BlockRatio> log_ratios;  // mean over cells, a block each
};

// One for each metric with a ratio and each allocator, in order of appearance.
std::vector<GeometricMean> geometric_means(std::span<const Summary> summaries,
                                           std::string_view baseline,
                                           const SummaryOptions& options = {});

}  // namespace bench
