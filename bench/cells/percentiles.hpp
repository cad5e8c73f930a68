// How figures, and percentiles of counted times, become samples.
#pragma once

#include <nlohmann/json.hpp>
#include <string>

#include "bench/cells/cell.hpp"

namespace bench {

// A sample of that metric, in its unit.
void put_figure(Measured& into, const Sample& blank, const std::string& metric, double value, std::string detail = {});

// The value below which that share of the counted ones lies: [from, to, count] in ascending order. Every value of a bucket stands for the
// middle of it. 0 without any.
double value_at(const nlohmann::json& buckets, double share);

// NAME_calls, NAME_p50 to NAME_p99.99 and NAME_max of {"max_ns", "buckets"}, and the buckets themselves. A percentile that fewer than one
// call lies above is left out.
void put_percentiles(Measured& into, const Sample& blank, const std::string& name, const nlohmann::json& times);

}  // namespace bench
