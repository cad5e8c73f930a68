#include "bench/plan/quantities.hpp"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <cctype>
#include <optional>
#include <string_view>

#include "bench/plan/suite.hpp"

namespace bench {
namespace {

struct Quantity {
  double number = 0;
  std::string unit;  // in lower case, without blanks
};

std::optional<Quantity> quantity_in(const std::string& text) {
  Quantity quantity;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), quantity.number);
  if (error != std::errc() || !std::isfinite(quantity.number) || quantity.number <= 0) {
    return std::nullopt;
  }
  for (const char c : std::string_view(end, static_cast<std::size_t>(text.data() + text.size() - end))) {
    if (c != ' ') {
      quantity.unit += static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
    }
  }
  return quantity;
}

[[noreturn]] void refuse_quantity(const std::string& what, const char* form, const std::string& text) {
  throw UsageError(what + " must be " + form + ", not '" + text + "'");
}

}  // namespace

double parse_percent(const std::string& what, const std::string& text) {
  const auto quantity = quantity_in(text);
  if (!quantity || (quantity->unit != "%" && !quantity->unit.empty()) || quantity->number > 100) {
    refuse_quantity(what, "a percentage above 0, such as 2%", text);
  }
  return quantity->number / 100;
}

double parse_duration_s(const std::string& what, const std::string& text) {
  const auto quantity = quantity_in(text);
  for (const auto& [unit, seconds] : {std::pair("", 1.0), std::pair("s", 1.0), std::pair("m", 60.0), std::pair("min", 60.0), std::pair("h", 3600.0)}) {
    if (quantity && quantity->unit == unit) {
      return quantity->number * seconds;
    }
  }
  refuse_quantity(what, "a time, such as 90s, 10m or 1h", text);
}

double parse_bytes(const std::string& what, const std::string& text) {
  const auto quantity = quantity_in(text);
  double bytes = 1;
  for (const char* prefix : {"", "k", "m", "g", "t"}) {
    const std::string unit = prefix;
    const bool fits = quantity && (quantity->unit == unit || quantity->unit == unit + "b" || (!unit.empty() && quantity->unit == unit + "ib"));
    if (fits && quantity->number * bytes >= 1) {
      return quantity->number * bytes;
    }
    bytes *= 1024;
  }
  refuse_quantity(what, "a size, such as 4GiB or 512M", text);
}

}  // namespace bench
