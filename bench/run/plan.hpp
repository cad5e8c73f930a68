// What a run will do: which cells, under which allocators, how often. Made once from the options; says no before anything runs.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "bench/allocators/registry.hpp"
#include "bench/run/catalogue.hpp"
#include "bench/cells/cell.hpp"
#include "bench/plan/options.hpp"
#include "bench/plan/suite.hpp"
#include "bench/run/fit.hpp"
#include "bench/stats/warning.hpp"

namespace bench {

// Who is measured, and against whom.
struct Field {
  std::vector<allocators::Candidate> allocators;  // in order of a table's columns: the baseline, the subjects, the others
  std::size_t baseline = 0;                       // index into allocators
};

struct Plan {
  Field field;
  std::vector<std::unique_ptr<Cell>> cells;
  std::string suite;
  int repetitions = 3;
  double min_time_s = 0;
  std::uint64_t seed = 1;
  std::vector<Warning> warnings;
  std::vector<Need> needs;  // of cells that last
  std::optional<Shard> shard;
  std::vector<std::pair<std::string, int>> cells_of_all_shards;  // workload, threads; empty without shards

  [[nodiscard]] const allocators::Candidate& baseline() const { return field.allocators[field.baseline]; }
};

// `with_floor`: where nobody is named to compare with, the reference floor is there besides the mallocs that are installed. Throws
// allocators::UnusableAllocator.
Field make_field(const RunOptions& options, const allocators::Registry& registry, bool with_floor = true);

// Throws UsageError or allocators::UnusableAllocator.
Plan make_plan(const RunOptions& options, const allocators::Registry& registry, Launcher& launcher);

// The thread counts of a workload: those asked for, each once, in order; 1 for a workload that runs on one thread only.
std::vector<int> thread_counts(const std::vector<int>& wanted, bool any_threads);

// Splits a list of workloads at its commas; a piece "key=value" belongs to the workload before it.
std::vector<std::string> split_workloads(const std::string& list);

// CPUs that this process may run on.
int usable_cpus();

}  // namespace bench
