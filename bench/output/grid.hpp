// Lays text out in columns, with colour where it is wanted. Pure functions.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace bench {

enum class Paint { kPlain, kHeading, kBest, kFailure, kFaint };
enum class Align { kLeft, kRight };

struct GridCell {
  std::string text;
  Align align = Align::kRight;
  Paint paint = Paint::kPlain;
};

using GridRow = std::vector<GridCell>;

// Columns that UTF-8 text takes on a terminal, for text without wide or combining characters.
std::size_t display_width(std::string_view text);

// With ANSI escapes if `colour`.
std::string painted(std::string_view text, Paint paint, bool colour);

// Breaks text at blanks so that no line exceeds `width` (a longer word does); every line starts
// with `indent` blanks, all but the first with two more. Ends with a newline.
std::string wrapped(std::string_view text, std::size_t indent, std::size_t width);

// The widest line that render_grid makes.
std::size_t grid_width(const std::vector<GridRow>& rows);

// A line a row, columns as wide as their widest cell and two apart, no blanks at the end. Rows may
// be shorter than others; an empty one becomes an empty line.
std::string render_grid(const std::vector<GridRow>& rows, bool colour);

}  // namespace bench
