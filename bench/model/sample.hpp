// One measured figure: the record that run produces, stats digests and output writes. samples.csv is this, a row each.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "bench/model/kind.hpp"

namespace bench {

enum class Status { kOk, kFailed, kCrashed, kTimeout, kOutOfMemory, kWrong, kSkipped };

// "ok", "FAILED", "CRASHED", "TIMEOUT", "OOM", "WRONG", "NOT RUN"
std::string_view to_string(Status status);

// Which way is better for a metric.
enum class Direction { kHigherIsBetter, kLowerIsBetter, kNeither };

struct Sample {
  int block = 0;            // 0-based; one block runs every allocator once in each cell
  std::string workload;     // with its parameters where they are not the defaults: "larson:max=2000"
  int threads = 1;
  std::string allocator;    // display name, e.g. "osmem" or "jemalloc-decay0"
  std::string metric;       // throughput, wall_time, peak_rss, ...
  std::string unit;         // "ops/s", "s", "bytes", "1" ...
  std::optional<double> value;  // none unless status is kOk
  Status status = Status::kOk;
  std::string detail;       // for a failure: what happened, in one line
  Kind kind = Kind::kSynthetic;     // of the workload
  // Natural logarithm of this allocator's figure over the baseline's in this block, where it was taken from slices that lay next to
  // each other in time. None: the ratio of the two values stands for it.
  std::optional<double> log_ratio{};
};

}  // namespace bench
