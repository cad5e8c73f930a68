// Quantities as people type them. Each function throws UsageError, in one line that begins with `what` and shows how it is written.
#pragma once

#include <string>

namespace bench {

// "2%", "2 %" or "2": 0.02. More than 0 and at most 100 %.
double parse_percent(const std::string& what, const std::string& text);

// "90s", "10m", "1.5h", or seconds without a unit; positive.
double parse_duration_s(const std::string& what, const std::string& text);

// "4GiB", "512M", "1.5T", or bytes without a unit; units are powers of 1024; at least 1.
double parse_bytes(const std::string& what, const std::string& text);

}  // namespace bench
