// The matrix for programs: CSV and JSON.
#include <nlohmann/json.hpp>

#include "bench/verify/render.hpp"

namespace bench::verify {
namespace {

std::string quoted(const std::string& text) {
  if (text.find_first_of(",\"\n\r") == std::string::npos) {
    return text;
  }
  std::string out = "\"";
  for (const char c : text) {
    out += c == '"' ? "\"\"" : std::string(1, c == '\n' || c == '\r' ? ' ' : c);
  }
  return out + "\"";
}

std::string csv_line(const Scenario& scenario, const Subject& subject, const std::string& variant, const Observation& seen,
                     bool passed, const std::string& chance) {
  return scenario.section() + "," + scenario.id + "," + quoted(subject.candidate.name) + "," + variant + "," +
         std::string(key(seen.verdict)) + "," + (!is_judged(seen.verdict) ? "" : passed ? "yes" : "no") + "," + seen.when + "," +
         (seen.signal == 0 ? "" : std::to_string(seen.signal)) + "," + chance + "," + quoted(seen.message) + "," +
         quoted(seen.option) + "\n";
}

nlohmann::json observation_json(const Observation& seen) {
  nlohmann::json out = {{"verdict", key(seen.verdict)}};
  if (!seen.when.empty()) {
    out["when"] = seen.when;
  }
  if (seen.signal != 0) {
    out["signal"] = seen.signal;
  }
  if (!seen.option.empty()) {
    out["option"] = seen.option;
  }
  if (!seen.message.empty()) {
    out["message"] = seen.message;
  }
  return out;
}

nlohmann::json cell_json(const Scenario& scenario, const Cell& cell) {
  nlohmann::json out = observation_json(cell.worst);
  out["passed"] = cell.tries != 0 || is_judged(cell.worst.verdict) ? nlohmann::json(is_passed(scenario, cell)) : nlohmann::json();
  if (cell.tries != 0) {
    out["went_well"] = cell.caught;
    out["tries"] = cell.tries;
  }
  for (const auto& seen : cell.seen) {
    out["variants"][seen.variant] = observation_json(seen.observation);
  }
  return out;
}

nlohmann::json subject_json(const Matrix& matrix, std::size_t place) {
  const Subject& subject = matrix.subjects[place];
  nlohmann::json out = {{"name", subject.candidate.name}, {"library", subject.candidate.library.string()},
                        {"sha256", subject.sha256},       {"unusable", subject.unusable},
                        {"remark", subject.remark},       {"on_trial", subject.is_judged}};
  for (const auto& section : sections_of(matrix)) {
    const Tally sum = tally(matrix, place, section);
    out["sections"][section] = {
        {"passed", sum.passed}, {"by_option", sum.by_option}, {"judged", sum.judged}, {"not_judged", sum.not_judged}};
  }
  return out;
}

}  // namespace

std::string render_matrix_csv(const Matrix& matrix) {
  std::string out = "section,scenario,allocator,variant,verdict,passed,when,signal,chance,message,option\n";
  for (std::size_t i = 0; i < matrix.cells.size(); ++i) {
    const Scenario& scenario = matrix.scenarios[i];
    for (std::size_t s = 0; s < matrix.subjects.size(); ++s) {
      const Cell& cell = matrix.cells[i][s];
      for (const auto& seen : cell.seen) {
        const bool passed = is_passed(scenario.kind, seen.observation.verdict);
        out += csv_line(scenario, matrix.subjects[s], seen.variant, seen.observation, passed, "");
      }
      if (cell.seen.empty()) {
        const std::string chance = cell.tries == 0 ? "" : std::to_string(cell.caught) + "/" + std::to_string(cell.tries);
        out += csv_line(scenario, matrix.subjects[s], "", cell.worst, is_passed(scenario, cell), chance);
      }
    }
  }
  return out;
}

std::string render_matrix_json(const Matrix& matrix) {
  nlohmann::json out;
  for (std::size_t s = 0; s < matrix.subjects.size(); ++s) {
    out["allocators"].push_back(subject_json(matrix, s));
  }
  out["scenarios"] = nlohmann::json::array();
  for (std::size_t i = 0; i < matrix.cells.size(); ++i) {
    const Scenario& scenario = matrix.scenarios[i];
    nlohmann::json row = {{"id", scenario.id}, {"section", scenario.section()}, {"right", scenario.right}};
    for (std::size_t s = 0; s < matrix.subjects.size(); ++s) {
      row["cells"][matrix.subjects[s].candidate.name] = cell_json(scenario, matrix.cells[i][s]);
    }
    out["scenarios"].push_back(std::move(row));
  }
  return out.dump(1, ' ', false, nlohmann::json::error_handler_t::replace) + "\n";
}

}  // namespace bench::verify
