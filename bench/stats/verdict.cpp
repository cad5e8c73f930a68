#include "bench/stats/verdict.hpp"

#include <algorithm>
#include <cmath>
#include <map>

namespace bench {
namespace {

constexpr double kPower = 0.80;  // at which a difference counts as one that could have been seen

bool is_candidate(const Summary& row, const SummaryOptions& options) {
  return std::ranges::find(options.without_verdict, row.allocator) == options.without_verdict.end();
}

bool has_error(const Summary& row) { return row.log_ratios.size() > 1; }

Scatter scatter_of(std::span<Summary* const> family) {
  std::vector<std::vector<double>> cells;
  for (const Summary* row : family) {
    cells.push_back(log_ratio_values(row->log_ratios));
  }
  return common_scatter(cells);
}

// The interval at the cell's last look; wider where there may be several.
double confidence_of_a_look(const SummaryOptions& options) { return 1 - (1 - options.confidence) / options.looks.count; }

void estimate_row(Summary& row, const Scatter& prior, const SummaryOptions& options) {
  const std::vector<double> values = log_ratio_values(row.log_ratios);
  row.ratio_interval = exp_of(interval_of(estimate(values, prior), confidence_of_a_look(options)));
}

// The least p-value of all looks, times their number: valid whenever the run stopped.
void test_row(Summary& row, const Scatter& prior, const SummaryOptions& options) {
  const std::vector<double> values = log_ratio_values(row.log_ratios);
  double differs = 1;
  double same = 1;
  for (const int blocks : looks_at(options.looks, static_cast<int>(values.size()))) {
    if (blocks >= 2) {
      const Estimate known = estimate(std::span(values).first(static_cast<std::size_t>(blocks)), prior);
      differs = std::min(differs, options.looks.count * p_of_no_difference(known));
      same = std::min(same, options.looks.count * p_of_not_within(known, std::log1p(options.margin)));
    }
  }
  row.p_differs = differs;
  row.p_same = same;
}

std::vector<double> adjusted(std::span<Summary* const> family, std::optional<double> Summary::* p) {
  std::vector<double> p_values;
  for (const Summary* row : family) {
    p_values.push_back(*(row->*p));
  }
  return benjamini_hochberg(p_values);
}

bool excludes_one(const std::optional<Interval>& interval) { return interval && (interval->low > 1 || interval->high < 1); }

// A difference is seen if its p is below the one that another claim in this family would have needed; power adds what chance takes.
double detectable(const Summary& row, const Scatter& prior, double p_needed, const SummaryOptions& options) {
  const Estimate known = estimate(log_ratio_values(row.log_ratios), prior);
  const double needed = student_quantile(1 - p_needed / options.looks.count, known.degrees);
  const double log_effect = (needed + student_quantile(2 * kPower - 1, known.degrees)) * known.standard_error;
  return std::expm1(std::max(log_effect, options.least_log_effect()));
}

void judge_family(std::span<Summary* const> family, const Scatter& prior, const SummaryOptions& options) {
  const double alpha = 1 - options.confidence;
  const auto differs = adjusted(family, &Summary::p_differs);
  const auto same = adjusted(family, &Summary::p_same);
  const auto claims = std::ranges::count_if(differs, [&](double p) { return p < alpha; });
  const double share = std::min(1.0, static_cast<double>(claims + 1) / static_cast<double>(family.size()));
  for (std::size_t i = 0; i < family.size(); ++i) {
    Summary& row = *family[i];
    row.detectable = detectable(row, prior, alpha * share, options);
    const bool is_large = std::abs(std::log(*row.ratio)) > options.least_log_effect();
    if (static_cast<int>(row.log_ratios.size()) < options.verdict_blocks) {
      row.verdict = Verdict::kUndecided;
    } else if (differs[i] < alpha && is_large) {
      row.verdict = *row.ratio > 1 ? Verdict::kHigher : Verdict::kLower;
    } else if (same[i] < alpha && !excludes_one(row.ratio_interval)) {
      row.verdict = Verdict::kSame;
    } else {
      row.verdict = Verdict::kUndecided;
    }
  }
}

}  // namespace

std::vector<int> looks_at(const Looks& looks, int blocks) {
  std::vector<int> at;
  for (long long next = looks.first_blocks; looks.first_blocks > 0 && next < blocks && static_cast<int>(at.size()) + 1 < looks.count; next *= 2) {
    at.push_back(static_cast<int>(next));
  }
  at.push_back(blocks);
  return at;
}

bool is_open(const Summary& row, double precision) {
  if (row.verdict != Verdict::kUndecided || !row.ratio_interval) {
    return false;
  }
  const double half = (std::log(row.ratio_interval->high) - std::log(row.ratio_interval->low)) / 2;
  return half > std::log1p(precision);
}

void judge(std::span<Summary> rows, const SummaryOptions& options) {
  std::map<std::string_view, std::vector<Summary*>> families;
  std::map<std::string_view, std::vector<Summary*>> others;
  for (Summary& row : rows) {
    if (has_error(row)) {
      (is_candidate(row, options) ? families : others)[row.metric].push_back(&row);
    }
  }
  for (auto& [metric, family] : families) {
    const Scatter prior = scatter_of(family);
    for (Summary* row : family) {
      estimate_row(*row, prior, options);
      test_row(*row, prior, options);
    }
    judge_family(family, prior, options);
  }
  for (auto& [metric, references] : others) {
    for (Summary* row : references) {
      estimate_row(*row, {}, options);
    }
  }
}

}  // namespace bench
