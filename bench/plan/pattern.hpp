// A POSIX extended regular expression with one group, for a figure in a program's output.
#pragma once

#include <optional>
#include <string>

namespace bench {

// Whether the text is an expression with exactly one group.
bool is_figure_pattern(const std::string& pattern);

// The mean of what the group matches, as numbers, over all matches; nothing where there is no match, where one is no finite number as a whole
// (a decimal comma, "inf"), or where the mean is not above 0.
// REQUIRES: is_figure_pattern(pattern)
std::optional<double> mean_figure(const std::string& pattern, const std::string& text);

}  // namespace bench
