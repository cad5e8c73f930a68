// What a worker that put a workload to work says of it in its result file.
//
// A field is added here and in kFields of outcome.cpp, and nowhere else on the way from the worker to bench.
#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>
#include <string>
#include <utility>
#include <vector>

namespace bench::worker {

struct Outcome {
  std::uint64_t operations = 0;
  std::uint64_t checksum = 0;
  std::int64_t iterations = 0;          // on each thread
  std::int64_t slice_iterations = 0;    // of kCalibrate: that make a slice of kSliceSeconds
  double slice_s = 0;                   // of kCalibrate: what such a slice takes
  double wall_s = 0;                    // of all slices, without own_s of each iteration
  double own_s = 0;                     // of one iteration: the workload's own machinery, no work
  double user_s = 0;                    // from the clock's start to the threads' end
  double system_s = 0;
  std::int64_t minor_faults = 0;
  std::int64_t major_faults = 0;
  std::int64_t voluntary_switches = 0;
  std::int64_t involuntary_switches = 0;
  bool peak_was_reset = false;          // false: peak_rss_bytes includes the program's start
  std::uint64_t initial_rss_bytes = 0;  // after the workload was built
  std::uint64_t start_rss_bytes = 0;    // the same with all code mapped in: what the peak is counted from
  std::uint64_t end_rss_bytes = 0;      // when all threads had ended
  std::uint64_t peak_rss_bytes = 0;
  std::uint64_t live_before_bytes = 0;  // of kLive
  std::uint64_t live_peak_bytes = 0;
  double live_mean_bytes = 0;           // over time, in a run that counts
  std::uint64_t purge_calls = 0;        // of kPeak: system calls that give pages back
  std::uint64_t purge_pages = 0;        // that these named
  std::vector<std::pair<std::string, double>> counters;         // that Google Benchmark's own flags asked for
  std::vector<std::pair<double, std::uint64_t>> drained;        // seconds after the end of the work, resident bytes
  nlohmann::json stats;                 // what the allocator says of itself
  nlohmann::json timeline;              // of kMemory and kLive; else null
  nlohmann::json requests;              // of kServe: {"max_ns", "buckets": [[from_ns, to_ns, count], ...]}; else null
  nlohmann::json calls;                 // of kLatency and kExplain, as call_times.hpp has it; else null
};

// How long a slice is to be: a few turns of the kernel's scheduler, many times what a turn's change costs.
inline constexpr double kSliceSeconds = 0.005;

nlohmann::json to_json(const Outcome& outcome);
// Throws std::runtime_error that names the field that is missing or of another kind.
Outcome outcome_from(const nlohmann::json& json);

}  // namespace bench::worker
