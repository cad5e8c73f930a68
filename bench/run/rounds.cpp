#include "bench/run/rounds.hpp"

#include <algorithm>

#include "bench/measure/clock.hpp"
#include "bench/stats/verdict.hpp"

namespace bench {
namespace {

// A server's throughput is that of its load; a program without any has its wall time.
bool counts(const Summary& row) { return row.metric == "throughput" || row.metric == "wall_time" || row.metric == "peak_rss"; }

}  // namespace

std::set<std::pair<std::string, int>> open_cells(const Report& report, double precision) {
  std::set<std::pair<std::string, int>> open;
  for (const Summary& row : report.summaries) {
    if (counts(row) && is_open(row, precision)) {
      open.emplace(row.workload, row.threads);
    }
  }
  return open;
}

bool measure_again(Runner& runner, const RoundOptions& options, int first_blocks, std::int64_t start_ns,
                   const std::function<Report()>& report) {
  const auto time_is_up = [&] {
    return options.budget_s && static_cast<double>(monotonic_ns() - start_ns) * 1e-9 >= *options.budget_s;
  };
  int blocks = first_blocks;
  for (int look = 1; look < kLooks && !time_is_up(); ++look) {
    const auto open = open_cells(report(), options.precision);
    if (open.empty()) {
      return true;
    }
    const auto wanted = [&](const Cell& cell) { return open.contains({cell.workload(), cell.threads()}) && !time_is_up(); };
    if (!runner.run_blocks(blocks, 2 * blocks, wanted)) {
      return false;
    }
    blocks *= 2;
  }
  return true;
}

std::optional<Warning> still_open(const Report& report, const RoundOptions& options) {
  const auto open = open_cells(report, options.precision);
  if (open.empty()) {
    return std::nullopt;
  }
  std::string names;
  for (const auto& [workload, threads] : open) {
    names += (names.empty() ? "" : "; ") + workload + (threads == 1 ? "" : " on " + std::to_string(threads) + " threads");
  }
  return Warning{"not decided when the run ended: " + names, "raise --budget, stop other work on this machine, or widen --precision"};
}

}  // namespace bench
