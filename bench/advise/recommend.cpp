#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <cmath>

#include "bench/advise/advice.hpp"
#include "bench/advise/rows.hpp"
#include "bench/model/metric.hpp"
#include "bench/stats/verdict.hpp"

namespace bench {
namespace {

struct Standing {
  std::string allocator;
  int better = 0;
  int worse = 0;
  int open = 0;
  double cost = 1;  // ratio to the baseline's; of its time where it has no cost
  bool is_cheaper = false;
};

Standing standing_of(const Findings& findings, const std::string& allocator) {
  Standing standing{allocator};
  for (const std::string_view metric : kept_metrics(findings)) {
    const Summary* row = row_of(findings.report, allocator, metric);
    if (row == nullptr || !row->ratio) {
      continue;
    }
    standing.better += judgement(*row) == Judgement::kBetter ? 1 : 0;
    standing.worse += judgement(*row) == Judgement::kWorse ? 1 : 0;
    standing.open += row->verdict == Verdict::kUndecided || row->verdict == Verdict::kNone ? 1 : 0;
  }
  const Summary* cost = row_of(findings.report, allocator, "cost");
  if (cost != nullptr && cost->ratio) {
    standing.cost = *cost->ratio;
    standing.is_cheaper = judgement(*cost) == Judgement::kBetter;
  } else if (const Summary* time = row_of(findings.report, allocator, time_metric(findings)); time != nullptr && time->ratio) {
    standing.cost = findings.has_metric || findings.is_trace ? 1 / *time->ratio : *time->ratio;
  }
  return standing;
}

// "5.1 % (3.9 to 6.3) less time"
std::string gain_text(const Findings& findings, const Summary& row) {
  const double change = (*row.ratio - 1) * 100;
  const auto side = [&](double ratio) { return std::abs((ratio - 1) * 100); };
  std::string interval;
  if (row.ratio_interval) {
    const auto [least, most] = std::minmax({side(row.ratio_interval->low), side(row.ratio_interval->high)});  // values, not references
    interval = fmt::format(" ({:.1f} to {:.1f})", least, most);
  }
  return fmt::format("{:.1f} %{} {} {}", std::abs(change), interval, change < 0 ? "less" : "more", metric_title(findings, row.metric));
}

std::vector<std::string> gains(const Findings& findings, const std::string& allocator, Judgement wanted) {
  std::vector<std::string> texts;
  for (const std::string_view metric : kept_metrics(findings)) {
    const Summary* row = row_of(findings.report, allocator, metric);
    if (row != nullptr && row->ratio && judgement(*row) == wanted) {
      texts.push_back(gain_text(findings, *row));
    }
  }
  return texts;
}

// What a difference in time would have had to be to be seen under the worst of them; none without verdicts.
std::optional<double> detectable_time(const Findings& findings) {
  std::optional<double> most;
  for (const Summary& row : findings.report.summaries) {
    if (row.metric == time_metric(findings) && row.detectable) {
      most = std::max(most.value_or(0), *row.detectable);
    }
  }
  return most;
}

Recommendation stay(const Findings& findings, bool is_open) {
  const std::string& baseline = findings.report.facts.baseline;
  if (!is_open) {
    return {Choice::kNoDifference, baseline,
            fmt::format("No difference: nothing is better than {}, and what does not differ is the same within {:g} %. Stay with it.", baseline,
                        findings.report.facts.margin * 100)};
  }
  const auto seen = detectable_time(findings);
  const std::string power = seen ? fmt::format(" A difference of {:.1f} % in {} would have been seen with a chance of 80 %; a larger --budget sees smaller ones.",
                                               *seen * 100, metric_title(findings, time_metric(findings)))
                                 : " Fewer than 5 blocks decide nothing: raise --budget.";
  return {Choice::kNotShown, baseline, fmt::format("No difference shown: stay with {}.{}", baseline, power)};
}

}  // namespace

Recommendation recommend(const Findings& findings) {
  const std::string& baseline = findings.report.facts.baseline;
  const Summary* own = row_of(findings.report, baseline, time_metric(findings));
  if (own == nullptr || !own->median) {
    return {Choice::kUnknown, baseline, fmt::format("No advice: it did not run to its end under {}, with which all others are compared.", baseline)};
  }
  const Standing* best = nullptr;
  const Standing* trade = nullptr;
  std::vector<Standing> standings;
  for (const std::string& allocator : candidates(findings.report.facts)) {
    if (allocator != baseline) {
      standings.push_back(standing_of(findings, allocator));
    }
  }
  if (standings.empty()) {
    return {Choice::kUnknown, baseline, fmt::format("Only {} was looked at: there is nothing to choose.", baseline)};
  }
  bool is_open = false;
  for (const Standing& one : standings) {
    is_open = is_open || one.open > 0;
    if (one.better > 0 && one.worse == 0 && (best == nullptr || one.cost < best->cost)) {
      best = &one;
    }
    if (one.better > 0 && one.is_cheaper && (trade == nullptr || one.cost < trade->cost)) {
      trade = &one;
    }
  }
  if (trade != nullptr && trade->worse > 0 && (best == nullptr || trade->cost < 0.98 * best->cost)) {
    return {Choice::kTrade, trade->allocator,
            fmt::format("Use {}: {} than under {}, for {}. It is the cheaper at {:.2g} GiB of memory a CPU; where memory is dearer see above.", trade->allocator,
                        fmt::join(gains(findings, trade->allocator, Judgement::kBetter), ", "), baseline,
                        fmt::join(gains(findings, trade->allocator, Judgement::kWorse), ", "), findings.report.facts.bytes_per_cpu / (1ULL << 30U))};
  }
  if (best != nullptr) {
    return {Choice::kSwitch, best->allocator,
            fmt::format("Use {}: {} than under {}, and nothing shown to be worse.", best->allocator,
                        fmt::join(gains(findings, best->allocator, Judgement::kBetter), ", "), baseline)};
  }
  return stay(findings, is_open);
}

}  // namespace bench
