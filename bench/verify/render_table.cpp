// The matrix for a terminal. Wider than 80 columns only where there are more allocators than fit beside the ids.
#include <fmt/format.h>

#include <algorithm>

#include "bench/verify/render.hpp"

namespace bench::verify {
namespace {

constexpr std::size_t kIdColumns = 44;
constexpr std::size_t kCellColumns = 9;

std::string column_name(const std::string& name) { return name.substr(0, kCellColumns - 1); }

std::string row(const std::string& first, const std::vector<std::string>& cells) {
  std::string out = fmt::format("{:<{}}", first, kIdColumns);
  for (const auto& cell : cells) {
    out += fmt::format(" {:<{}}", cell, kCellColumns - 1);
  }
  return out.substr(0, out.find_last_not_of(' ') + 1) + "\n";
}

std::string heads(const Matrix& matrix, const std::string& first) {
  std::vector<std::string> names;
  for (const auto& subject : matrix.subjects) {
    names.push_back(column_name(subject.candidate.name));
  }
  return row(first, names);
}

// What an allocator on trial has not passed, with what was seen.
std::string failures(const Matrix& matrix) {
  std::string out;
  for (std::size_t s = 0; s < matrix.subjects.size(); ++s) {
    for (std::size_t i = 0; matrix.subjects[s].is_judged && i < matrix.cells.size(); ++i) {
      const Cell& cell = matrix.cells[i][s];
      const bool judged = cell.tries != 0 || cell.worst.verdict != Verdict::kNotApplicable;
      if (judged && !is_passed(matrix.scenarios[i], cell)) {
        out += fmt::format("  {} {}: {}{}\n", matrix.subjects[s].candidate.name, matrix.scenarios[i].id, cell_text(cell),
                           cell_detail(cell).empty() ? "" : ": " + cell_detail(cell));
      }
    }
  }
  return out;
}

}  // namespace

std::string render_matrix_table(const Matrix& matrix) {
  std::string out;
  for (const auto& section : sections_of(matrix)) {
    out += heads(matrix, section);
    for (std::size_t i = 0; i < matrix.cells.size(); ++i) {
      if (matrix.scenarios[i].section() != section) {
        continue;
      }
      std::vector<std::string> cells;
      for (const auto& cell : matrix.cells[i]) {
        cells.push_back(cell_text(cell));
      }
      out += row("  " + matrix.scenarios[i].id.substr(section.size() + 1), cells);
    }
    std::vector<std::string> totals;
    for (std::size_t s = 0; s < matrix.subjects.size(); ++s) {
      totals.push_back(tally_text(tally(matrix, s, section)));
    }
    out += row("  passed", totals) + "\n";
  }
  const std::string failed = failures(matrix);
  if (!failed.empty()) {
    out += "Not passed, and what was seen:\n" + failed + "\n";
  }
  for (const auto& subject : matrix.subjects) {
    if (!subject.unusable.empty() || !subject.remark.empty()) {
      out += subject.candidate.name + ": " + (subject.unusable.empty() ? subject.remark : subject.unusable) + "\n";
    }
  }
  return out + option_note(matrix) +
         "call: caught at the call; late: at its free, at reuse or at exit; missed: nobody noticed; crash: ended without a\n"
         "word; CORRUPT: wrong memory without a word; k/n: so often of n; n/a: not offered; ?: could not be judged here.\n"
         "`bench verify show ID` prints a scenario's source.\n";
}

}  // namespace bench::verify
