// After the blocks that were asked for: cells with an open verdict are measured again, until they are decided or known well enough, or time
// is up. When the run is looked at is fixed beforehand (bench/stats/verdict.hpp), so that stopping early errs no oftener than one look.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <set>
#include <string>
#include <utility>

#include "bench/output/report.hpp"
#include "bench/run/runner.hpp"

namespace bench {

inline constexpr int kLooks = 4;  // of a run with rounds: at N blocks, 2 N, 4 N and 8 N

struct RoundOptions {
  double precision = 0.02;        // an interval of +- this share is narrow enough, decided or not
  std::optional<double> budget_s;  // of the whole run; none: as long as it takes
};

// Workload and threads of cells where a candidate's throughput (or wall time) or peak RSS is open.
std::set<std::pair<std::string, int>> open_cells(const Report& report, double precision);

// REQUIRES: the runner has made `first_blocks` blocks of every cell. `report` digests what there is so far; the run began at `start_ns` of the
// monotonic clock. False if the user interrupted it.
bool measure_again(Runner& runner, const RoundOptions& options, int first_blocks, std::int64_t start_ns,
                   const std::function<Report()>& report);

// What stayed open, as a warning with its remedy; none if nothing did.
std::optional<Warning> still_open(const Report& report, const RoundOptions& options);

}  // namespace bench
