// What this process has resident, for tests that watch memory come and go.
#pragma once

#include <cstddef>
#include <fstream>
#include <string>

// A line of this process's smaps_rollup, "Rss:" for instance. Exact, unlike statm, whose counters some kernels bring together only now and then.
inline std::size_t rollup_bytes(const char* field) {
  std::ifstream rollup("/proc/self/smaps_rollup");
  std::string word;
  std::size_t kib = 0;
  while (rollup >> word && word != field) continue;
  rollup >> kib;
  return kib << 10;
}

inline std::size_t resident_bytes() { return rollup_bytes("Rss:"); }
