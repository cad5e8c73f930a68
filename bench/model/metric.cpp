#include "bench/model/metric.hpp"

#include <algorithm>
#include <array>

namespace bench {
namespace {

using enum Direction;

constexpr std::array kMetrics{
    Metric{"throughput", "ops/s", kHigherIsBetter, "faster", "slower",
           "operations per second of wall time, all threads together"},
    Metric{"wall_time", "s", kLowerIsBetter, "slower", "faster", "wall time of the timed region"},
    Metric{"user_time", "s", kLowerIsBetter, "more", "less", "CPU time in user mode, all threads"},
    Metric{"system_time", "s", kLowerIsBetter, "more", "less",
           "CPU time in the kernel, all threads"},
    Metric{"cycles", "1", kLowerIsBetter, "more", "fewer", "CPU cycles of the timed region"},
    Metric{"instructions", "1", kLowerIsBetter, "more", "fewer",
           "instructions of the timed region"},
    Metric{"peak_rss", "bytes", kLowerIsBetter, "larger", "smaller",
           "highest resident set above that before the workload started",
           kLeastResidentForRatioBytes},
    Metric{"fragmentation", "1", kLowerIsBetter, "larger", "smaller",
           "peak_rss over the peak of live bytes requested; 1 where every byte is used"},
    Metric{"mean_rss", "bytes", kLowerIsBetter, "larger", "smaller",
           "resident set averaged over time, in a run of its own", kLeastResidentForRatioBytes},
    Metric{"rss_after_drain", "bytes", kLowerIsBetter, "larger", "smaller",
           "resident set some time after everything was freed, above that before the start",
           kLeastResidentForRatioBytes},
    Metric{"start_rss", "bytes", kLowerIsBetter, "larger", "smaller",
           "resident set before the workload started"},
    Metric{"peak_live", "bytes", kNeither, "higher", "lower",
           "peak of bytes requested and not yet freed; the same under every allocator"},
    Metric{"minor_faults", "1", kLowerIsBetter, "more", "fewer",
           "page faults served without a disk"},
    Metric{"major_faults", "1", kLowerIsBetter, "more", "fewer", "page faults served from a disk"},
    Metric{"voluntary_switches", "1", kLowerIsBetter, "more", "fewer",
           "context switches because a thread waited"},
    Metric{"involuntary_switches", "1", kLowerIsBetter, "more", "fewer",
           "context switches because the kernel took the CPU away"},
    Metric{"operations", "1", kNeither, "higher", "lower",
           "operations done; the same under every allocator"},
    Metric{"iterations", "1", kNeither, "higher", "lower",
           "iterations of the workload; the same under every allocator"},
};

}  // namespace

std::span<const Metric> metrics() { return kMetrics; }

Metric metric_named(std::string_view name) {
  constexpr std::string_view kDrain = "rss_after_drain";
  const std::string_view base = name.starts_with(kDrain) ? kDrain : name;
  const auto* found = std::ranges::find(kMetrics, base, &Metric::name);
  Metric metric =
      found != kMetrics.end()
          ? *found
          : Metric{name, "", kNeither, "higher", "lower", "reported by the workload itself"};
  metric.name = name;
  return metric;
}

}  // namespace bench
