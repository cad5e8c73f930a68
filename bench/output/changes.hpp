// What changed between two runs, as text and as JSON, and what a gate says of it. Pure functions.
#pragma once

#include <nlohmann/json.hpp>
#include <span>
#include <string>
#include <vector>

#include "bench/stats/comparison.hpp"

namespace bench {

// A comparison with all that its readers are told.
struct Comparison {
  std::string before;  // what was compared: a directory, or an allocator
  std::string after;
  std::string basis;                // how, in a sentence
  std::vector<Change> changes;      // of what may have changed
  std::vector<Change> controls;     // of libraries that are the same file in both: what is shown here is not theirs
  std::vector<std::string> missing;  // cells that only one side has
  std::vector<GateRule> gate;
};

struct GateOutcome {
  GateRule rule;
  std::vector<const Change*> failed;
  std::vector<const Change*> undecided;
  std::size_t passed = 0;
};

// One for each rule; refers to the comparison.
std::vector<GateOutcome> outcomes(const Comparison& comparison);

// kFailed if any rule failed; kUndecided if a rule stays undecided in any cell, or has no cell; else kPassed.
GateVerdict verdict_of(std::span<const GateOutcome> outcomes);

// At most 80 columns, but for long names.
std::string render_changes_text(const Comparison& comparison);
std::string render_changes_json(const Comparison& comparison);

}  // namespace bench
