#include "bench/verify/matrix.hpp"

#include <algorithm>
#include <fstream>
#include <iterator>

#include "bench/measure/sha256.hpp"

namespace bench::verify {
namespace {

namespace fs = std::filesystem;

constexpr double kStartTimeoutS = 20;
// Scenarios that may take longer than this run in one variant.
constexpr double kLongS = 20;

std::string contents(const fs::path& file) {
  std::ifstream in(file, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>()};
}

// `option`: "NAME=VALUE" beside it; empty: none.
std::vector<std::string> environment_of(const allocators::Candidate& candidate, const std::string& option) {
  // The C library's older versions write their messages to the terminal unless they are told otherwise.
  std::vector<std::string> set = {"LIBC_FATAL_STDERR_=1"};
  if (!candidate.library.empty()) {
    set.push_back("LD_PRELOAD=" + candidate.library.string());
  }
  for (const auto& [name, value] : candidate.environment) {
    set.push_back(name + "=" + value);
  }
  if (!option.empty()) {
    set.push_back(option);
  }
  return environment_with({"LD_PRELOAD"}, set);
}

// Whoever runs it has set the option's variable already: then that is what is looked at.
bool is_set(const allocators::Candidate& candidate, const std::string& option) {
  const std::string name = option.substr(0, option.find('='));
  return std::any_of(candidate.environment.begin(), candidate.environment.end(),
                     [&name](const auto& variable) { return variable.first == name; });
}

class Runner {
 public:
  Runner(const MatrixOptions& options, Signals& signals) : options_(options), signals_(signals) {}

  Finished run(const Subject& subject, const std::string& variant, const std::string& word, double timeout_s,
               const std::string& option = {}) {
    Command command;
    command.words = {program_of(options_.libexec, variant).string(), word};
    command.environment = environment_of(subject.candidate, option);
    command.stdout_file = options_.scratch / "stdout";
    command.stderr_file = options_.scratch / "stderr";
    command.timeout_s = timeout_s;
    return run_to_end(command, signals_);
  }
  [[nodiscard]] std::string said() const { return contents(options_.scratch / "stdout"); }
  [[nodiscard]] std::string message() const { return contents(options_.scratch / "stderr"); }

  Observation observe(const Subject& subject, const Scenario& scenario, const std::string& variant) {
    const Finished finished = run(subject, variant, scenario.id, scenario.timeout_s);
    Observation seen = judge(scenario.kind, finished, said(), message());
    const bool is_done = scenario.option.empty() || is_passed(scenario.kind, seen.verdict) || !is_judged(seen.verdict);
    if (is_done || is_set(subject.candidate, scenario.option)) {
      return seen;
    }
    const Finished again = run(subject, variant, scenario.id, scenario.timeout_s, scenario.option);
    Observation told = judge(scenario.kind, again, said(), message());
    told.option = scenario.option;
    return is_passed(scenario.kind, told.verdict) ? told : seen;
  }

  // The variants of a scenario that are to be run.
  [[nodiscard]] std::vector<std::string> variants_of(const Scenario& scenario) const {
    std::vector<std::string> wanted;
    for (const auto& variant : options_.variants) {
      if (std::find(scenario.variants.begin(), scenario.variants.end(), variant) != scenario.variants.end()) {
        wanted.push_back(variant);
      }
    }
    const bool one_is_enough = scenario.timeout_s > kLongS || scenario.kind == Kind::kChance || scenario.kind == Kind::kChanceHolds;
    if (one_is_enough && wanted.size() > 1) {
      wanted.resize(1);
    }
    return wanted;
  }

  [[nodiscard]] int chances() const { return options_.chances; }
  [[nodiscard]] bool interrupted() { return signals_.interrupted(); }

