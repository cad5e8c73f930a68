// The page's data of times of calls.
#pragma once

#include <nlohmann/json.hpp>
#include <vector>

#include "bench/output/read_run.hpp"

namespace bench {

// Each histogram as a chart of the share of calls that took longer than a time needs it. `steps` are pairs: the upper end of a bucket, and the
// share of calls that took longer, of which the last step has none, as it is 0. Of the end it is ln(ns) in hundredths (at least 1 ns), of the
// share -ln(share) in steps of 0.005; each as the difference to the step before. Buckets over which the share falls by less
// than 8 %, or the time grows by less than 4 %, are joined at the upper end of the last: either is three pixels of a chart.
nlohmann::ordered_json latencies_json(const std::vector<StoredHistogram>& histograms);

}  // namespace bench
