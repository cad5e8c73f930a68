// Doubts about a measurement, as data: what was seen and what to do about it.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "bench/model/sample.hpp"

namespace bench {

struct Warning {
  std::string what;    // one line, with the figure that raised it
  std::string remedy;  // one line, imperative
};

// What the samples themselves give away: relative interquartile range above 10 %, a first block
// that stands out, outliers (beyond 3 interquartile ranges of the quartiles; kept in all figures),
// timed regions under 1 ms, and a trend that goes on in most blocks. Looks at throughput, wall_time and drift.
std::vector<Warning> noise_warnings(std::span<const Sample> samples);

}  // namespace bench
