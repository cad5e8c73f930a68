// Digests samples into one Summary for each workload, thread count, metric and allocator: the rows
// of summary.csv.
//
// Ratios are paired by block: in each block the subject's figure is divided by the baseline's, the
// logarithms are averaged over blocks, and the interval is that of this mean. What is common to a
// block (a busy neighbour, a warm CPU) cancels out. A failure is never a number: one failed
// repetition makes its whole cell failed, and the cell has no median and no ratio.
//
// The scatter of a cell is estimated from its own blocks and from what the candidates' other cells of that metric have in common
// (common_scatter); verdict.hpp says how verdicts come about.
#pragma once

#include <cmath>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "bench/model/sample.hpp"
#include "bench/stats/interval.hpp"

namespace bench {

enum class Verdict {
  kNone,       // nothing to compare: the baseline itself, a reference, a failed cell, one repetition, a figure that is not positive
  kUndecided,  // neither is shown
  kSame,       // shown to be within the margin, and not shown to differ
  kHigher,     // shown to be above the baseline
  kLower,      // shown to be below the baseline
};

// When a run is looked at before it is over, to measure again what is undecided: a cell at first_blocks blocks, then at twice as many,
// and so on, at most `count` times. Each look may err as rarely as all of them together may (Bonferroni), so neither the rate of wrong
// verdicts nor an interval depends on when the run stopped.
struct Looks {
  int first_blocks = 0;  // 0: one look, at all there is
  int count = 1;
};

struct SummaryOptions {
  double confidence = 0.95;  // of intervals; 1 - confidence is the false discovery rate
  double margin = 0.02;      // two figures are the same if their ratio is shown to be between 1 / (1 + margin) and 1 + margin
  int verdict_blocks = 5;    // fewer decide nothing
  Looks looks;
  std::vector<std::string> without_verdict;  // allocators that are no candidates: references, copies of the baseline

  // A difference below half the margin gets no verdict, however certain: placement alone makes as much.
  [[nodiscard]] double least_log_effect() const { return std::log1p(margin) / 2; }
};

struct BlockRatio {
  int block;
  double log_ratio;  // natural logarithm of subject / baseline
};

std::vector<double> log_ratio_values(std::span<const BlockRatio> ratios);

// An interval of logarithms as one of ratios.
std::optional<Interval> exp_of(const std::optional<Interval>& logarithms);

// One row of summary.csv.
struct Summary {
  std::string workload;
  int threads = 1;
  Kind kind = Kind::kSynthetic;
  std::string metric;
  std::string unit;
  std::string allocator;
  int n = 0;                      // repetitions that gave a value
  std::optional<double> median;   // of these, in `unit`; none unless status is kOk
  std::optional<Interval> range;  // the median's interval (median_interval), in `unit`
  std::optional<double> ratio;    // to the baseline: exp(mean log-ratio over blocks); none for a
                                  // failed cell or baseline
  std::optional<Interval> ratio_interval;
  std::optional<double> p_differs;     // of "the ratio is 1", for this cell alone
  std::optional<double> p_same;        // of "the ratio is not within the margin", likewise
  Verdict verdict = Verdict::kNone;    // by the rule of verdict.hpp
  // The difference, as a share, that this run would have shown with a chance of 80 %; none without verdicts.
  std::optional<double> detectable;
  Status status = Status::kOk;         // the first failure of the cell, if any
  std::string detail;                  // of that failure
  std::vector<BlockRatio> log_ratios;  // in order of block; empty for a failed cell or baseline
};

// "faster", "smaller", "same", "not decided", or "" for kNone, in the words of the metric.
std::string_view verdict_word(const Summary& summary);

// Whether the verdict is in the direction that is better for the metric, worse, or neither.
enum class Judgement { kBetter, kWorse, kNeither };
Judgement judgement(const Summary& summary);

// Summaries by first appearance of workload, then threads ascending, then first appearance of
// metric and of allocator. A failed sample with an empty metric stands for every metric of its
// cell. kSkipped counts as a failure of the cell.
std::vector<Summary> summarise(std::span<const Sample> samples, std::string_view baseline,
                               const SummaryOptions& options = {});

}  // namespace bench
