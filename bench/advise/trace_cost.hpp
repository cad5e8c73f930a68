// What the recorded calls of a program cost under each allocator, by replaying them in processes of their own (trace_cost_main.cpp).
#pragma once

#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <vector>

#include "bench/allocators/allocator.hpp"
#include "bench/cells/launcher.hpp"

namespace bench {

struct TraceCost {
  std::string allocator;
  std::uint64_t calls = 0;
  double cpu_s = 0;                  // of the calls, and of a first write to each page that they hand out
  std::uint64_t peak_rss_bytes = 0;  // above what the process had before the first call
  std::uint64_t live_bytes = 0;      // when most bytes were: asked for and not yet freed
  std::uint64_t usable_bytes = 0;    // those objects with their sizes rounded up as the allocator does
  std::string failure{};               // why there are no figures, in one line
};

// The calls of all `traces` together; memory is that of the trace with most live bytes. Each is replayed three times under each allocator, in turn;
// the medians count. In order of `allocators`. One that was interrupted has no calls and no failure.
std::vector<TraceCost> costs_of(std::span<const std::filesystem::path> traces, std::span<const allocators::Candidate> allocators, Launcher& launcher);

}  // namespace bench
