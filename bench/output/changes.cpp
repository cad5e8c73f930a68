#include "bench/output/changes.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "bench/model/metric.hpp"
#include "bench/output/grid.hpp"

namespace bench {
namespace {

using nlohmann::ordered_json;

constexpr std::size_t kWidth = 80;

std::string percent(double ratio) { return fmt::format("{:+.1f} %", (ratio - 1) * 100); }

std::string interval_text(const Change& change) {
  return change.interval ? fmt::format(" ({:+.1f} to {:+.1f})", (change.interval->low - 1) * 100, (change.interval->high - 1) * 100) : "";
}

std::string cell_text(const Change& change) {
  return fmt::format("{}{}, {}", change.workload, change.threads > 1 ? fmt::format(", {} threads", change.threads) : "", change.allocator);
}

std::string_view word_of(const Change& change) {
  const Metric metric = metric_named(change.metric);
  return change.ratio > 1 ? metric.if_higher : metric.if_lower;
}

bool has_direction(const Change& change) { return metric_named(change.metric).direction != Direction::kNeither; }

// Those shown, largest first.
std::vector<const Change*> shown(std::span<const Change> changes) {
  std::vector<const Change*> found;
  for (const Change& change : changes) {
    if (is_shown(change) && has_direction(change)) {
      found.push_back(&change);
    }
  }
  std::ranges::stable_sort(found, [](const Change* a, const Change* b) { return std::abs(std::log(a->ratio)) > std::abs(std::log(b->ratio)); });
  return found;
}

std::string change_line(const Change& change) {
  return fmt::format("  {:<14} {}{}  {}\n    {}\n", change.metric, percent(change.ratio), interval_text(change), word_of(change),
                     cell_text(change));
}

std::string changes_by_kind(const std::vector<const Change*>& found) {
  std::string text;
  for (const Kind kind : kKinds) {
    std::string of_kind;
    for (const Change* change : found) {
      of_kind += change->kind == kind ? change_line(*change) : "";
    }
    text += of_kind.empty() ? "" : fmt::format("{}\n{}", to_string(kind), of_kind);
  }
  return text;
}

int count_of(std::span<const Change> changes, std::string_view metric) {
  return static_cast<int>(std::ranges::count_if(changes, [&](const Change& change) { return change.metric == metric && change.interval; }));
}

// The change of a metric that would have been shown in half of the cells; none if no cell has an interval.
std::optional<double> typical_detectable(std::span<const Change> changes, std::string_view metric) {
  std::vector<double> sizes;
  const int comparisons = count_of(changes, metric);
  for (const Change& change : changes) {
    if (const auto size = change.metric == metric ? detectable_change(change, comparisons) : std::nullopt) {
      sizes.push_back(*size);
    }
  }
  if (sizes.empty()) {
    return std::nullopt;
  }
  std::ranges::sort(sizes);
  return sizes[sizes.size() / 2];
}

std::string rule_text(const GateRule& rule) { return fmt::format("{}:{:g}%", rule.metric, rule.most_worse * 100); }

std::string undecided_text(const std::vector<const Change*>& undecided) {
  std::string text;
  for (const Change* change : undecided) {
    text += (text.empty() ? "" : "; ") + cell_text(*change);
  }
  return text;
}

std::string_view to_word(GateVerdict verdict) {
  switch (verdict) {
    case GateVerdict::kPassed:
      return "passed";
    case GateVerdict::kFailed:
      return "FAILED";
    default:
      return "not decided";
  }
}

std::string outcome_text(const GateOutcome& outcome, std::span<const Change> changes) {
  const GateVerdict verdict = verdict_of(std::span(&outcome, 1));
  std::string text = fmt::format("gate {}: {}: worse by more in {}, not in {}, not decided in {}\n", rule_text(outcome.rule), to_word(verdict),
                                 outcome.failed.size(), outcome.passed, outcome.undecided.size());
  for (const Change* change : outcome.failed) {
    text += wrapped(fmt::format("{}: {}{}", cell_text(*change), percent(change->ratio), interval_text(*change)), 2, kWidth);
  }
  if (!outcome.undecided.empty()) {
    text += wrapped("not decided: " + undecided_text(outcome.undecided), 2, kWidth);
  }
  if (const auto size = typical_detectable(changes, outcome.rule.metric)) {
    text += wrapped(fmt::format("Half of these cells would have shown a change of {:.1f} % with a chance of 80 %; the chance of any false alarm is at "
                                "most 5 %.", *size * 100), 2, kWidth);
  }
  return text;
}

ordered_json change_json(const Change& change) {
  ordered_json row = {{"workload", change.workload}, {"threads", change.threads}, {"kind", to_string(change.kind)},
                      {"metric", change.metric},     {"allocator", change.allocator}, {"ratio", change.ratio}};
  row["interval"] = change.interval ? ordered_json::array({change.interval->low, change.interval->high}) : ordered_json(nullptr);
  row["before"] = change.before ? ordered_json(*change.before) : ordered_json(nullptr);
  row["after"] = change.after ? ordered_json(*change.after) : ordered_json(nullptr);
  row["shown"] = is_shown(change);
  return row;
}

ordered_json cells_json(const std::vector<const Change*>& changes) {
  ordered_json cells = ordered_json::array();
  for (const Change* change : changes) {
    cells.push_back({{"workload", change->workload}, {"threads", change->threads}, {"allocator", change->allocator}});
  }
  return cells;
}

ordered_json changes_json(std::span<const Change> changes) {
  ordered_json rows = ordered_json::array();
  for (const Change& change : changes) {
    rows.push_back(change_json(change));
  }
  return rows;
}

}  // namespace

std::vector<GateOutcome> outcomes(const Comparison& comparison) {
  std::vector<GateOutcome> all;
  for (const GateRule& rule : comparison.gate) {
    GateOutcome outcome{rule, {}, {}, 0};
    for (const Change& change : comparison.changes) {
      if (change.metric != rule.metric) {
        continue;
      }
      const GateVerdict verdict = judge(change, rule);
      outcome.passed += verdict == GateVerdict::kPassed ? 1 : 0;
      if (verdict == GateVerdict::kFailed) {
        outcome.failed.push_back(&change);
      } else if (verdict == GateVerdict::kUndecided) {
        outcome.undecided.push_back(&change);
      }
    }
    all.push_back(std::move(outcome));
  }
  return all;
}

GateVerdict verdict_of(std::span<const GateOutcome> all) {
  if (std::ranges::any_of(all, [](const GateOutcome& outcome) { return !outcome.failed.empty(); })) {
    return GateVerdict::kFailed;
  }
  const bool open = std::ranges::any_of(all, [](const GateOutcome& outcome) { return outcome.passed == 0 || !outcome.undecided.empty(); });
  return open ? GateVerdict::kUndecided : GateVerdict::kPassed;
}

std::string render_changes_text(const Comparison& comparison) {
  std::string text = wrapped(fmt::format("before: {}", comparison.before), 0, kWidth) + wrapped(fmt::format("after:  {}", comparison.after), 0, kWidth);
  text += wrapped(comparison.basis, 0, kWidth) + '\n';
  const auto found = shown(comparison.changes);
  text += changes_by_kind(found);
  text += wrapped(fmt::format("{} of {} changes are shown (for each metric, the chance of any wrong claim is at most 5 %).", found.size(),
                              std::ranges::count_if(comparison.changes, has_direction)), 0, kWidth);
  if (!comparison.controls.empty()) {
    text += wrapped(fmt::format("Libraries that are the same file in both: {} of {} changes shown; more than a few speak of the host, not of them.",
                                shown(comparison.controls).size(), std::ranges::count_if(comparison.controls, has_direction)), 0, kWidth);
  }
  if (!comparison.missing.empty()) {
    text += wrapped(fmt::format("Only in one of them: {}", fmt::join(comparison.missing, "; ")), 0, kWidth);
  }
  const auto all = outcomes(comparison);
  for (const GateOutcome& outcome : all) {
    text += '\n' + outcome_text(outcome, comparison.changes);
  }
  return text;
}

std::string render_changes_json(const Comparison& comparison) {
  ordered_json json = {{"before", comparison.before},
                       {"after", comparison.after},
                       {"basis", comparison.basis},
                       {"changes", changes_json(comparison.changes)},
                       {"controls", changes_json(comparison.controls)},
                       {"missing", comparison.missing},
                       {"gate", ordered_json::array()}};
  for (const GateOutcome& outcome : outcomes(comparison)) {
    json["gate"].push_back({{"metric", outcome.rule.metric},
                            {"most_worse", outcome.rule.most_worse},
                            {"verdict", to_word(verdict_of(std::span(&outcome, 1)))},
                            {"failed", outcome.failed.size()},
                            {"passed", outcome.passed},
                            {"undecided", outcome.undecided.size()},
                            {"undecided_cells", cells_json(outcome.undecided)}});
  }
  return json.dump(2, ' ', false, ordered_json::error_handler_t::replace) + '\n';
}

}  // namespace bench
