// What the parts of the advice ask of its findings.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "bench/advise/advice.hpp"

namespace bench {

// The metric of speed: the program's own figure, or its wall time.
inline std::string_view time_metric(const Findings& findings) {
  return findings.has_metric || findings.is_trace ? "throughput" : "wall_time";
}

// Those by which allocators are chosen.
inline std::vector<std::string_view> kept_metrics(const Findings& findings) { return {time_metric(findings), "cpu_time", "peak_rss", "mean_rss"}; }

// Null if there is none, or it failed before it gave any figure.
const Summary* row_of(const Report& report, std::string_view allocator, std::string_view metric);

// "time", "CPU time", "peak RSS"
std::string_view metric_title(const Findings& findings, std::string_view metric);

// What stands below "How to use it": LD_PRELOAD, systemd, a Dockerfile, CMake. Empty for the C library.
std::string usage_lines(const Findings& findings, const std::string& allocator);

}  // namespace bench
