#include "bench/output/number.hpp"

#include <fmt/format.h>

#include <array>
#include <cmath>
#include <span>

namespace bench {
namespace {

std::string scaled_down(double value, double step, std::span<const std::string_view> units) {
  std::size_t i = 0;
  while (std::abs(value) >= step * 0.9995 && i + 1 < units.size()) {
    value /= step;
    ++i;
  }
  return fmt::format("{} {}", three_digits(value), units[i]);
}

std::string seconds(double value) {
  static constexpr std::array kUnits{std::string_view("ns"), std::string_view("us"),
                                     std::string_view("ms"), std::string_view("s")};
  return scaled_down(value * 1e9, 1000, kUnits);
}

}  // namespace

std::string three_digits(double value) {
  const double size = std::abs(value);
  const int decimals = size == 0 || size >= 99.95 ? 0 : size >= 9.995 ? 1 : size >= 0.9995 ? 2 : 3;
  return fmt::format("{:.{}f}", value, decimals);
}

std::string quantity(double value, std::string_view unit) {
  static constexpr std::array kBytes{std::string_view("B"), std::string_view("KiB"),
                                     std::string_view("MiB"), std::string_view("GiB"),
                                     std::string_view("TiB")};
  static constexpr std::array kPerSecond{std::string_view("/s"), std::string_view("k/s"),
                                         std::string_view("M/s"), std::string_view("G/s")};
  static constexpr std::array kCount{std::string_view(""), std::string_view("k"),
                                     std::string_view("M"), std::string_view("G")};
  if (unit == "bytes") {
    return scaled_down(value, 1024, kBytes);
  }
  if (unit == "ops/s") {
    return scaled_down(value, 1000, kPerSecond);
  }
  if (unit == "s") {
    return seconds(value);
  }
  std::string text = scaled_down(value, 1000, kCount);
  if (text.ends_with(' ')) {
    text.pop_back();
  }
  return unit == "1" || unit.empty() ? text : fmt::format("{} {}", text, unit);
}

std::string ratio_text(double ratio) {
  const int decimals = ratio >= 99.5 ? 0 : ratio >= 9.95 ? 1 : ratio >= 0.0995 ? 2 : 3;
  return fmt::format("{:.{}f}", ratio, decimals);
}

std::string exact(std::optional<double> value) { return value ? fmt::format("{}", *value) : ""; }

std::string rounded(std::optional<double> value) {
  return value ? fmt::format("{:.10g}", *value) : "";
}

}  // namespace bench
