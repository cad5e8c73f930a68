// bench verify: what allocators promise and detect, executed.
#include <fnmatch.h>

#include <algorithm>
#include <cstdio>
#include <memory>

#include "bench/allocators/adapters/adapters.hpp"
#include "bench/allocators/nearest.hpp"
#include "bench/allocators/registry.hpp"
#include "bench/cells/layout.hpp"
#include "bench/cli/commands.hpp"
#include "bench/cli/measure_words.hpp"
#include "bench/output/run_directory.hpp"
#include "bench/plan/suite.hpp"
#include "bench/run/scratch_folder.hpp"
#include "bench/verify/render.hpp"

namespace bench::cli {
namespace {

using verify::Scenario;

struct VerifyWords {
  std::vector<std::string> allocators;
  std::vector<std::string> against;
  std::vector<std::string> sections;
  std::vector<std::string> scenarios;
  std::vector<std::string> variants;
  int chances = 100;
  std::string format = "table";
};

bool matches(const std::string& pattern, const std::string& id) { return fnmatch(pattern.c_str(), id.c_str(), 0) == 0; }

// Each word is a list separated by commas; all of them, in order.
std::vector<std::string> pieces_of(const std::vector<std::string>& words) {
  std::vector<std::string> pieces;
  for (const auto& word : words) {
    for (std::size_t start = 0; start <= word.size();) {
      const auto end = std::min(word.find(',', start), word.size());
      pieces.push_back(word.substr(start, end - start));
      start = end + 1;
    }
  }
  return pieces;
}

void refuse_unknown(const std::string& kind, const std::vector<std::string>& names, const std::vector<std::string>& known) {
  for (const auto& name : names) {
    if (std::find(known.begin(), known.end(), name) == known.end()) {
      throw UsageError(allocators::unknown_name_message(kind, name, known));
    }
  }
}

const verify::MatrixFormat& read_matrix_format(const std::string& name) {
  std::vector<std::string> known;
  for (const auto& format : verify::matrix_formats()) {
    if (format.name == name) {
      return format;
    }
    known.emplace_back(format.name);
  }
  throw UsageError(allocators::unknown_name_message("format", name, known));
}

void add_subjects(std::vector<verify::Subject>& subjects, const allocators::Registry& registry, const std::string& list,
                  bool is_judged) {
  const auto refused = [&](const std::string& name, const std::string& reason) {
    verify::Subject subject;
    subject.candidate.name = name;
    subject.unusable = reason;
    subject.is_judged = is_judged;
    subjects.push_back(std::move(subject));
  };
  for (auto& candidate : registry.parse(list, refused)) {
    const bool is_known = std::any_of(subjects.begin(), subjects.end(),
                                      [&](const verify::Subject& other) { return other.candidate.name == candidate.name; });
    if (!is_known) {
      verify::Subject subject;
      subject.candidate = std::move(candidate);
      subject.is_judged = is_judged;
      subjects.push_back(std::move(subject));
    }
  }
}

std::vector<Scenario> wanted_scenarios(const VerifyWords& words, std::vector<Scenario> all) {
  const auto sections = pieces_of(words.sections);
  const auto patterns = pieces_of(words.scenarios);
  refuse_unknown("section", sections, verify::section_names());
  std::vector<std::string> ids;
  for (const auto& scenario : all) {
    ids.push_back(scenario.id);
  }
  for (const auto& pattern : patterns) {
    if (std::none_of(ids.begin(), ids.end(), [&](const std::string& id) { return matches(pattern, id); })) {
      throw UsageError(allocators::unknown_name_message("scenario", pattern, ids));
    }
  }
  std::erase_if(all, [&](const Scenario& scenario) {
    const bool in_section = sections.empty() || std::find(sections.begin(), sections.end(), scenario.section()) != sections.end();
    const bool named = patterns.empty() || std::any_of(patterns.begin(), patterns.end(), [&](const std::string& pattern) {
                         return matches(pattern, scenario.id);
                       });
    return !in_section || !named;
  });
  return all;
}

int exit_code_of(const verify::Matrix& matrix) {
  bool all_passed = true;
  bool all_judged = !matrix.interrupted;
  for (std::size_t s = 0; s < matrix.subjects.size(); ++s) {
    const verify::Tally sum = verify::tally(matrix, s, "");
    all_judged = all_judged && sum.not_judged == 0;
    all_passed = all_passed && (!matrix.subjects[s].is_judged || sum.passed == sum.judged);
  }
  if (matrix.interrupted) {
    return kInterrupted;
  }
  return !all_passed ? kGateFailed : !all_judged ? kSomeFailed : kAllMeasured;
}

int verify_allocators(const VerifyWords& words) {
  const auto& format = read_matrix_format(words.format);
  if (words.allocators.empty()) {
    throw UsageError("say what to verify: --allocator=osmem (see bench list allocators)");
  }
  const auto variants = words.variants.empty() ? verify::variant_names() : pieces_of(words.variants);
  refuse_unknown("variant", variants, verify::variant_names());
  if (words.chances < 1 || words.chances > 10000) {
    throw UsageError("--chances must be a whole number from 1 to 10000, not " + std::to_string(words.chances));
  }
  Signals signals;
  const Layout layout = find_layout();
  const ScratchFolder scratch;
  const allocators::Registry registry(allocators::known_allocators(), layout.library_folders());
  std::vector<verify::Subject> subjects;
  add_subjects(subjects, registry, joined(words.allocators, ","), true);
  if (const std::string against = joined(words.against, ","); !against.empty() && against != "none") {
    add_subjects(subjects, registry, against, false);
  }
  const auto libexec = layout.worker.parent_path();
  auto scenarios = wanted_scenarios(words, verify::read_catalogue(libexec, scratch.path(), signals));
  const std::size_t total = scenarios.size();
  std::size_t done = 0;
  verify::MatrixOptions options;
  options.libexec = libexec;
  options.scratch = scratch.path();
  options.variants = variants;
  options.chances = words.chances;
  options.progress = [&](const Scenario& scenario) {
    std::fprintf(stderr, "bench: verify %zu of %zu: %s\n", ++done, total, scenario.id.c_str());
  };
  const verify::Matrix matrix = verify::run_matrix(std::move(subjects), std::move(scenarios), options, signals);
  write_stdout(format.render(matrix));
  return exit_code_of(matrix);
}

std::vector<Scenario> catalogue() {
  Signals signals;
  const ScratchFolder scratch;
  return verify::read_catalogue(find_layout().worker.parent_path(), scratch.path(), signals);
}

int show(const std::string& id) {
  std::vector<std::string> ids;
  for (const auto& scenario : catalogue()) {
    ids.push_back(scenario.id);
    if (scenario.id == id) {
      write_stdout(verify::source_of(scenario, find_layout().share / "scenarios"));
      return kAllMeasured;
    }
  }
  throw UsageError(allocators::unknown_name_message("scenario", id, ids));
}

int list_scenarios() {
  std::string out;
  for (const auto& scenario : catalogue()) {
    out += scenario.id + std::string(scenario.id.size() < 44 ? 44 - scenario.id.size() : 1, ' ') + " " + scenario.right + "\n";
  }
  write_stdout(out);
  return kAllMeasured;
}

void add_show_and_list(CLI::App& command, Context& context) {
  CLI::App* list = command.add_subcommand("list", "List all scenarios: id, and what is right");
  list->callback([&context] { context.action = [] { return list_scenarios(); }; });
  CLI::App* shown = command.add_subcommand("show", "Print a scenario's source, and how to run it");
  auto id = std::make_shared<std::string>();
  shown->add_option("id", *id, "as the matrix and `bench verify list` name it")->required();
  shown->callback([id, &context] { context.action = [id] { return show(*id); }; });
}

}  // namespace

void add_verify(CLI::App& app, Context& context) {
  auto words = std::make_shared<VerifyWords>();
  CLI::App* command = app.add_subcommand("verify", "Run small programs that show what allocators promise and detect");
  command->require_subcommand(0, 1);
  command->add_option("--allocator", words->allocators, "what to verify: names, all, paths of shared objects, name=path[,ENV=VALUE]")
      ->type_name("A[,B]");
  command->add_option("--against", words->against, "shown beside, without deciding the exit code; default: none")->type_name("X[,Y]");
  command->add_option("--section", words->sections, "of scenarios: api, threads, fork, memory-refused, returns, hardening; default: all")
      ->type_name("S[,T]");
  command->add_option("--scenario", words->scenarios, "ids, with * and ?; default: all")->type_name("GLOB[,...]");
  command->add_option("--variant", words->variants, "c-O2, cxx-O2, c-O0, cxx-O0: how the scenarios are compiled; default: all")
      ->type_name("V[,W]");
  command->add_option("--chances", words->chances, "processes for each scenario that is a matter of chance; default 100")->type_name("N");
  command->add_option("--format", words->format, "table, csv, json, markdown or html")->take_last()->type_name("NAME");
  command->footer("Exit code 1: an allocator on trial did not pass; 3: something could not be judged here.");
  add_show_and_list(*command, context);
  command->callback([words, &context, command] {
    if (command->get_subcommands().empty()) {
      context.action = [words] { return verify_allocators(*words); };
    }
  });
}

}  // namespace bench::cli
