#include "bench/output/page_latency.hpp"

#include <algorithm>
#include <cmath>
#include <utility>

namespace bench {
namespace {

using nlohmann::ordered_json;

constexpr double kLeastFall = 0.08;
constexpr double kLeastRise = 1.04;  // 3 pixels of a wide chart, too

constexpr double kTimeGrid = 0.01;    // of the logarithm of ns; a bucket is 0.8 % of its time wide
constexpr double kShareGrid = 0.005;  // of that of a share

// A logarithm on a grid, written as the difference to the one before: small whole numbers, which compress well.
class Differences {
 public:
  explicit Differences(double grid) : grid_(grid) {}
  std::int64_t next(double logarithm) {
    const std::int64_t at = std::llround(logarithm / grid_);
    return at - std::exchange(last_, at);
  }

 private:
  double grid_;
  std::int64_t last_ = 0;
};

ordered_json steps_json(const StoredHistogram& histogram, std::uint64_t all) {
  ordered_json steps = ordered_json::array();
  Differences times(kTimeGrid);
  Differences shares(kShareGrid);
  std::uint64_t written = all;  // calls that took longer than the last step that was written
  std::uint64_t longer = all;
  double last_ns = 0;
  for (const auto& [to_ns, count] : histogram.calls) {
    longer -= count;
    const bool falls = static_cast<double>(written - longer) >= kLeastFall * static_cast<double>(written);
    if (count == 0 || (longer > 0 && (!falls || to_ns < kLeastRise * last_ns))) {
      continue;
    }
    steps.push_back(times.next(std::log(std::max(to_ns, 1.0))));
    if (longer > 0) {
      steps.push_back(shares.next(std::log(static_cast<double>(all) / static_cast<double>(longer))));
    }
    written = longer;
    last_ns = to_ns;
    if (longer == 0) {
      break;
    }
  }
  return steps;
}

}  // namespace

ordered_json latencies_json(const std::vector<StoredHistogram>& histograms) {
  ordered_json rows = ordered_json::array();
  for (const StoredHistogram& histogram : histograms) {
    std::uint64_t all = 0;
    for (const auto& [to_ns, count] : histogram.calls) {
      all += count;
    }
    if (all > 0) {
      rows.push_back({{"workload", histogram.workload}, {"threads", histogram.threads}, {"allocator", histogram.allocator},
                      {"function", histogram.function}, {"calls", all}, {"steps", steps_json(histogram, all)}});
    }
  }
  return rows;
}

}  // namespace bench
