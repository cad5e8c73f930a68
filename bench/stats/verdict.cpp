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

// Of one claim in one family of tests: corrected p-values, and the p that one claim more would need.
struct Corrected {
  std::vector<double> p_values;  // in the family's order
  double p_needed = 0;
};

Corrected corrected(std::span<Summary* const> family, std::optional<double> Summary::* p, const SummaryOptions& options) {
  std::vector<double> p_values;
  for (const Summary* row : family) {
    p_values.push_back(*(row->*p));
  }
  const double alpha = 1 - options.confidence;
  Corrected result{benjamini_hochberg(p_values), 0};
  const auto claims = std::ranges::count_if(result.p_values, [&](double value) { return value < alpha; });
  result.p_needed = alpha * std::min(1.0, static_cast<double>(claims + 1) / static_cast<double>(family.size()));
  return result;
}

// What the families of a row leave of its claims: the strictest counts.
struct Claims {
  double differs = 0;
  double same = 0;
  double p_needed = 1;  // of one difference more

  void heed_difference(double p_value, double needed) {
    differs = std::max(differs, p_value);
    p_needed = std::min(p_needed, needed);
  }
};

bool excludes_one(const std::optional<Interval>& interval) { return interval && (interval->low > 1 || interval->high < 1); }

// A difference is seen if its p is below the one that another claim in its families would have needed; power adds what chance takes.
double detectable(const Summary& row, const Scatter& prior, double p_needed, const SummaryOptions& options) {
  const Estimate known = estimate(log_ratio_values(row.log_ratios), prior);
  const double needed = student_quantile(1 - p_needed / options.looks.count, known.degrees);
  const double log_effect = (needed + student_quantile(2 * kPower - 1, known.degrees)) * known.standard_error;
  return std::expm1(std::max(log_effect, options.least_log_effect()));
}

Verdict verdict_of(const Summary& row, const Claims& claims, const SummaryOptions& options) {
  const double alpha = 1 - options.confidence;
  const bool is_large = std::abs(std::log(*row.ratio)) > options.least_log_effect();
  if (static_cast<int>(row.log_ratios.size()) < options.verdict_blocks) {
    return Verdict::kUndecided;
  }
  if (claims.differs < alpha && is_large) {
    return *row.ratio > 1 ? Verdict::kHigher : Verdict::kLower;
  }
  return claims.same < alpha && !excludes_one(row.ratio_interval) ? Verdict::kSame : Verdict::kUndecided;
}

// By metric or by allocator.
using Families = std::map<std::string_view, std::vector<Summary*>>;

std::map<const Summary*, Claims> claims_of(const Families& metrics, const Families& tables, const SummaryOptions& options) {
  std::map<const Summary*, Claims> claims;
  for (const Families* families : {&metrics, &tables}) {
    for (const auto& [name, family] : *families) {
      const Corrected differs = corrected(family, &Summary::p_differs, options);
      for (std::size_t i = 0; i < family.size(); ++i) {
        claims[family[i]].heed_difference(differs.p_values[i], differs.p_needed);
      }
    }
  }
  for (const auto& [metric, family] : metrics) {
    const Corrected same = corrected(family, &Summary::p_same, options);
    for (std::size_t i = 0; i < family.size(); ++i) {
      claims[family[i]].same = same.p_values[i];
    }
  }
  return claims;
}

// Such as a count that no allocator has a part in: nothing is tested by it.
bool is_constant(const Summary& row) {
  return std::ranges::all_of(row.log_ratios, [](const BlockRatio& ratio) { return ratio.log_ratio == 0; });
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
  Families metrics;
  Families tables;
  for (Summary& row : rows) {
    if (has_error(row) && is_candidate(row, options)) {
      metrics[row.metric].push_back(&row);
      if (!is_constant(row)) {
        tables[row.allocator].push_back(&row);
      }
    } else if (has_error(row)) {
      estimate_row(row, {}, options);
    }
  }
  std::map<std::string_view, Scatter> priors;
  for (const auto& [metric, family] : metrics) {
    const Scatter prior = priors[metric] = scatter_of(family);
    for (Summary* row : family) {
      estimate_row(*row, prior, options);
      test_row(*row, prior, options);
    }
  }
  const auto claims = claims_of(metrics, tables, options);
  for (const auto& [metric, family] : metrics) {
    for (Summary* row : family) {
      row->detectable = detectable(*row, priors[metric], claims.at(row).p_needed, options);
      row->verdict = verdict_of(*row, claims.at(row), options);
    }
  }
}

}  // namespace bench
