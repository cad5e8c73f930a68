#include "bench/verify/verdict.hpp"

#include <array>
#include <cstring>

namespace bench::verify {
namespace {

// Exit codes of scenarios/scenario.h.
constexpr int kFailedExit = 40;
constexpr int kNotApplicableExit = 41;
constexpr int kCannotJudgeExit = 42;

struct Names {
  std::string_view short_name, long_name, key;
};
constexpr std::array<Names, 10> kNames = {{{"pass", "pass", "pass"},
                                           {"call", "caught at the call", "at_call"},
                                           {"late", "caught late", "late"},
                                           {"FAILED", "failed", "failed"},
                                           {"missed", "missed", "missed"},
                                           {"CORRUPT", "silent corruption", "corruption"},
                                           {"crash", "crash without a word", "crash"},
                                           {"HANG", "hang", "hang"},
                                           {"n/a", "not applicable", "not_applicable"},
                                           {"?", "not judged", "not_judged"}}};

// Best first.
constexpr std::array<Verdict, 10> kByBadness = {Verdict::kNotApplicable, Verdict::kPass,  Verdict::kAtCall, Verdict::kLate,
                                                Verdict::kNotJudged,     Verdict::kMissed, Verdict::kFailed, Verdict::kCrash,
                                                Verdict::kHang,          Verdict::kCorrupt};

std::size_t badness(Verdict verdict) {
  std::size_t place = 0;
  while (kByBadness[place] != verdict) {
    ++place;
  }
  return place;
}

bool has_mark(std::string_view said, std::string_view mark) { return said.find(mark) != std::string_view::npos; }

// The rest of the line that starts with the mark.
std::string after_mark(std::string_view said, std::string_view mark) {
  const auto place = said.find(mark);
  if (place == std::string_view::npos) {
    return {};
  }
  const auto rest = said.substr(place + mark.size());
  const auto text = rest.substr(0, rest.find('\n'));
  return std::string(text.substr(text.starts_with(' ') ? 1 : 0));
}

std::string first_line(std::string_view text) {
  while (!text.empty()) {
    const auto line = text.substr(0, text.find('\n'));
    if (line.find_first_not_of(" \t\r") != std::string_view::npos) {
      return std::string(line.substr(0, 200));
    }
    text.remove_prefix(std::min(text.size(), line.size() + 1));
  }
  return {};
}

bool is_report_signal(int signal) { return signal == SIGABRT || signal == SIGTRAP || signal == SIGILL; }

// A process that a signal has ended, in a scenario whose misuse is to be caught.
Observation caught_or_crashed(std::string_view said, int signal, const std::string& message) {
  Observation seen{Verdict::kCrash, "", signal, message.empty() ? "no message" : message};
  if (!has_mark(said, "@fault")) {
    seen.message = "before the misuse: " + seen.message;
    return seen;
  }
  if (message.empty() || !is_report_signal(signal)) {
    return seen;
  }
  seen.verdict = Verdict::kLate;
  if (has_mark(said, "@end") || has_mark(said, "@reused")) {
    seen.when = "at exit";
  } else if (has_mark(said, "@survived")) {
    seen.when = "at reuse";
  } else if (has_mark(said, "@written")) {
    seen.when = "at its free";
  } else {
    seen.verdict = Verdict::kAtCall;
  }
  return seen;
}

Observation of_ended_misuse(int code, std::string_view said, const std::string& message) {
  if (has_mark(said, "@corrupt")) {
    return {Verdict::kCorrupt, "", 0, after_mark(said, "@corrupt")};
  }
  if (code != 0) {
    return {Verdict::kCrash, "", 0, "exit code " + std::to_string(code) + (message.empty() ? "" : ": " + message)};
  }
  return {Verdict::kMissed, "", 0, message.empty() ? "" : "said, and went on: " + message};
}

Observation of_held(const Finished& finished, std::string_view said, const std::string& message) {
  if (finished.ending != Ending::kExited) {
    return {Verdict::kCrash, "", finished.code, message.empty() ? "no message" : message};
  }
  if (finished.code == 0 && has_mark(said, "@end")) {
    return {Verdict::kPass, "", 0, message};
  }
  if (finished.code == kFailedExit) {
    return {Verdict::kFailed, "", 0, after_mark(said, "@failed")};
  }
  return {Verdict::kCrash, "", 0, "exit code " + std::to_string(finished.code) + (message.empty() ? "" : ": " + message)};
}

}  // namespace

std::string_view short_name(Verdict verdict) { return kNames[static_cast<std::size_t>(verdict)].short_name; }
std::string_view long_name(Verdict verdict) { return kNames[static_cast<std::size_t>(verdict)].long_name; }
std::string_view key(Verdict verdict) { return kNames[static_cast<std::size_t>(verdict)].key; }

bool is_judged(Verdict verdict) { return verdict != Verdict::kNotApplicable && verdict != Verdict::kNotJudged; }

bool is_passed(Kind kind, Verdict verdict) {
  switch (kind) {
    case Kind::kMustHold:
    case Kind::kChanceHolds:
      return verdict == Verdict::kPass;
    case Kind::kMustCatchCall:
      return verdict == Verdict::kAtCall;
    case Kind::kMustCatch:
    case Kind::kChance:
      return verdict == Verdict::kAtCall || verdict == Verdict::kLate;
  }
  return false;
}

bool is_worse(Verdict a, Verdict b) { return badness(a) > badness(b); }

Observation judge(Kind kind, const Finished& finished, std::string_view said, std::string_view message_text) {
  const std::string message = first_line(message_text);
  switch (finished.ending) {
    case Ending::kTimeout:
      return {Verdict::kHang, "", 0, message};
    case Ending::kInterrupted:
      return {Verdict::kNotJudged, "", 0, "interrupted"};
    case Ending::kNotStarted:
      return {Verdict::kNotJudged, "", 0, std::string("could not be started: ") + std::strerror(finished.code)};
    case Ending::kOutOfMemory:
      return {Verdict::kCrash, "", SIGKILL, "killed by the kernel for want of memory"};
    case Ending::kExited:
      if (finished.code == kNotApplicableExit) {
        return {Verdict::kNotApplicable, "", 0, after_mark(said, "@not-applicable")};
      }
      if (finished.code == kCannotJudgeExit) {
        return {Verdict::kNotJudged, "", 0, after_mark(said, "@cannot-judge")};
      }
      break;
    case Ending::kLost:
      return {Verdict::kNotJudged, "", 0, "its end was not seen: somebody else waited for it"};
    case Ending::kKilled:
      break;
  }
  if (kind == Kind::kMustHold || kind == Kind::kChanceHolds) {
    return of_held(finished, said, message);
  }
  return finished.ending == Ending::kKilled ? caught_or_crashed(said, finished.code, message)
                                            : of_ended_misuse(finished.code, said, message);
}

}  // namespace bench::verify
