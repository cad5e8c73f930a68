// What changed between two runs, or between two libraries of one run, and a gate over it. Pure functions; any thread.
//
// The two runs' blocks are not pairs. Where both have the same baseline, each block's log-ratio to it is compared, so that what the host
// did to all allocators alike cancels; else the figures themselves. The change is the difference of the means; its interval is Welch's.
// Two libraries measured in one run are pairs, block by block: their log-ratios are the changes.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "bench/model/kind.hpp"
#include "bench/stats/interval.hpp"
#include "bench/stats/summary.hpp"

namespace bench {

// One metric of one cell and allocator, after over before.
struct Change {
  std::string workload;
  int threads = 1;
  Kind kind = Kind::kSynthetic;
  std::string metric;
  std::string allocator;
  std::optional<double> before;  // medians, in the metric's unit
  std::optional<double> after;
  double ratio = 1;                  // after / before
  std::optional<Interval> interval;  // 95 %, for this change alone; none where a side has fewer than 2 blocks
  std::optional<double> p_value;     // of "no change", corrected by Holm over all changes of the metric
  // Of the ratio's logarithm; 0 where every block gave the same.
  double standard_error = 0;
  double degrees = 0;
};

enum class Basis {
  kRatios,   // to the baseline that both runs have
  kFigures,  // the figures themselves
};

// Changes of what both have: same cell, metric and allocator, figures above 0. The baseline itself takes part only on kFigures.
std::vector<Change> changes_between(std::span<const Sample> before, std::span<const Sample> after, std::string_view baseline, Basis basis);

// Changes of `subject` against `baseline` in one run.
std::vector<Change> changes_within(std::span<const Sample> samples, std::string_view baseline, std::string_view subject);

// Figures of a cell that passed on both sides, of which there is no ratio of after to before: one side has none, or has a 0. What lies
// below the size from which its metric has ratios, on both sides, is not among them, nor what is the same on both.
struct Incomparable {
  std::string workload;
  int threads = 1;
  std::string metric;
  std::string allocator;
  std::optional<double> before;  // medians, where there is one
  std::optional<double> after;
};

// Those of the comparison that changes_between makes of the same.
std::vector<Incomparable> incomparable_between(std::span<const Sample> before, std::span<const Sample> after, std::string_view baseline, Basis basis);

// Likewise of changes_within.
std::vector<Incomparable> incomparable_within(std::span<const Sample> samples, std::string_view baseline, std::string_view subject);

// At a chance of 5 % for one wrong claim among all changes of its metric.
[[nodiscard]] bool is_shown(const Change& change);

// The change that would have been shown with a chance of 80 %, as a share: 0.03 for 3 %. None without an interval.
std::optional<double> detectable_change(const Change& change, int comparisons);

// "throughput:2%": how much worse a metric may get. A metric without a better direction cannot be one.
struct GateRule {
  std::string metric;
  double most_worse = 0;  // a share
};

enum class GateVerdict {
  kPassed,     // shown to be no worse than the rule allows
  kFailed,     // shown to be worse, and by more than the rule allows
  kUndecided,  // neither
};

GateVerdict judge(const Change& change, const GateRule& rule);

}  // namespace bench
