// Memory above what recent demand needed: realized fragmentation.
#pragma once

#include <cstdint>
#include <span>

#include "bench/measure/timeline.hpp"

namespace bench {

// Recent: this long. A service whose load falls for less than that gains nothing from memory that went back.
inline constexpr std::int64_t kRecentNs = 1'000'000'000;

// The resident set above `start_bytes` beyond the most live bytes of the last `window_ns` (or since the first reading), averaged over the
// readings, over the average of that demand: 0.25 is a quarter more than was needed lately. Readings are in order of time and stand for equal
// intervals. 0 without readings; no demand at all gives 0, too, for there is nothing to relate to. O(readings).
// Unlike peak_rss over live bytes it forgives memory kept for a load that comes back within the window, and counts all that is kept for longer.
double realized_fragmentation(std::span<const TimelinePoint> points, std::uint64_t start_bytes, std::int64_t window_ns = kRecentNs);

}  // namespace bench
