// What this process has resident, for tests that watch memory come and go.
#pragma once

#include <cstddef>
#include <fstream>
#include <string>

// Exact, unlike statm, whose counters some kernels bring together only now and then.
inline std::size_t resident_bytes() {
  std::ifstream rollup("/proc/self/smaps_rollup");
  std::string word;
  std::size_t kib = 0;
  while (rollup >> word && word != "Rss:") continue;
  rollup >> kib;
  return kib << 10;
}
