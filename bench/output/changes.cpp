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

// Of anything in a cell under an allocator.
std::string cell_text(const auto& row) {
  return fmt::format("{}{}, {}", row.workload, row.threads > 1 ? fmt::format(", {} threads", row.threads) : "", row.allocator);
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

bool is_count(const Change& change) { return needs_no_quiet_machine(change.metric, change.threads); }

// What is shown of one tier under its heading; empty if nothing of it was measured.
std::string tier_text(std::span<const Change> changes, bool counts, std::string_view heading) {
  if (std::ranges::none_of(changes, [&](const Change& change) { return is_count(change) == counts && has_direction(change); })) {
    return {};
  }
  std::vector<const Change*> found = shown(changes);
  std::erase_if(found, [&](const Change* change) { return is_count(*change) != counts; });
  return wrapped(heading, 0, kWidth) + (found.empty() ? "  No change is shown.\n" : changes_by_kind(found)) + '\n';
}

std::string tiers_text(std::span<const Change> changes) {
  return tier_text(changes, true, "COUNTS, which need no quiet machine: instructions; on one thread page faults, purge calls, peak RSS") +
         tier_text(changes, false, "TIMES, and what moves with them: for these both runs want a quiet machine");
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

std::string list_of(const auto& rows) {
  std::string text;
  for (const auto* row : rows) {
    text += (text.empty() ? "" : "; ") + cell_text(*row);
  }
  return text;
}

std::string listed(std::string_view heading, const std::string& list) {
  return list.empty() ? "" : wrapped(fmt::format("{}: {}", heading, list), 0, kWidth);
}

std::string fates_text(const Comparison& comparison, Fate fate) {
  std::string text;
  for (const CellFate& each : comparison.fates) {
    if (each.fate == fate) {
      text += (text.empty() ? "" : "; ") + cell_text(each) + (each.how.empty() ? "" : ": " + each.how);
    }
  }
  return text;
}

// Cells and allocators that have no change, and why.
std::string lost_text(const Comparison& comparison) {
  return listed("Failed after, and passed before", fates_text(comparison, Fate::kBroke)) +
         listed("Failed before, and passed after", fates_text(comparison, Fate::kMended)) +
         listed("Failed in both", fates_text(comparison, Fate::kFailedInBoth)) +
         listed("Not measured after", fates_text(comparison, Fate::kOnlyBefore)) +
         listed("Not measured before", fates_text(comparison, Fate::kOnlyAfter)) +
         listed("Allocators not measured after", fmt::format("{}", fmt::join(comparison.allocators_only_before, ", "))) +
         listed("Allocators not measured before", fmt::format("{}", fmt::join(comparison.allocators_only_after, ", ")));
}

bool has_fate(const Comparison& comparison, Fate fate) { return std::ranges::find(comparison.fates, fate, &CellFate::fate) != comparison.fates.end(); }

// A side that lacks cells hides what they would have shown. An allocator that only the later run has was not asked about.
bool lacks_cells(const Comparison& comparison) {
  return has_fate(comparison, Fate::kOnlyBefore) || has_fate(comparison, Fate::kOnlyAfter) || !comparison.allocators_only_before.empty();
}

// What to do where no cell has the metric.
std::string how_to_get(const std::string& metric) {
  if (metric == "instructions" || metric == "cycles") {
    return fmt::format("measure both with --counter={}", metric);
  }
  const std::string_view unit = metric_named(metric).unit;
  return unit == "ns" && metric != "request" ? "measure both with --measure=latency" : "measure both with a suite or workload that has it";
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

bool has_no_cell(const GateOutcome& outcome) {
  return outcome.passed == 0 && outcome.failed.empty() && outcome.undecided.empty() && outcome.incomparable.empty();
}

std::string outcome_text(const GateOutcome& outcome, std::span<const Change> changes) {
  const GateVerdict verdict = verdict_of(outcome);
  if (has_no_cell(outcome)) {
    return wrapped(fmt::format("gate {}: {}: no cell that passed in both has a figure of it above 0; {}", rule_text(outcome.rule), to_word(verdict),
                               how_to_get(outcome.rule.metric)), 0, kWidth);
  }
  std::string text = fmt::format("gate {}: {}: worse by more in {}, not in {}, not decided in {}\n", rule_text(outcome.rule), to_word(verdict),
                                 outcome.failed.size(), outcome.passed, outcome.undecided.size());
  for (const Change* change : outcome.failed) {
    text += wrapped(fmt::format("{}: {}{}", cell_text(*change), percent(change->ratio), interval_text(*change)), 2, kWidth);
  }
  if (!outcome.undecided.empty()) {
    text += wrapped("not decided: " + list_of(outcome.undecided), 2, kWidth);
  }
  if (!outcome.incomparable.empty()) {
    text += wrapped("not comparable, as a side has no figure or one of 0: " + list_of(outcome.incomparable), 2, kWidth);
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
  row["tier"] = is_count(change) ? "counts" : "times";
  return row;
}

ordered_json cells_json(const auto& rows) {
  ordered_json cells = ordered_json::array();
  for (const auto* row : rows) {
    cells.push_back({{"workload", row->workload}, {"threads", row->threads}, {"allocator", row->allocator}});
  }
  return cells;
}

ordered_json fates_json(const std::vector<CellFate>& fates) {
  ordered_json rows = ordered_json::array();
  for (const CellFate& each : fates) {
    rows.push_back({{"workload", each.workload}, {"threads", each.threads}, {"allocator", each.allocator}, {"fate", to_string(each.fate)}, {"how", each.how}});
  }
  return rows;
}

ordered_json outcome_json(const GateOutcome& outcome) {
  return {{"metric", outcome.rule.metric},
          {"most_worse", outcome.rule.most_worse},
          {"verdict", to_word(verdict_of(outcome))},
          {"failed", outcome.failed.size()},
          {"passed", outcome.passed},
          {"undecided", outcome.undecided.size()},
          {"undecided_cells", cells_json(outcome.undecided)},
          {"incomparable_cells", cells_json(outcome.incomparable)}};
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
    GateOutcome outcome{rule, {}, {}, {}, 0};
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
    for (const Incomparable& each : comparison.incomparable) {
      if (each.metric == rule.metric) {
        outcome.incomparable.push_back(&each);
      }
    }
    all.push_back(std::move(outcome));
  }
  std::ranges::stable_partition(all, [](const GateOutcome& outcome) { return needs_no_quiet_machine(outcome.rule.metric, 1); });
  return all;
}

GateVerdict verdict_of(const GateOutcome& outcome) {
  if (!outcome.failed.empty()) {
    return GateVerdict::kFailed;
  }
  const bool open = outcome.passed == 0 || !outcome.undecided.empty() || !outcome.incomparable.empty();
  return open ? GateVerdict::kUndecided : GateVerdict::kPassed;
}

GateVerdict verdict_of(const Comparison& comparison) {
  const auto all = outcomes(comparison);
  const auto any = [&](GateVerdict verdict) {
    return std::ranges::any_of(all, [&](const GateOutcome& outcome) { return verdict_of(outcome) == verdict; });
  };
  if (any(GateVerdict::kFailed) || has_fate(comparison, Fate::kBroke)) {
    return GateVerdict::kFailed;
  }
  return any(GateVerdict::kUndecided) || lacks_cells(comparison) ? GateVerdict::kUndecided : GateVerdict::kPassed;
}

namespace {

// What decides beside the rules.
std::string gate_cells_text(const Comparison& comparison) {
  const auto broken = std::ranges::count(comparison.fates, Fate::kBroke, &CellFate::fate);
  std::string text;
  if (broken > 0) {
    text += fmt::format("gate: FAILED: {} cell{} failed after and passed before\n", broken, broken == 1 ? "" : "s");
  }
  if (lacks_cells(comparison)) {
    text += wrapped("gate: not decided: a side lacks cells that the other has (above); compare runs of the same suite, filters and allocators", 0, kWidth);
  }
  return text.empty() ? "" : '\n' + text;
}

}  // namespace

std::string render_changes_text(const Comparison& comparison) {
  std::string text = wrapped(fmt::format("before: {}", comparison.before), 0, kWidth) + wrapped(fmt::format("after:  {}", comparison.after), 0, kWidth);
  text += wrapped(comparison.basis, 0, kWidth) + '\n';
  text += tiers_text(comparison.changes);
  text += wrapped(fmt::format("{} of {} changes are shown (for each metric, the chance of any wrong claim is at most 5 %).",
                              shown(comparison.changes).size(), std::ranges::count_if(comparison.changes, has_direction)), 0, kWidth);
  if (!comparison.controls.empty()) {
    text += wrapped(fmt::format("Libraries that are the same file in both: {} of {} changes shown; more than a few speak of the host, not of them.",
                                shown(comparison.controls).size(), std::ranges::count_if(comparison.controls, has_direction)), 0, kWidth);
  }
  text += lost_text(comparison);
  if (comparison.gate.empty()) {
    return text;
  }
  for (const GateOutcome& outcome : outcomes(comparison)) {
    text += '\n' + outcome_text(outcome, comparison.changes);
  }
  return text + gate_cells_text(comparison);
}

std::string render_changes_json(const Comparison& comparison) {
  ordered_json json = {{"before", comparison.before},
                       {"after", comparison.after},
                       {"basis", comparison.basis},
                       {"changes", changes_json(comparison.changes)},
                       {"controls", changes_json(comparison.controls)},
                       {"fates", fates_json(comparison.fates)},
                       {"allocators_only_before", comparison.allocators_only_before},
                       {"allocators_only_after", comparison.allocators_only_after},
                       {"gate", ordered_json::array()},
                       {"verdict", comparison.gate.empty() ? ordered_json(nullptr) : ordered_json(to_word(verdict_of(comparison)))}};
  for (const GateOutcome& outcome : outcomes(comparison)) {
    json["gate"].push_back(outcome_json(outcome));
  }
  return json.dump(2, ' ', false, ordered_json::error_handler_t::replace) + '\n';
}

}  // namespace bench
