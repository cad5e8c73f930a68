#include "bench/advise/growth.hpp"

#include <algorithm>
#include <array>

namespace bench {
namespace {

constexpr std::size_t kFewestPoints = 8;
constexpr double kLeastShare = 0.1;
constexpr double kLeastBytes = 1 << 20;

}  // namespace

bool Trend::grows() const {
  return second_bytes <= third_bytes && third_bytes <= fourth_bytes && growth_bytes() > std::max(kLeastShare * second_bytes, kLeastBytes);
}

std::optional<Trend> trend_of(std::span<const LevelPoint> points) {
  if (points.size() < kFewestPoints || points.back().time_s <= points.front().time_s) {
    return std::nullopt;
  }
  const double begin_s = points.front().time_s;
  const double quarter_s = (points.back().time_s - begin_s) / 4;
  std::array<double, 4> byte_s{};
  for (std::size_t i = 0; i + 1 < points.size(); ++i) {
    for (std::size_t quarter = 0; quarter < byte_s.size(); ++quarter) {
      const double from_s = std::max(points[i].time_s, begin_s + static_cast<double>(quarter) * quarter_s);
      const double to_s = std::min(points[i + 1].time_s, begin_s + static_cast<double>(quarter + 1) * quarter_s);
      byte_s[quarter] += points[i].bytes * std::max(to_s - from_s, 0.0);
    }
  }
  return Trend{byte_s[1] / quarter_s, byte_s[2] / quarter_s, byte_s[3] / quarter_s};
}

Growth growth_of(const Trend& resident, const Trend& live) {
  if (!resident.grows()) {
    return Growth::kLevel;
  }
  return live.growth_bytes() >= resident.growth_bytes() / 2 ? Growth::kLive : Growth::kFragmentation;
}

}  // namespace bench
