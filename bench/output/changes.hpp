// What changed between two runs, as text and as JSON, and what a gate says of it. Pure functions.
#pragma once

#include <nlohmann/json.hpp>
#include <span>
#include <string>
#include <vector>

#include "bench/stats/cell_fates.hpp"
#include "bench/stats/comparison.hpp"

namespace bench {

// A comparison with all that its readers are told.
struct Comparison {
  std::string before;  // what was compared: a directory, or an allocator
  std::string after;
  std::string basis;                // how, in a sentence
  std::vector<Change> changes;      // of what may have changed
  std::vector<Change> controls;     // of libraries that are the same file in both: what is shown here is not theirs
  std::vector<CellFate> fates;      // of cells that did not pass in both, under allocators that both have
  std::vector<Incomparable> incomparable;  // of cells that passed in both
  std::vector<std::string> allocators_only_before;  // candidates
  std::vector<std::string> allocators_only_after;
  std::vector<GateRule> gate;
};

struct GateOutcome {
  GateRule rule;
  std::vector<const Change*> failed;
  std::vector<const Change*> undecided;
  std::vector<const Incomparable*> incomparable;
  std::size_t passed = 0;
};

// One for each rule, those of metrics that need no quiet machine first; refers to the comparison.
std::vector<GateOutcome> outcomes(const Comparison& comparison);

// kFailed if the rule failed; kUndecided if it stays undecided or not comparable in any cell, or has no cell; else kPassed.
GateVerdict verdict_of(const GateOutcome& outcome);

// Of all rules and cells. kFailed if any rule failed, or a cell broke; else kUndecided if any rule is, or a side lacks a cell, or the one
// after an allocator; else kPassed.
GateVerdict verdict_of(const Comparison& comparison);

// At most 80 columns, but for long names.
std::string render_changes_text(const Comparison& comparison);
std::string render_changes_json(const Comparison& comparison);

}  // namespace bench
