// What is measured: the name, unit and better direction of every metric that the workbench itself
// produces.
#pragma once

#include <span>
#include <string_view>

#include "bench/model/sample.hpp"

namespace bench {

// Immutable; all strings have static storage.
struct Metric {
  std::string_view name;  // as in Sample::metric
  std::string_view unit;  // as in Sample::unit
  Direction direction;
  std::string_view
      if_higher;  // verdict for a subject whose figure is above the baseline's: "faster", "larger"
  std::string_view if_lower;   // and below: "slower", "smaller"
  std::string_view meaning;    // one line
  double least_for_ratio = 0;  // no ratio to a baseline below this, in `unit`
};

// Every metric, in the order in which reports show them. O(1).
std::span<const Metric> metrics();

// The metric of that name. "rss_after_idle_1s" and its like are all rss_after_idle, "malloc_p99" malloc; a name that
// metrics() does not have is a workload's own counter: no unit, no direction. The result refers to
// `name` and must not outlive it.
Metric metric_named(std::string_view name);

// Whether a cell's figure of it is a count that other work on the machine hardly moves: instructions by callgrind; page faults, calls that
// give memory back and the peak of memory where one thread runs. Programs that go by the clock are an exception nobody can see here.
bool needs_no_quiet_machine(std::string_view metric, int threads);

// Below this peak of live bytes, pages and thread stacks outweigh what was requested, and their
// ratio to it says nothing.
inline constexpr std::uint64_t kLeastLiveForFragmentationBytes = 256 * 1024;
// Below this, a page more or less decides a ratio of resident sizes.
inline constexpr double kLeastResidentForRatioBytes = 64 * 1024;
// For readers of the figures: where there is none, and what one below 1 means.
inline constexpr std::string_view kFragmentationNote =
    "Fragmentation is left out below 256 KiB of live bytes, where pages outweigh what was "
    "requested. Below 1: part of what was "
    "requested was never written to.";

}  // namespace bench
