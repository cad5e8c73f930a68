// What sort of work a cell is. Each kind has headline figures of its own: a mean over patterns, libraries and programs together would
// answer nobody's question.
#pragma once

#include <array>
#include <optional>
#include <string>
#include <string_view>

namespace bench {

enum class Kind {
  kPrograms,   // whole programs and servers
  kLibraries,  // real libraries at real work, in a worker
  kTraces,     // recorded programs, replayed
  kSynthetic,  // one pattern of allocation
  kOwn,        // modules of the user's
};

// In the order in which reports show them.
inline constexpr std::array kKinds{Kind::kPrograms, Kind::kLibraries, Kind::kTraces, Kind::kSynthetic, Kind::kOwn};

// "programs", "libraries", "traces", "synthetic", "own"
std::string_view to_string(Kind kind);

// The kind of such a word, or of one that the catalogue of workloads uses: "realistic", "server", "trace", "user".
std::optional<Kind> kind_named(std::string_view word);

// The family that a workload belongs to: its name without parameters. One workload at several sizes or thread counts is one family, and
// has one vote in a mean.
std::string_view family_of(std::string_view workload);

}  // namespace bench
