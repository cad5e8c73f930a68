#include "bench/measure/recent_demand.hpp"

#include <algorithm>
#include <deque>

namespace bench {

double realized_fragmentation(std::span<const TimelinePoint> points, std::uint64_t start_bytes, std::int64_t window_ns) {
  std::deque<const TimelinePoint*> highest;  // of the window, live bytes falling: the first is the most
  double beyond = 0;
  double demand = 0;
  for (const TimelinePoint& point : points) {
    while (!highest.empty() && highest.back()->live_bytes <= point.live_bytes) highest.pop_back();
    highest.push_back(&point);
    while (highest.front()->time_ns < point.time_ns - window_ns) highest.pop_front();
    const auto needed = static_cast<double>(highest.front()->live_bytes);
    const auto held = static_cast<double>(point.resident_bytes - std::min(point.resident_bytes, start_bytes));
    demand += needed;
    beyond += std::max(0.0, held - needed);
  }
  return demand > 0 ? beyond / demand : 0;
}

}  // namespace bench
