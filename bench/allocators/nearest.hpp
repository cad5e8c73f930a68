// Suggestions for a name that nobody knows.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace allocators {

// Up to three of `known` that `name` may have been meant to be, nearest first: few edits apart, or one begins with
// the other. O(name * sum of known).
std::vector<std::string> nearest(std::string_view name, std::span<const std::string> known);

// "unknown KIND 'NAME'; did you mean A or B? Known: ..." with at most 30 names listed.
std::string unknown_name_message(std::string_view kind, std::string_view name, std::span<const std::string> known);

}  // namespace allocators
