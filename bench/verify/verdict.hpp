// What a scenario's process has shown: from how it ended and what it said to a verdict. Pure functions.
#pragma once

#include <string>
#include <string_view>

#include "bench/process/process.hpp"

namespace bench::verify {

// As scenarios/scenario.h numbers them.
enum class Kind { kMustHold, kMustCatchCall, kMustCatch, kChance, kChanceHolds };

enum class Verdict {
  kPass,           // what is to hold holds
  kAtCall,         // the misuse was caught at the call
  kLate,           // it was caught at the block's free, when the heap was used again, or at exit
  kFailed,         // what is to hold does not
  kMissed,         // nobody noticed, and nothing was seen to break
  kCorrupt,        // nobody noticed, and the heap gave wrong memory
  kCrash,          // the process ended without a word, or otherwise than by a report: no detection
  kHang,           // it did not end in time
  kNotApplicable,  // the allocator does not offer what is looked at
  kNotJudged,      // this machine does not let us see
};

struct Observation {
  Verdict verdict = Verdict::kNotJudged;
  std::string when;     // of kLate: "at its free", "at reuse", "at exit"
  int signal = 0;       // that ended the process; 0: none
  std::string message;  // the allocator's, or why
  std::string option{};  // "NAME=VALUE", without which it was not so; empty: as the allocator comes
};

// "at the call", "MISSED", ...: as tables show it, at most 7 columns.
std::string_view short_name(Verdict verdict);
// For people who read one cell.
std::string_view long_name(Verdict verdict);
// For CSV and JSON.
std::string_view key(Verdict verdict);

// Whether a scenario of that kind is passed. Not applicable and not judged count as neither: see is_judged().
bool is_passed(Kind kind, Verdict verdict);
bool is_judged(Verdict verdict);

// The worse of the two, as a reader would have it: corruption before a hang before a crash ...
bool is_worse(Verdict a, Verdict b);

// `said` is what the scenario wrote on stdout, `message` what anybody wrote on stderr.
Observation judge(Kind kind, const Finished& finished, std::string_view said, std::string_view message);

}  // namespace bench::verify
