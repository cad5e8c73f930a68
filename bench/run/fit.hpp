// Whether what is to run fits this machine, before it starts.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace bench {

// What one cell that lasts takes of the machine, under one allocator at a time.
struct Need {
  std::string cell;         // as reports name it
  std::string workload;
  std::uint64_t live_bytes = 0;
  double seconds = 0;       // of one run
};

// Memory that can be had without swapping, in bytes; 0 if the kernel does not say.
std::uint64_t available_memory_bytes();

// Throws UsageError if a cell needs more memory than `available_bytes` (0: not known), with what would fit; or if one block of all cells
// under so many allocators takes longer than `budget_s`.
void check_fit(const std::vector<Need>& needs, std::uint64_t available_bytes, std::size_t allocators, std::optional<double> budget_s);

// Seconds of one block of all.
double block_seconds(const std::vector<Need>& needs, std::size_t allocators);

}  // namespace bench
