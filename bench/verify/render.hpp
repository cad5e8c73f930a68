// The matrix as text: one function a format. Pure functions.
#pragma once

#include <span>
#include <string>
#include <string_view>

#include "bench/verify/matrix.hpp"

namespace bench::verify {

struct MatrixFormat {
  std::string_view name;  // as in --format=
  std::string (*render)(const Matrix& matrix);
};

std::span<const MatrixFormat> matrix_formats();

std::string render_matrix_table(const Matrix& matrix);     // for a terminal: a row a scenario, a column an allocator
std::string render_matrix_csv(const Matrix& matrix);       // a line a scenario, allocator and variant
std::string render_matrix_json(const Matrix& matrix);
std::string render_matrix_markdown(const Matrix& matrix);
std::string render_matrix_html(const Matrix& matrix);      // one file, nothing to load; each cell's message when pointed at

// A cell in at most 7 columns: "call", "MISSED", "37/100"; "call*": with an option.
std::string cell_text(const Cell& cell);
// "SIGABRT (Aborted): free(): double free detected", "at reuse: ...", the failed condition.
std::string cell_detail(const Cell& cell);
// "51/54", what of it was passed only with an option: "51/54 4*", and what could not be judged: "51/54 2?".
std::string tally_text(const Tally& tally);
// What the stars mean, a line; empty: there are none.
std::string option_note(const Matrix& matrix);
// The sections that the matrix has scenarios of.
std::vector<std::string> sections_of(const Matrix& matrix);

}  // namespace bench::verify
