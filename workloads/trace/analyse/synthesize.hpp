// A trace of any length that is like a given one.
//
// The model is what the given trace shows: pairs of size and lifetime (in calls) as they occurred
// together, the shares of kinds of allocation and of frees, alignments, the share of reallocs and
// their growth, each thread's share of allocations, and the share of frees on another thread.
// Objects are drawn from these pairs, so any link between size and lifetime is kept, and in the
// order of their births to within a hundredth of the program, so its phases are, too; a longer
// trace goes through them again. What is lost is the order of the calls within a phase: which
// object follows which. Objects that were never freed keep their share: a longer trace has more of
// them. In a much shorter one the long lifetimes do not fit.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>

#include "workloads/trace/format/format.hpp"

namespace trace {

struct SynthesizeOptions {
  std::uint64_t events = 0;  // 0: as many as the given trace has
  std::uint64_t seed = 1;
};

// How far the new trace is from the given one. 0 is equal, 1 is nothing in common.
struct Distance {
  double sizes = 0;  // Kolmogorov-Smirnov: largest gap of the distributions of sizes (log2 buckets)
  double lifetimes = 0;  // the same of lifetimes of freed objects
  double joint = 0;      // total variation between the size x lifetime tables
};

struct Synthesis {
  Totals given, made;
  Distance distance;
};

// Memory: up to 2^18 sampled objects, and the live objects. Throws TraceError.
Synthesis synthesize(const std::filesystem::path& given, const std::filesystem::path& out,
                     const SynthesizeOptions& options);

std::string describe(const Synthesis& synthesis, const std::filesystem::path& out);

}  // namespace trace
