// What the environment asks for: OSMEM_* variables, read once when the heap starts. A value that is not understood gives one
// warning line on stderr, and the default stays. In a program that runs with raised privileges (set-user-ID) none is read.
#pragma once

#include <cstddef>
#include <cstdint>

#include "allocator/osmem/base/tuning.hpp"
#include "allocator/osmem/slabs/region.hpp"

namespace osmem {

enum class StatsAtExit { kNo, kText, kJson };

struct Options {
  HeapBackEnd heap = HeapBackEnd::kRegion;      // OSMEM_HEAP=region|sbrk
  std::size_t mmap_threshold_bytes = 0;         // OSMEM_MMAP_THRESHOLD=BYTES; 0: adaptive
  std::size_t memory_per_cpu = kBalancedMemoryPerCpu;  // OSMEM_PROFILE=lean|balanced|fast, OSMEM_MEMORY_PER_CPU=BYTES: the price
  std::size_t rss_limit_bytes = SIZE_MAX;       // OSMEM_RSS_LIMIT=BYTES, or the cgroup's where that is less
  bool background = true;                       // OSMEM_BACKGROUND=0|1: a thread may give memory back while nobody calls
  bool huge_pages = true;                       // OSMEM_HUGE_PAGES=0|1: memory that will be written whole may get huge pages
  StatsAtExit stats = StatsAtExit::kNo;         // OSMEM_STATS=1|json
  bool leaks = false;                           // OSMEM_LEAKS=1
  bool verbose = false;                         // OSMEM_VERBOSE=1: says at start what is in force
};

extern constinit Options g_options;

// Reads the environment into g_options; called once, while the heap starts.
void read_options();

// The value of an environment variable; null if unset.
const char* value_of(const char* name);

}  // namespace osmem
