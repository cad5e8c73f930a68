// Makes traces of what the recorder left behind: merges the threads of each process by their clock
// and turns addresses into slots. Memory: one entry a live object; the logs are mapped, not read
// in.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "workloads/trace/format/format.hpp"

namespace trace {

// The log of one process, or of one program image in it.
struct RawLog {
  std::filesystem::path path;
  std::uint32_t number = 0;  // in order of start
  std::uint32_t pid = 0;
  std::uint32_t parent_pid = 0;
  std::string program;  // its name
  std::uint64_t calls = 0;
};

// All logs in the directory of a recording, the one with the most calls first. Throws TraceError.
std::vector<RawLog> find_raw_logs(const std::filesystem::path& directory);

struct ConvertOptions {
  std::string info;  // further "key=value" lines for the trace
  std::uint64_t created_s = 0;
  std::uint64_t max_bytes = ~0ull;  // of the trace
  int level = 12;                   // of zstd
};

struct Converted {
  Totals totals;
  std::uint64_t unknown =
      0;  // frees and reallocs of addresses whose allocation was not recorded; left out
  std::uint64_t missed =
      0;  // objects whose free was not recorded, seen when their address came again
  std::uint64_t failed = 0;  // reallocs that failed; left out
  bool full = false;         // max_bytes was reached
};

Converted convert_raw_log(const RawLog& log, const std::filesystem::path& out,
                          const ConvertOptions& options);

}  // namespace trace
