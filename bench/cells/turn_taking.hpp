// Lets the workers of one cell, one an allocator, do the same slices of work in turns, and reads their memory meanwhile.
//
// All of them are alive at once. Each does slice k before any does slice k + 1; the order within a round is drawn, and the next round has it
// the other way round, so that nobody is always first and pairs are equally far apart. A worker that is not at work waits in the kernel;
// one that has threads of which we know nothing is stopped (SIGSTOP), so that they do not work in another's turn.
#pragma once

#include <cstdint>
#include <random>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "bench/cells/launcher.hpp"
#include "bench/cells/slices.hpp"
#include "bench/measure/process_memory.hpp"
#include "bench/measure/usage.hpp"
#include "bench/protocol/turns.hpp"

namespace bench {

// What one worker showed, beside its result.
struct Track {
  SliceTimes seconds;                 // of each slice: wall time less the time in which its only thread waited for a CPU
  std::vector<Usage> usage;           // [k]: since the process's start, when slice k (from 1) was done; [0]: when it was built
  std::vector<double> byte_seconds;   // of each slice: resident bytes over time
  std::vector<double> sampled_s;      // of each slice: the time that this covers
  std::uint64_t start_rss_bytes = 0;  // when it was built
  std::uint64_t peak_rss_bytes = 0;   // until the last slice's end
  MappingTotals totals;               // at the last slice's end
  std::vector<std::pair<double, std::uint64_t>> idle;  // seconds after the work's end without any call, resident bytes

  // Over the slices from `first` on; 0 without a reading.
  [[nodiscard]] double mean_rss_bytes(std::size_t first) const;
  [[nodiscard]] SliceCosts costs() const;
};

struct TurnResult {
  Attempt attempt;
  Track track;  // whole if attempt.status is kOk
};

struct TurnOptions {
  worker::Cut cut;
  int threads = 1;
  double timeout_s = 60;       // of a worker's own turns, one with the others
  std::vector<double> idle_s;  // when memory is read after the work, ascending
  std::uint64_t order_seed = 1;
};

// `request` is the same for all but what the launcher fills in. One result for each allocator, in their order.
std::vector<TurnResult> take_turns(Launcher& launcher, const worker::Request& request,
                                   std::span<const allocators::Candidate* const> allocators, const TurnOptions& options);

}  // namespace bench
