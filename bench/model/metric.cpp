#include "bench/model/metric.hpp"

#include <algorithm>
#include <array>

namespace bench {
namespace {

using enum Direction;

constexpr std::array kMetrics{
    Metric{"throughput", "ops/s", kHigherIsBetter, "faster", "slower",
           "operations per second of wall time in the steady phase, all threads together"},
    Metric{"first_pass", "s", kLowerIsBetter, "slower", "faster",
           "wall time of the first pass, in which the heap grows and pages are touched"},
    Metric{"wall_time", "s", kLowerIsBetter, "slower", "faster", "wall time of the timed region"},
    Metric{"user_time", "s", kLowerIsBetter, "more", "less", "CPU time in user mode, all threads"},
    Metric{"system_time", "s", kLowerIsBetter, "more", "less",
           "CPU time in the kernel, all threads"},
    Metric{"cpu_time", "s", kLowerIsBetter, "more", "less", "CPU time in user mode and in the kernel, all threads"},
    Metric{"cost", "CPU s", kLowerIsBetter, "dearer", "cheaper",
           "CPU seconds, and memory held by its price: mean_rss x wall_time / bytes that cost one CPU"},
    Metric{"cycles", "1", kLowerIsBetter, "more", "fewer", "CPU cycles of the timed region"},
    Metric{"instructions", "1", kLowerIsBetter, "more", "fewer",
           "instructions of the timed region"},
    Metric{"peak_rss", "bytes", kLowerIsBetter, "larger", "smaller",
           "highest resident set above that before the workload started",
           kLeastResidentForRatioBytes},
    Metric{"mean_rss", "bytes", kLowerIsBetter, "larger", "smaller",
           "resident set averaged over time, above that before the workload started",
           kLeastResidentForRatioBytes},
    Metric{"peak_pss", "bytes", kLowerIsBetter, "larger", "smaller",
           "highest proportional set: shared pages divided among those who share them",
           kLeastResidentForRatioBytes},
    Metric{"huge_pages", "bytes", kNeither, "higher", "lower",
           "anonymous memory in huge pages (AnonHugePages)"},
    Metric{"fragmentation", "1", kLowerIsBetter, "larger", "smaller",
           "peak_rss over the peak of live bytes requested; 1 where every byte is used"},
    Metric{"mean_fragmentation", "1", kLowerIsBetter, "larger", "smaller",
           "mean_rss over the mean of live bytes requested"},
    Metric{"realized_fragmentation", "1", kLowerIsBetter, "larger", "smaller",
           "memory beyond the most live bytes of the last second, over these; of server workloads"},
    Metric{"rss_after_idle", "bytes", kLowerIsBetter, "larger", "smaller",
           "resident set some time after everything was freed, with no call since",
           kLeastResidentForRatioBytes},
    Metric{"rss_after_idle_calls", "bytes", kLowerIsBetter, "larger", "smaller",
           "resident set some time after everything was freed, with a call each 10 ms since",
           kLeastResidentForRatioBytes},
    Metric{"rss_after_drain", "bytes", kLowerIsBetter, "larger", "smaller",
           "resident set some time after everything was freed, above that before the start",
           kLeastResidentForRatioBytes},
    Metric{"start_rss", "bytes", kLowerIsBetter, "larger", "smaller",
           "resident set before the workload started"},
    Metric{"peak_live", "bytes", kNeither, "higher", "lower",
           "peak of bytes requested and not yet freed; the same under every allocator"},
    Metric{"mean_live", "bytes", kNeither, "higher", "lower",
           "bytes requested and not yet freed, averaged over time; the same under every allocator"},
    Metric{"minor_faults", "1", kLowerIsBetter, "more", "fewer",
           "page faults served without a disk"},
    Metric{"major_faults", "1", kLowerIsBetter, "more", "fewer", "page faults served from a disk"},
    Metric{"purge_calls", "1", kLowerIsBetter, "more", "fewer",
           "system calls that gave memory back"},
    Metric{"purge_pages", "1", kNeither, "higher", "lower", "pages given back by such calls"},
    Metric{"voluntary_switches", "1", kLowerIsBetter, "more", "fewer",
           "context switches because a thread waited"},
    Metric{"involuntary_switches", "1", kLowerIsBetter, "more", "fewer",
           "context switches because the kernel took the CPU away"},
    Metric{"operations", "1", kNeither, "higher", "lower",
           "operations done; the same under every allocator"},
    Metric{"slices", "1", kNeither, "higher", "lower", "slices of the work, between which workers take turns"},
    Metric{"warm_up_slices", "1", kNeither, "higher", "lower", "slices before the steady phase"},
    Metric{"fault_rate", "1/s", kLowerIsBetter, "more", "fewer", "page faults a second of wall time"},
    Metric{"request", "ns", kLowerIsBetter, "slower", "faster",
           "time of a server workload's request, from when it was due: request_p50 to request_max"},
    Metric{"malloc", "ns", kLowerIsBetter, "slower", "faster", "time of a malloc or new: malloc_p50, _p90, _p99, _p99.9, _p99.99, _max"},
    Metric{"free", "ns", kLowerIsBetter, "slower", "faster", "time of a free or delete: free_p50 to free_max"},
    Metric{"calloc", "ns", kLowerIsBetter, "slower", "faster", "time of a calloc: calloc_p50 to calloc_max"},
    Metric{"realloc", "ns", kLowerIsBetter, "slower", "faster", "time of a realloc: realloc_p50 to realloc_max"},
    Metric{"aligned", "ns", kLowerIsBetter, "slower", "faster",
           "time of an aligned allocation: aligned_p50 to aligned_max"},
    Metric{"slow_call", "ns", kNeither, "higher", "lower",
           "the slowest calls of a run that tells what the kernel did in them: slow_call_1 to _5"},
    Metric{"timer_cost", "ns", kNeither, "higher", "lower",
           "what timing a call takes, subtracted from each"},
    Metric{"drift", "1/s", kNeither, "higher", "lower",
           "by which share slices still slow each second of steady work; 0: no trend is left"},
    Metric{"iterations", "1", kNeither, "higher", "lower",
           "iterations of the workload; the same under every allocator"},
};

}  // namespace

std::span<const Metric> metrics() { return kMetrics; }

namespace {

// "rss_after_idle" for "rss_after_idle_0.1s", "malloc" for "malloc_p99.9" and "malloc_max", "slow_call" for "slow_call_1"; other names as
// they are.
std::string_view without_variant(std::string_view name) {
  const auto underscore = name.rfind('_');
  if (underscore == std::string_view::npos) {
    return name;
  }
  std::string_view number = name.substr(underscore + 1);
  if (number == "max") {
    return name.substr(0, underscore);
  }
  if (number.starts_with('p')) {
    number.remove_prefix(1);
  } else if (number.ends_with('s')) {
    number.remove_suffix(1);
  }
  const bool is_number = !number.empty() && number.find_first_not_of("0123456789.") == std::string_view::npos;
  return is_number ? name.substr(0, underscore) : name;
}

}  // namespace

Metric metric_named(std::string_view name) {
  const std::string_view base = without_variant(name);
  const auto* found = std::ranges::find(kMetrics, base, &Metric::name);
  Metric metric =
      found != kMetrics.end()
          ? *found
          : Metric{name, "", kNeither, "higher", "lower", "reported by the workload itself"};
  metric.name = name;
  return metric;
}

bool needs_no_quiet_machine(std::string_view metric, int threads) {
  constexpr std::array<std::string_view, 3> kOnOneThread{"minor_faults", "purge_calls", "peak_rss"};
  return metric == "instructions" || (threads == 1 && std::ranges::find(kOnOneThread, metric) != kOnOneThread.end());
}

}  // namespace bench
