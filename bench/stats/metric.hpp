// What is measured: the name, unit and better direction of every metric that the workbench itself
// produces.
#pragma once

#include <span>
#include <string_view>

#include "bench/run/sample.hpp"

namespace bench {

// Immutable; all strings have static storage.
struct Metric {
  std::string_view name;  // as in Sample::metric
  std::string_view unit;  // as in Sample::unit
  Direction direction;
  std::string_view
      if_higher;  // verdict for a subject whose figure is above the baseline's: "faster", "larger"
  std::string_view if_lower;  // and below: "slower", "smaller"
  std::string_view meaning;   // one line
};

// Every metric, in the order in which reports show them. O(1).
std::span<const Metric> metrics();

// The metric of that name. "rss_after_drain_1s" and its like are all rss_after_drain; a name that
// metrics() does not have is a workload's own counter: no unit, no direction. The result refers to
// `name` and must not outlive it.
Metric metric_named(std::string_view name);

}  // namespace bench
