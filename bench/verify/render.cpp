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
                         : std::string(short_name(cell.worst.verdict)) + (cell.worst.option.empty() ? "" : "*");
}

std::string cell_detail(const Cell& cell) {
  const Observation& seen = cell.worst;
  std::string out = seen.option.empty() ? "" : "with " + seen.option + ": ";
  out += seen.when;
  if (seen.signal != 0) {
    out += (seen.when.empty() ? "" : ", ") + signal_name(seen.signal);
  }
  if (!seen.message.empty()) {
    out += (out.empty() ? "" : ": ") + seen.message;
  }
  return out;
}

std::string tally_text(const Tally& tally) {
  std::string rest = tally.by_option == 0 ? "" : " " + std::to_string(tally.by_option) + "*";
  rest += tally.not_judged == 0 ? "" : " " + std::to_string(tally.not_judged) + "?";
  return std::to_string(tally.passed) + "/" + std::to_string(tally.judged) + rest;
}

std::string option_note(const Matrix& matrix) {
  std::vector<std::string> options;
  for (const auto& row : matrix.cells) {
    for (const auto& cell : row) {
      const std::string& option = cell.worst.option;
      if (!option.empty() && std::find(options.begin(), options.end(), option) == options.end()) {
        options.push_back(option);
      }
    }
  }
  std::string out;
  for (const auto& option : options) {
    out += (out.empty() ? "*: missed as the allocator comes; so with " : " or ") + option;
  }
  return out.empty() ? out : out + ".\n";
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
