// The formats that a report can be written in. One file a format; all are pure functions from
// Report to text.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "bench/output/report.hpp"

namespace bench {

struct Style {
  bool colour = false;  // ANSI escapes
  bool utf8 = true;     // else ASCII alone
  int width = 120;      // columns of the terminal; tables break into parts rather than exceed it
};

// One way to write a report.
struct Format {
  std::string_view name;  // as in --format=
  std::string (*render)(const Report& report, const Style& style);
};

// What --format accepts: table, csv (summary.csv), json (summaries, means, warnings and environment
// in one object), markdown.
std::span<const Format> stdout_formats();

// Nothing for a name that is not in stdout_formats().
std::optional<Format> format_named(std::string_view name);

// Colour and width of stdout: colour only on a terminal, never with NO_COLOR set (to anything but
// ""), nor TERM=dumb.
Style style_of_stdout();

std::string render_table(const Report& report, const Style& style);
std::string render_summary_csv(const Report& report, const Style& style);
std::string render_means_csv(const Report& report, const Style& style);
std::string render_json(const Report& report, const Style& style);
std::string render_markdown(const Report& report, const Style& style);
std::string render_google_benchmark(const Report& report, const Style& style);
std::string render_environment(const Report& report, const Style& style);

// samples.csv: the header line and one line a sample, each with its newline.
std::string samples_csv_header();
std::string samples_csv_row(const Sample& sample);

}  // namespace bench
