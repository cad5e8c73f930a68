#include "bench/verify/render.hpp"

#include <algorithm>

namespace bench::verify {

std::span<const MatrixFormat> matrix_formats() {
  static constexpr MatrixFormat kFormats[] = {{"table", render_matrix_table},
                                              {"csv", render_matrix_csv},
                                              {"json", render_matrix_json},
                                              {"markdown", render_matrix_markdown},
                                              {"html", render_matrix_html}};
  return kFormats;
}

std::string cell_text(const Cell& cell) {
  return cell.tries != 0 ? std::to_string(cell.caught) + "/" + std::to_string(cell.tries)
                         : std::string(short_name(cell.worst.verdict));
}

std::string cell_detail(const Cell& cell) {
  const Observation& seen = cell.worst;
  std::string out = seen.when;
  if (seen.signal != 0) {
    out += (out.empty() ? "" : ", ") + signal_name(seen.signal);
  }
  if (!seen.message.empty()) {
    out += (out.empty() ? "" : ": ") + seen.message;
  }
  return out;
}

std::string tally_text(const Tally& tally) {
  const std::string rest = tally.not_judged == 0 ? "" : " " + std::to_string(tally.not_judged) + "?";
  return std::to_string(tally.passed) + "/" + std::to_string(tally.judged) + rest;
}

std::vector<std::string> sections_of(const Matrix& matrix) {
  std::vector<std::string> sections;
  for (const auto& name : section_names()) {
    if (std::any_of(matrix.scenarios.begin(), matrix.scenarios.end(),
                    [&name](const Scenario& scenario) { return scenario.section() == name; })) {
      sections.push_back(name);
    }
  }
  return sections;
}

}  // namespace bench::verify
