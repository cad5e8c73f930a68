// bench compare: what changed between two runs, or between two libraries that it runs itself; a gate over it for CI.
#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <memory>
#include <set>
#include <tuple>

#include "bench/allocators/nearest.hpp"
#include "bench/cli/measure_words.hpp"
#include "bench/model/metric.hpp"
#include "bench/output/changes.hpp"
#include "bench/output/read_run.hpp"
#include "bench/output/run_directory.hpp"
#include "bench/plan/suite.hpp"

namespace bench::cli {
namespace {

struct CompareWords {
  std::vector<std::string> folders;
  std::string gate;
  std::string format = "text";
};

GateRule read_rule(const std::string& text) {
  const auto colon = text.rfind(':');
  GateRule rule{text.substr(0, colon), 0};
  std::vector<std::string> known;
  for (const Metric& metric : metrics()) {
    if (metric.direction != Direction::kNeither) {
      known.emplace_back(metric.name);
    }
  }
  if (metric_named(rule.metric).direction == Direction::kNeither) {
    throw UsageError("--gate: " + allocators::unknown_name_message("metric", rule.metric, known));
  }
  std::string share = colon == std::string::npos ? "" : text.substr(colon + 1);
  const bool has_sign = share.ends_with('%');
  share = has_sign ? share.substr(0, share.size() - 1) : share;
  double value = 0;
  const auto [end, error] = std::from_chars(share.data(), share.data() + share.size(), value);
  if (!has_sign || error != std::errc() || end != share.data() + share.size() || !(value >= 0) || value > 1000) {
    throw UsageError("--gate: '" + text + "' is not METRIC:PERCENT, such as throughput:2%");
  }
  rule.most_worse = value / 100;
  return rule;
}

std::vector<GateRule> read_gate(const std::string& text) {
  std::vector<GateRule> rules;
  for (const std::string& rule : text.empty() ? std::vector<std::string>() : split_list(text)) {
    rules.push_back(read_rule(rule));
  }
  return rules;
}

// Empty if the run does not know it.
std::string digest_of(const StoredRun& run, const std::string& allocator) {
  for (const auto& row : run.facts.environment.value("allocators", nlohmann::json::array())) {
    if (row.value("name", "") == allocator && row.contains("sha256") && row["sha256"].is_string()) {
      return row["sha256"].get<std::string>();
    }
  }
  return {};
}

bool same_library(const StoredRun& before, const StoredRun& after, const std::string& allocator) {
  const std::string digest = digest_of(before, allocator);
  return !digest.empty() && digest == digest_of(after, allocator);
}

std::string host_of(const StoredRun& run) {
  const auto& environment = run.facts.environment;
  const auto cpu = environment.value("cpu", nlohmann::json::object());
  return fmt::format("{}, {} CPUs, {}", cpu.value("model", "unknown CPU"), cpu.value("count", 0), environment.value("kernel", "unknown kernel"));
}

Basis basis_of(const StoredRun& before, const StoredRun& after) {
  if (before.facts.baseline == after.facts.baseline && same_library(before, after, after.facts.baseline) && after.facts.allocators.size() > 1) {
    return Basis::kRatios;
  }
  if (host_of(before) != host_of(after)) {
    throw UsageError(fmt::format("the runs have no baseline in common and come from unlike hosts ({}; {}): run one of them again on the other's host",
                                 host_of(before), host_of(after)));
  }
  return Basis::kFigures;
}

using CellKey = std::pair<std::string, int>;

std::set<CellKey> cells_of(const StoredRun& run) {
  std::set<CellKey> cells;
  for (const Sample& sample : run.samples) {
    cells.emplace(sample.workload, sample.threads);
  }
  return cells;
}

void check_common_cell(const StoredRun& before, const StoredRun& after) {
  const auto first = cells_of(before);
  if (std::ranges::none_of(cells_of(after), [&](const CellKey& cell) { return first.contains(cell); })) {
    throw UsageError(fmt::format("{} and {} have no cell in common: compare runs of the same suite", before.folder.string(), after.folder.string()));
  }
}

// Those measured that are no references in either run.
std::set<std::string> measured_candidates(const StoredRun& run, const StoredRun& other) {
  std::set<std::string> names;
  for (const Sample& sample : run.samples) {
    names.insert(sample.allocator);
  }
  for (const auto* references : {&run.facts.references, &other.facts.references}) {
    for (const std::string& name : *references) {
      names.erase(name);
    }
  }
  return names;
}

std::string basis_text(Basis basis, const StoredRun& before, const StoredRun& after) {
  if (basis == Basis::kFigures) {
    return "The figures themselves are compared: there is no baseline that is the same file in both.";
  }
  std::string text = fmt::format("Ratios to {}, the same file in both, are compared; the runs' blocks are no pairs.", after.facts.baseline);
  if (host_of(before) != host_of(after)) {
    text += fmt::format(" The hosts differ ({}; {}): ratios of work with many page faults do not travel.", host_of(before), host_of(after));
  }
  return text;
}

// Work of another length faults, ages and gives back otherwise.
void check_same_work(const StoredRun& before, const StoredRun& after) {
  if (before.facts.min_time_s != after.facts.min_time_s) {
    throw UsageError(fmt::format("the runs did work of unlike length ({} s and {} s a cell): run both with the same --suite and --min-time",
                                 before.facts.min_time_s, after.facts.min_time_s));
  }
}

// A cell that did not pass in both has no figures to miss.
void drop_told(Comparison& comparison) {
  std::set<std::tuple<std::string, int, std::string>> told;
  for (const CellFate& fate : comparison.fates) {
    told.emplace(fate.workload, fate.threads, fate.allocator);
  }
  std::erase_if(comparison.incomparable, [&](const Incomparable& row) { return told.contains({row.workload, row.threads, row.allocator}); });
}

// Whether a library other than in the earlier run was measured in both.
bool has_changed_library(const StoredRun& before, const StoredRun& after) {
  const auto first = measured_candidates(before, after);
  return std::ranges::any_of(measured_candidates(after, before),
                             [&](const std::string& name) { return first.contains(name) && !same_library(before, after, name); });
}

// What became of cells and allocators of which there is no change to tell.
void add_losses(const StoredRun& before, const StoredRun& after, Basis basis, Comparison& comparison) {
  const auto first = measured_candidates(before, after);
  const auto second = measured_candidates(after, before);
  std::ranges::set_difference(first, second, std::back_inserter(comparison.allocators_only_before));
  std::ranges::set_difference(second, first, std::back_inserter(comparison.allocators_only_after));
  for (const std::string& name : first) {
    if (second.contains(name)) {
      std::ranges::move(fates_between({before.samples, name}, {after.samples, name}), std::back_inserter(comparison.fates));
    }
  }
  comparison.incomparable = incomparable_between(before.samples, after.samples, after.facts.baseline, basis);
  const bool any_changed = has_changed_library(before, after);
  std::erase_if(comparison.incomparable, [&](const Incomparable& row) {
    const bool is_control = any_changed && same_library(before, after, row.allocator);
    return is_control || !first.contains(row.allocator) || !second.contains(row.allocator);
  });
  drop_told(comparison);
}

Comparison compare_runs(const StoredRun& before, const StoredRun& after) {
  check_same_work(before, after);
  Comparison comparison;
  comparison.before = before.folder.string();
  comparison.after = after.folder.string();
  check_common_cell(before, after);
  const Basis basis = basis_of(before, after);
  comparison.basis = basis_text(basis, before, after);
  add_losses(before, after, basis, comparison);
  for (Change& change : changes_between(before.samples, after.samples, after.facts.baseline, basis)) {
    const bool is_reference = std::ranges::find(after.facts.references, change.allocator) != after.facts.references.end();
    auto& list = is_reference || same_library(before, after, change.allocator) ? comparison.controls : comparison.changes;
    list.push_back(std::move(change));
  }
  if (comparison.changes.empty() && comparison.controls.empty() && comparison.fates.empty() && comparison.incomparable.empty()) {
    throw UsageError(fmt::format("{} and {} have no figure in common: compare runs of the same allocators", before.folder.string(), after.folder.string()));
  }
  if (!has_changed_library(before, after)) {  // the same libraries in both: what changed is around them
    comparison.changes = std::move(comparison.controls);
    comparison.controls.clear();
  }
  return comparison;
}

int conclude_comparison(const Comparison& comparison, const std::string& format) {
  write_stdout(format == "json" ? render_changes_json(comparison) : render_changes_text(comparison));
  if (comparison.gate.empty()) {
    return kAllMeasured;
  }
  switch (verdict_of(comparison)) {
    case GateVerdict::kFailed:
      return kGateFailed;
    case GateVerdict::kUndecided:
      return kSomeFailed;
    default:
      return kAllMeasured;
  }
}

// The one allocator's name that such an option gives: "name=path,...", or a name.
std::string only_name(const std::vector<std::string>& words, const std::string& option) {
  for (const std::string& word : words) {
    if (word.starts_with(option + "=")) {
      const std::string value = word.substr(option.size() + 1);
      const std::string name = value.substr(0, value.find_first_of("=,"));
      if (name.find('/') != std::string::npos) {
        throw UsageError("give the library a name: " + option + "=NAME=" + value);
      }
      return name;
    }
  }
  throw UsageError("give two directories of runs, or two libraries: bench compare --allocator=old=./a.so --against=new=./b.so");
}

// Measures the second library against the first; `typed` are the words for `bench run`.
int measure_and_compare(const CompareWords& words, std::vector<std::string> typed, Invocation invocation) {
  const std::string before = only_name(typed, "--allocator");
  const std::string after = only_name(typed, "--against");
  std::string format;
  RunOptions options = run_options(typed, invocation, format);
  options.baseline = before;
  const RunResult result = run(options);
  const int status = conclude_without_report(result);
  if (result.interrupted || !result.stopped_by.empty()) {
    return status;
  }
  Comparison comparison;
  comparison.before = before;
  comparison.after = after;
  comparison.basis = "Both were measured side by side; blocks are pairs.";
  comparison.changes = changes_within(result.report.samples, before, after);
  comparison.fates = fates_between({result.report.samples, before}, {result.report.samples, after});
  comparison.incomparable = incomparable_within(result.report.samples, before, after);
  drop_told(comparison);
  comparison.gate = read_gate(words.gate);
  const int judged = conclude_comparison(comparison, words.format);
  return comparison.gate.empty() ? status : judged;  // a gate says itself what failures mean
}

int compare(const CompareWords& words, const std::vector<std::string>& typed, const Invocation& invocation) {
  const auto gate = read_gate(words.gate);
  if (words.folders.empty()) {
    return measure_and_compare(words, typed, invocation);
  }
  if (words.folders.size() != 2 || !typed.empty()) {
    throw UsageError(typed.empty() ? "give two directories of runs: bench compare BEFORE AFTER"
                                   : "with directories of runs there is nothing to measure: " + typed[0] + " has no use here");
  }
  const StoredRun before = read_run(words.folders[0]);  // first, so that of two wrong folders the first is named
  const StoredRun after = read_run(words.folders[1]);
  Comparison comparison = compare_runs(before, after);
  comparison.gate = gate;
  return conclude_comparison(comparison, words.format);
}

}  // namespace

void add_compare(CLI::App& app, Context& context) {
  auto words = std::make_shared<CompareWords>();
  CLI::App* command = app.add_subcommand("compare", "Tell what changed between two runs, or two libraries; fail where it got worse");
  command->add_option("runs", words->folders, "directories of two runs: before, after")->type_name("DIR");
  command->add_option("--gate", words->gate, "exit 1 where a metric is shown to be worse by more: throughput:2%,mean_rss:3%")
      ->take_last()->type_name("METRIC:PERCENT[,..]");
  command->add_option("--format", words->format, "text or json")->take_last()->check(CLI::IsMember({"text", "json"}));
  command->allow_extras();
  command->footer("Without directories: --allocator=old=./a.so --against=new=./b.so and the options of bench run, which measures both.\n"
                  "Exit: 0 the gate passed, or there is none; 1 it failed, or a cell failed after that passed before; 2 usage;\n"
                  "3 it could not be judged in every cell, or a side lacks cells.");
  command->callback([words, command, &context] {
    context.action = [words, typed = command->remaining(), &context] { return compare(*words, typed, context.invocation); };
  });
}

}  // namespace bench::cli
