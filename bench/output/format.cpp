#include "bench/output/format.hpp"

#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdlib>
#include <string>

namespace bench {
namespace {

constexpr std::array kStdoutFormats{Format{"table", render_table},
                                    Format{"csv", render_summary_csv}, Format{"json", render_json},
                                    Format{"markdown", render_markdown}};

constexpr int kWidthOfFiles = 120;  // columns where stdout is no terminal

std::string environment_variable(const char* name) {
  const char* value = std::getenv(name);
  return value == nullptr ? "" : value;
}

// LC_ALL, LC_CTYPE and LANG in the order in which the C library asks them; a program that never
// calls setlocale stays in "C".
bool locale_is_utf8() {
  for (const char* name : {"LC_ALL", "LC_CTYPE", "LANG"}) {
    std::string value = environment_variable(name);
    if (!value.empty()) {
      std::ranges::transform(value, value.begin(), [](unsigned char c) {
        return static_cast<char>(c >= 'A' && c <= 'Z' ? c - 'A' + 'a' : c);
      });
      return value.find("utf-8") != std::string::npos || value.find("utf8") != std::string::npos;
    }
  }
  return false;
}

}  // namespace

std::span<const Format> stdout_formats() { return kStdoutFormats; }

std::optional<Format> format_named(std::string_view name) {
  const auto* found = std::ranges::find(kStdoutFormats, name, &Format::name);
  return found == kStdoutFormats.end() ? std::nullopt : std::optional(*found);
}

Style style_of_stdout() {
  Style style;
  style.utf8 = locale_is_utf8();
  style.width = kWidthOfFiles;
  if (isatty(STDOUT_FILENO) == 0) {
    return style;
  }
  winsize window{};
  if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &window) == 0 && window.ws_col > 0) {
    style.width = window.ws_col;
  }
  style.colour = environment_variable("NO_COLOR").empty() && environment_variable("TERM") != "dumb";
  return style;
}

}  // namespace bench
