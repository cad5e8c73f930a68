// Figures as people read them. Pure functions, independent of the locale.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace bench {

// About three digits: 0.123, 1.23, 12.3, 123.
std::string three_digits(double value);

// In the unit of a metric, scaled: "45.2 M/s" for ops/s, "12.3 MiB" for bytes, "1.50 ms" for s,
// three digits otherwise.
std::string quantity(double value, std::string_view unit);

// Two decimals as far as a ratio needs them: 0.053, 0.53, 1.05, 10.5, 105.
std::string ratio_text(double ratio);

// Shortest text that reads back as the same number; "" for none.
std::string exact(std::optional<double> value);

// Ten digits; "" for none.
std::string rounded(std::optional<double> value);

}  // namespace bench
