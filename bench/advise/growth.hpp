// Whether memory grows while a program runs, and whose doing it is: the program's, which keeps what it allocated (a leak, or data that it needs), or
// the allocator's, which cannot use again what was freed (fragmentation). Pure functions.
#pragma once

#include <optional>
#include <span>
#include <string>

namespace bench {

// A level over time: live bytes, or the resident set.
struct LevelPoint {
  double time_s = 0;
  double bytes = 0;
};

// Means over the second, third and fourth quarter of the time: the first is the program's start.
struct Trend {
  double second_bytes = 0;
  double third_bytes = 0;
  double fourth_bytes = 0;

  [[nodiscard]] double growth_bytes() const { return fourth_bytes - second_bytes; }
  // From quarter to quarter, by a tenth in all and by more than 1 MiB.
  [[nodiscard]] bool grows() const;
};

// A level holds until the next point. Nothing where there are fewer than 8 points, or no time passes.
std::optional<Trend> trend_of(std::span<const LevelPoint> points);

enum class Growth {
  kLevel,          // the resident set does not grow
  kLive,           // it grows, and live bytes account for half of that or more
  kFragmentation,  // it grows, and live bytes do not
};

Growth growth_of(const Trend& resident, const Trend& live);

}  // namespace bench
