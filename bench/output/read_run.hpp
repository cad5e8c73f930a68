// Reads a run's directory back into what it was written from, for the commands that work on stored runs.
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <stdexcept>
#include <string>
#include <vector>

#include "bench/output/report.hpp"

namespace bench {

// A directory that is no run, or a damaged one; what() is one line that names it, the reason and what to do.
class UnreadableRun : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

// A run as its directory holds it. Owned by the caller; nothing refers to the directory any more.
struct StoredRun {
  std::filesystem::path folder;
  RunFacts facts;
  std::vector<Sample> samples;
};

// Its CSV files may be packed (csv_file.hpp). Throws UnreadableRun: no such directory, a file missing, cut short or not to be read, no sample, or no sample of the
// baseline that environment.json names.
StoredRun read_run(const std::filesystem::path& folder);

// The points of a timeline: the resident set of one process while its workload ran.
struct TimelinePoint {
  double time_s = 0;  // since the workload began
  double rss_bytes = 0;
  double live_bytes = 0;  // requested and not yet freed
  std::string phase;      // of a mark: what had just ended; empty for a plain point
};

struct StoredTimeline {
  int block = 0;
  std::string workload;
  int threads = 1;
  std::string allocator;
  double start_rss_bytes = 0;  // before the workload began
  std::vector<TimelinePoint> points;
};

// The timelines of a run in the order of the file; none if it has no timelines.csv. Throws UnreadableRun.
std::vector<StoredTimeline> read_timelines(const std::filesystem::path& folder);

// Times of one function's calls in one cell under one allocator, of all blocks together. A call counts as having taken the upper end of
// its bucket.
struct StoredHistogram {
  std::string workload;
  int threads = 1;
  std::string allocator;
  std::string function;  // malloc, free, realloc, ..., or request
  std::map<double, std::uint64_t> calls;  // by the upper end of their bucket, in ns
};

// In the order of the file; none if the run has no latency.csv: it timed no calls. Throws UnreadableRun.
std::vector<StoredHistogram> read_histograms(const std::filesystem::path& folder);

}  // namespace bench
