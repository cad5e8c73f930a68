#include "bench/verify/scenario.hpp"

#include <algorithm>
#include <fstream>
#include <map>
#include <sstream>
#include <stdexcept>

namespace bench::verify {
namespace {

namespace fs = std::filesystem;

constexpr double kListTimeoutS = 60;
constexpr const char* kGroupMark = "////";

std::vector<std::string> split_fields(const std::string& line) {
  std::vector<std::string> fields;
  std::istringstream in(line);
  for (std::string field; std::getline(in, field, '\t');) {
    fields.push_back(field);
  }
  return fields;
}

Scenario parse_line(const std::string& line) {
  const auto fields = split_fields(line);
  if (fields.size() != 7) {
    throw std::runtime_error("a list of scenarios has a line that is not understood: " + line);
  }
  Scenario scenario;
  scenario.id = fields[0];
  scenario.kind = static_cast<Kind>(std::stoi(fields[1]));
  scenario.timeout_s = std::stod(fields[2]);
  scenario.file = fields[3];
  scenario.line = std::stoi(fields[4]);
  scenario.option = fields[5];
  scenario.right = fields[6];
  return scenario;
}

std::size_t place_of(const std::string& section) {
  const auto& names = section_names();
  return static_cast<std::size_t>(std::find(names.begin(), names.end(), section) - names.begin());
}

std::vector<std::string> lines_of(const fs::path& file) {
  std::ifstream in(file);
  if (!in) {
    throw std::runtime_error(file.string() + " cannot be read; build or install the project as a whole");
  }
  std::vector<std::string> lines;
  for (std::string line; std::getline(in, line);) {
    lines.push_back(line);
  }
  return lines;
}

}  // namespace

const std::vector<std::string>& variant_names() {
  static const std::vector<std::string> names = {"c-O2", "cxx-O2", "c-O0", "cxx-O0"};
  return names;
}

const std::vector<std::string>& section_names() {
  static const std::vector<std::string> names = {"api", "threads", "fork", "memory-refused", "returns", "hardening"};
  return names;
}

fs::path program_of(const fs::path& libexec, const std::string& variant) { return libexec / ("verify-" + variant); }

std::vector<Scenario> read_catalogue(const fs::path& libexec, const fs::path& scratch, Signals& signals) {
  std::vector<Scenario> found;
  std::map<std::string, std::size_t> places;
  for (const auto& variant : variant_names()) {
    Command command;
    command.words = {program_of(libexec, variant).string(), "--list"};
    command.environment = environment_with({"LD_PRELOAD"}, {});
    command.stdout_file = scratch / "list";
    command.stderr_file = scratch / "stderr";
    command.timeout_s = kListTimeoutS;
    const Finished finished = run_to_end(command, signals);
    if (finished.ending != Ending::kExited || finished.code != 0) {
      throw std::runtime_error(command.words[0] + " does not list its scenarios; build or install the project as a whole");
    }
    for (const auto& line : lines_of(command.stdout_file)) {
      Scenario scenario = parse_line(line);
      const auto [place, is_new] = places.emplace(scenario.id, found.size());
      if (is_new) {
        found.push_back(std::move(scenario));
      }
      found[place->second].variants.push_back(variant);
    }
  }
  std::stable_sort(found.begin(), found.end(), [](const Scenario& a, const Scenario& b) {
    return std::make_tuple(place_of(a.section()), a.file, a.line) < std::make_tuple(place_of(b.section()), b.file, b.line);
  });
  return found;
}

std::string source_of(const Scenario& scenario, const fs::path& source_folder) {
  const auto lines = lines_of(source_folder / scenario.file);
  const auto here = std::min(static_cast<std::size_t>(scenario.line), lines.size());
  std::size_t first = here;
  while (first > 0 && !lines[first - 1].starts_with(kGroupMark)) {
    --first;
  }
  std::string out = "/* " + scenario.id + ": " + scenario.right + "\n * " + scenario.file + ":" + std::to_string(scenario.line) +
                    "; to run it: " + (scenario.option.empty() ? "" : scenario.option + " ") +
                    "LD_PRELOAD=LIBRARY verify-" + scenario.variants.front() + " " + scenario.id + " */\n\n";
  for (std::size_t i = first; i < lines.size() && !lines[i].starts_with(kGroupMark); ++i) {
    out += lines[i] + "\n";
  }
  return out;
}

}  // namespace bench::verify
