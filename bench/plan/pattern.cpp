#include "bench/plan/pattern.hpp"

#include <regex.h>

#include <array>
#include <charconv>
#include <cmath>
#include <string_view>

namespace bench {
namespace {

// std::regex recurses for each character it matches: long output would overflow the stack.
class Compiled {
 public:
  explicit Compiled(const std::string& pattern)
      : is_valid_(regcomp(&expression_, pattern.c_str(), REG_EXTENDED | REG_NEWLINE) == 0) {}
  ~Compiled() {
    if (is_valid_) {
      regfree(&expression_);
    }
  }
  Compiled(const Compiled&) = delete;
  Compiled& operator=(const Compiled&) = delete;

  [[nodiscard]] bool has_one_group() const { return is_valid_ && expression_.re_nsub == 1; }
  // The whole match and its group, from `text` on.
  bool find(const char* text, bool at_line_start, std::array<regmatch_t, 2>& found) const {
    return regexec(&expression_, text, found.size(), found.data(), at_line_start ? 0 : REG_NOTBOL) == 0;
  }

 private:
  regex_t expression_{};
  bool is_valid_;
};

// The text as a number, all of it but blanks around; nothing for "inf", "nan" or "1234,5".
std::optional<double> figure_of(std::string_view text) {
  const auto first = text.find_first_not_of(" \t");
  if (first == std::string_view::npos) {
    return std::nullopt;
  }
  text = text.substr(first, text.find_last_not_of(" \t") + 1 - first);
  text.remove_prefix(text.starts_with('+') ? 1 : 0);
  double value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  return error == std::errc{} && end == text.data() + text.size() && std::isfinite(value) ? std::optional(value) : std::nullopt;
}

}  // namespace

bool is_figure_pattern(const std::string& pattern) { return Compiled(pattern).has_one_group(); }

std::optional<double> mean_figure(const std::string& pattern, const std::string& text) {
  const Compiled compiled(pattern);
  std::array<regmatch_t, 2> found{};
  double sum = 0;
  int count = 0;
  for (const char* at = text.c_str(); compiled.find(at, at == text.c_str() || at[-1] == '\n', found);) {
    const auto figure = found[1].rm_so >= 0 ? figure_of({at + found[1].rm_so, at + found[1].rm_eo}) : std::nullopt;
    if (!figure) {
      return std::nullopt;  // a mean of the others would hide it
    }
    sum += *figure;
    ++count;
    at += found[0].rm_eo > 0 ? found[0].rm_eo : 1;
    if (at >= text.c_str() + text.size()) {
      break;
    }
  }
  return count > 0 && sum > 0 ? std::optional(sum / count) : std::nullopt;
}

}  // namespace bench
