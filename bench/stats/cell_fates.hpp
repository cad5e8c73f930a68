// What became of cells between two sides of a comparison where there is no change to tell: they failed, or one side lacks them. Pure
// functions; any thread.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "bench/model/sample.hpp"

namespace bench {

enum class Fate {
  kBroke,         // passed before, failed after; or failed now and then before, in most blocks after
  kMended,        // failed before, passed after
  kFailedInBoth,
  kOnlyBefore,    // not measured after
  kOnlyAfter,     // not measured before
};

// "broke", "mended", "failed in both", "only before", "only after"
std::string_view to_string(Fate fate);

struct CellFate {
  std::string workload;
  int threads = 1;
  std::string allocator;  // after's name for it
  Fate fate = Fate::kBroke;
  std::string how;  // of the failure (after's, where both failed): "CRASHED: signal 11"; empty where a side lacks the cell
};

// The samples of one allocator of a run.
struct Side {
  std::span<const Sample> samples;
  std::string_view allocator;
};

// Of every cell that at least one side has and that did not pass in both, by name and threads. A cell failed in a block if any of its rows did; one
// that was not run counts as lacking. O(samples * log cells).
std::vector<CellFate> fates_between(const Side& before, const Side& after);

}  // namespace bench
