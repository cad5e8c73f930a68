// The console table's part for times of calls and requests.
#pragma once

#include <string>

#include "bench/output/format.hpp"
#include "bench/output/index.hpp"
#include "bench/output/report.hpp"

namespace bench {

// Empty where the run timed none.
std::string render_latency(const Report& report, const Index& index, const Style& style);

}  // namespace bench
