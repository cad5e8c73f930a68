// Digests samples into one Summary for each workload, thread count, metric and allocator: the rows
// of summary.csv.
//
// Ratios are paired by block: in each block the subject's figure is divided by the baseline's, the
// logarithms are averaged over blocks, and the interval is that of this mean. What is common to a
// block (a busy neighbour, a warm CPU) cancels out. A failure is never a number: one failed
// repetition makes its whole cell failed, and the cell has no median and no ratio.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "bench/model/sample.hpp"
#include "bench/stats/interval.hpp"

namespace bench {

enum class Verdict {
  kNone,  // nothing to compare: the baseline itself, a failed cell, one repetition, a figure that
          // is not positive
  kIndicative,         // fewer than SummaryOptions::verdict_blocks blocks
  kIndistinguishable,  // not shown to differ by more than least_effect
  kHigher,             // above the baseline, shown
  kLower,              // below the baseline, shown
};

struct SummaryOptions {
  double confidence = 0.95;
  double least_effect = 0.01;  // a smaller difference gets no verdict, however certain
  int verdict_blocks = 5;      // fewer give no verdict
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
  std::string metric;
  std::string unit;
  std::string allocator;
  int n = 0;                      // repetitions that gave a value
  std::optional<double> median;   // of these, in `unit`; none unless status is kOk
  std::optional<Interval> range;  // the median's interval (median_interval), in `unit`
  std::optional<double> ratio;    // to the baseline: exp(mean log-ratio over blocks); none for a
                                  // failed cell or baseline
  std::optional<Interval> ratio_interval;
  std::optional<double> p_value;       // of "ratio is 1", before Holm's correction
  Verdict verdict = Verdict::kNone;    // after Holm's correction over all ratios of the same metric
  Status status = Status::kOk;         // the first failure of the cell, if any
  std::string detail;                  // of that failure
  std::vector<BlockRatio> log_ratios;  // in order of block; empty for a failed cell or baseline
};

// "faster", "smaller", "indistinguishable", "indicative", or "" for kNone, in the words of the
// metric.
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
