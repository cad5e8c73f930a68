// What the environment asks for: OSMEM_* variables, read once when the heap starts. A value that is not understood gives one
// warning line on stderr, and the default stays. In a program that runs with raised privileges (set-user-ID) none is read.
#pragma once

#include <cstddef>

#include "allocator/osmem/pages/footprint.hpp"
#include "allocator/osmem/slabs/region.hpp"

namespace osmem {

enum class StatsAtExit { kNo, kText, kJson };

struct Options {
  HeapBackEnd heap = HeapBackEnd::kRegion;      // OSMEM_HEAP=region|sbrk
  std::size_t mmap_threshold_bytes = 0;         // OSMEM_MMAP_THRESHOLD=BYTES; 0: adaptive
  std::size_t purge_delay_ms = 250;             // OSMEM_PURGE_DELAY=MS; 0: at once
  std::size_t slack_percent = kDefaultSlackPercent;  // OSMEM_SLACK=PERCENT, where it starts; see footprint.hpp
  StatsAtExit stats = StatsAtExit::kNo;         // OSMEM_STATS=1|json
  bool leaks = false;                           // OSMEM_LEAKS=1
  bool verbose = false;                         // OSMEM_VERBOSE=1: says at start what is in force
};

extern constinit Options g_options;

// Reads the environment into g_options; called once, while the heap starts.
void read_options();

}  // namespace osmem