 private:
  const MatrixOptions& options_;
  Signals& signals_;
};

// Whether the library serves a process at all, and is its malloc.
void look_at_start(Subject& subject, Runner& runner) {
  const Finished finished = runner.run(subject, variant_names().front(), "--who", kStartTimeoutS);
  const std::string message = runner.message().substr(0, 200);
  const std::string line = message.substr(0, message.find('\n'));
  if (message.find("cannot be preloaded") != std::string::npos) {
    subject.unusable = line;
  } else if (finished.ending == Ending::kTimeout) {
    subject.unusable = "hangs at its start";
  } else if (finished.ending == Ending::kKilled) {
    subject.unusable = "ends the process at its start: " + signal_name(finished.code) + (line.empty() ? "" : ": " + line);
  } else if (finished.ending != Ending::kExited || finished.code != 0) {
    subject.unusable = "a process cannot start under it" + (line.empty() ? "" : ": " + line);
  }
  if (!subject.unusable.empty()) {
    return;
  }
  std::string owner = runner.said();
  while (owner.ends_with('\n')) {
    owner.pop_back();
  }
  std::error_code error;
  const auto lines = std::count(owner.begin(), owner.end(), '\n');
  const std::string last = owner.substr(lines == 0 ? 0 : owner.rfind('\n') + 1);
  if (!subject.candidate.library.empty() && !fs::equivalent(last, subject.candidate.library, error)) {
    subject.unusable = "does not win the link: malloc is " + last + "'s";
  } else if (lines != 0 || !line.empty()) {
    subject.remark = "prints on its own: " + (line.empty() ? owner.substr(0, owner.find('\n')) : line);
  }
}

Cell observe_chance(Runner& runner, const Subject& subject, const Scenario& scenario, const std::string& variant) {
  Cell cell;
  bool has_failure = false;
  for (int i = 0; i < runner.chances() && !runner.interrupted(); ++i) {
    Observation seen = runner.observe(subject, scenario, variant);
    if (!is_judged(seen.verdict)) {
      return {std::move(seen), {}, 0, 0};
    }
    ++cell.tries;
    const bool well = is_passed(scenario.kind, seen.verdict);
    cell.caught += well ? 1 : 0;
    if (!has_failure) {
      cell.worst = std::move(seen);
    }
    has_failure = has_failure || !well;
  }
  return cell;
}

Cell observe_cell(Runner& runner, const Subject& subject, const Scenario& scenario) {
  const auto variants = runner.variants_of(scenario);
  if (!subject.unusable.empty() || variants.empty()) {
    return {{Verdict::kNotJudged, "", 0, variants.empty() ? "not built in the variants asked for" : subject.unusable}, {}, 0, 0};
  }
  if (scenario.kind == Kind::kChance || scenario.kind == Kind::kChanceHolds) {
    return observe_chance(runner, subject, scenario, variants.front());
  }
  Cell cell;
  for (const auto& variant : variants) {
    if (runner.interrupted()) {
      break;
    }
    cell.seen.push_back({variant, runner.observe(subject, scenario, variant)});
    if (cell.seen.size() == 1 || is_worse(cell.seen.back().observation.verdict, cell.worst.verdict)) {
      cell.worst = cell.seen.back().observation;
    }
  }
  return cell;
}

}  // namespace

Matrix run_matrix(std::vector<Subject> subjects, std::vector<Scenario> scenarios, const MatrixOptions& options, Signals& signals) {
  Matrix matrix;
  Runner runner(options, signals);
  for (Subject& subject : subjects) {
    if (subject.unusable.empty()) {
      look_at_start(subject, runner);
    }
    if (!subject.candidate.library.empty()) {
      subject.sha256 = sha256_of_file(subject.candidate.library).value_or("");
    }
  }
  for (Scenario& scenario : scenarios) {
    if (runner.interrupted()) {
      break;
    }
    options.progress(scenario);
    std::vector<Cell> row;
    for (const Subject& subject : subjects) {
      row.push_back(observe_cell(runner, subject, scenario));
    }
    matrix.cells.push_back(std::move(row));
    matrix.scenarios.push_back(std::move(scenario));
  }
  matrix.interrupted = runner.interrupted();
  matrix.subjects = std::move(subjects);
  return matrix;
}

bool is_passed(const Scenario& scenario, const Cell& cell) {
  return cell.tries != 0 ? 2 * cell.caught >= cell.tries : is_passed(scenario.kind, cell.worst.verdict);
}

Tally tally(const Matrix& matrix, std::size_t subject, const std::string& section) {
  Tally tally;
  for (std::size_t i = 0; i < matrix.cells.size(); ++i) {
    const Scenario& scenario = matrix.scenarios[i];
    const Cell& cell = matrix.cells[i][subject];
    if (!section.empty() && scenario.section() != section) {
      continue;
    }
    if (cell.tries == 0 && !is_judged(cell.worst.verdict)) {
      tally.not_judged += cell.worst.verdict == Verdict::kNotJudged ? 1 : 0;
      continue;
    }
    ++tally.judged;
    tally.passed += is_passed(scenario, cell) ? 1 : 0;
    tally.by_option += is_passed(scenario, cell) && !cell.worst.option.empty() ? 1 : 0;
  }
  return tally;
}

}  // namespace bench::verify
