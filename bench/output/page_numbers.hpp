// Figures as the pages' data hold them: short, and null where there is none.
#pragma once

#include <fmt/format.h>

#include <cmath>
#include <cstdlib>
#include <nlohmann/json.hpp>
#include <optional>

#include "bench/stats/interval.hpp"

namespace bench {

// Five digits: more than an interval can carry, and they compress well.
inline double short_number(double value) { return std::strtod(fmt::format("{:.5g}", value).c_str(), nullptr); }

inline nlohmann::ordered_json brief(const std::optional<double>& value) {
  return value && std::isfinite(*value) ? nlohmann::ordered_json(short_number(*value)) : nlohmann::ordered_json(nullptr);
}

inline nlohmann::ordered_json low_end(const std::optional<Interval>& interval) {
  return interval ? brief(interval->low) : nlohmann::ordered_json(nullptr);
}

inline nlohmann::ordered_json high_end(const std::optional<Interval>& interval) {
  return interval ? brief(interval->high) : nlohmann::ordered_json(nullptr);
}

}  // namespace bench
