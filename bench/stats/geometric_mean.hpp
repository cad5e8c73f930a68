// One figure for an allocator over all cells of a kind: the geometric mean of its ratios to the baseline. Never over all kinds together.
//
// A family (one workload at several sizes or thread counts) has one vote: the mean over its cells. Beside each mean stands what it is
// without the family that moves it most.
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

// A mean without the family that moves it most.
struct WithoutFamily {
  std::string family;
  double ratio = 1;
};

// The geometric mean of one allocator's ratios over the families of that kind, of cells in which every allocator completed that metric.
struct GeometricMean {
  std::string metric;
  std::string allocator;
  Kind kind = Kind::kSynthetic;
  int families = 0;                   // that voted
  int cells = 0;                      // of theirs that went in
  std::vector<LeftOutCell> left_out;  // that some allocator failed or that have no ratio
  std::optional<double> ratio;        // none if no cell is left; 1 for the baseline
  std::optional<Interval> interval;   // over blocks that all those cells have; none if fewer than 2
  std::vector<BlockRatio> log_ratios;  // mean over families, a block each
  std::optional<WithoutFamily> without;  // none for the baseline, and for one family
};

// One for each kind, each of its metrics with a ratio and each allocator; kinds in the order of kKinds, the others in order of
// appearance.
std::vector<GeometricMean> geometric_means(std::span<const Summary> summaries,
                                           std::string_view baseline,
                                           const SummaryOptions& options = {});

}  // namespace bench
