#include "bench/output/grid.hpp"

#include <algorithm>

namespace bench {
namespace {

constexpr std::size_t kGap = 2;

std::vector<std::size_t> widths_of(const std::vector<GridRow>& rows) {
  std::vector<std::size_t> widths;
  for (const GridRow& row : rows) {
    widths.resize(std::max(widths.size(), row.size()));
    for (std::size_t i = 0; i < row.size(); ++i) {
      widths[i] = std::max(widths[i], display_width(row[i].text));
    }
  }
  return widths;
}

std::string_view without_blanks_at_end(std::string_view text) {
  return text.substr(0, text.find_last_not_of(' ') + 1);
}

std::string render_row(const GridRow& row, const std::vector<std::size_t>& widths, bool colour) {
  std::string line;
  std::size_t blanks = 0;  // owed before the next text
  for (std::size_t i = 0; i < row.size(); ++i) {
    const std::size_t padding = widths[i] - display_width(row[i].text);
    const std::string_view text = without_blanks_at_end(row[i].text);
    blanks += row[i].align == Align::kRight ? padding : 0;
    if (!text.empty()) {
      line += std::string(blanks, ' ') + painted(text, row[i].paint, colour);
      blanks = 0;
    }
    blanks += row[i].text.size() - text.size();
    blanks += (row[i].align == Align::kLeft ? padding : 0) + kGap;
  }
  return line + '\n';
}

}  // namespace

std::size_t display_width(std::string_view text) {
  // Every byte but the continuation bytes 10xxxxxx.
  return static_cast<std::size_t>(std::ranges::count_if(
      text, [](char c) { return (static_cast<unsigned char>(c) & 0xC0U) != 0x80U; }));
}

std::string painted(std::string_view text, Paint paint, bool colour) {
  std::string_view start;
  switch (paint) {
    case Paint::kPlain:
      break;
    case Paint::kHeading:
      start = "\033[1m";
      break;
    case Paint::kBest:
      start = "\033[1;32m";
      break;
    case Paint::kFailure:
      start = "\033[1;31m";
      break;
    case Paint::kFaint:
      start = "\033[2m";
      break;
  }
  if (!colour || start.empty()) {
    return std::string(text);
  }
  return std::string(start) + std::string(text) + "\033[0m";
}

std::string wrapped(std::string_view text, std::size_t indent, std::size_t width) {
  const std::string margin(indent, ' ');
  std::string result = margin;
  std::size_t used = indent;
  while (!text.empty()) {
    const std::string_view word = text.substr(0, text.find(' '));
    text.remove_prefix(std::min(text.size(), word.size() + 1));
    if (used > indent && used + 1 + display_width(word) > width) {
      result += '\n' + margin + "  ";
      used = indent + 2;
    } else if (used > indent) {
      result += ' ';
      ++used;
    }
    result += word;
    used += display_width(word);
  }
  return result + '\n';
}

std::size_t grid_width(const std::vector<GridRow>& rows) {
  std::size_t width = 0;
  for (const std::size_t column : widths_of(rows)) {
    width += column + kGap;
  }
  return width < kGap ? 0 : width - kGap;
}

std::string render_grid(const std::vector<GridRow>& rows, bool colour) {
  const std::vector<std::size_t> widths = widths_of(rows);
  std::string text;
  for (const GridRow& row : rows) {
    text += render_row(row, widths, colour);
  }
  return text;
}

}  // namespace bench
