// One figure for time and memory together: cost = CPU seconds + bytes held x wall seconds / price, where the price is the bytes of memory
// that cost as much as one CPU. README.md says where typical prices come from.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "bench/model/sample.hpp"

namespace bench {

inline constexpr double kDefaultBytesPerCpu = 4.0 * (1ULL << 30U);

// A sample of metric "cost", in CPU seconds, for each block of each cell and allocator that has user_time, system_time, wall_time and
// mean_rss. Where those have log-ratios of neighbouring slices, so has the cost. REQUIRES: bytes_per_cpu > 0.
std::vector<Sample> cost_samples(std::span<const Sample> samples, std::string_view baseline, double bytes_per_cpu);

// What one allocator spends where the baseline spends one CPU second: at a price p the cost is cpu_s + byte_s / p.
struct CostLine {
  std::string allocator;
  double cpu_s = 0;
  double byte_s = 0;  // bytes held, times seconds
};

struct CellCost {
  std::string workload;
  int threads = 1;
  Kind kind = Kind::kSynthetic;
  std::vector<CostLine> lines;  // in order of `candidates`
};

// Means over blocks; cells in order of first appearance, without those where a candidate lacks a figure.
std::vector<CellCost> cell_costs(std::span<const Sample> samples, std::string_view baseline, std::span<const std::string> candidates);

// What a user spends whose CPU time under the baseline is spread evenly over the families of that kind. Empty if it has no cell.
std::vector<CostLine> cost_of_kind(std::span<const CellCost> cells, Kind kind);

// Where an allocator is the cheapest: from one price to another, in bytes a CPU; the last has no end (infinity).
struct PriceRange {
  std::string allocator;
  double from_bytes = 0;
  double to_bytes = 0;
};

// The lower envelope of the lines, in closed form; by rising price, that is from dear memory to cheap. O(n^2).
std::vector<PriceRange> cheapest_by_price(std::span<const CostLine> lines);

// "jemalloc below 0.25 GiB, osmem to 31 GiB, mimalloc above"; "osmem at any price".
std::string in_words(std::span<const PriceRange> ranges);

}  // namespace bench
