// bench list: what can be measured here, and what is missing.
#include <fmt/format.h>

#include <memory>

#include "bench/allocators/adapters/adapters.hpp"
#include "bench/cli/measure_words.hpp"
#include "bench/output/grid.hpp"
#include "bench/output/run_directory.hpp"
#include "bench/run/catalogue.hpp"
#include "bench/plan/exec_program.hpp"
#include "bench/run/plan.hpp"
#include "bench/run/scratch_folder.hpp"
#include "bench/plan/suite.hpp"
#include "bench/model/metric.hpp"

namespace bench::cli {
namespace {

constexpr double kAnswerWithinS = 20;
constexpr std::size_t kWidth = 80;

// A row of a listing: short facts in columns, then a sentence, which goes on below where it is long.
std::string row(const std::string& facts, const std::string& sentence) {
  const std::string line = facts + " " + sentence;
  return line.size() <= kWidth ? line + "\n" : facts.substr(0, facts.find_last_not_of(' ') + 1) + "\n" + wrapped(sentence, 2, kWidth);
}

std::string version_of(Launcher& launcher, const allocators::Candidate& allocator) {
  const Attempt attempt = launcher.run(worker::Request{}, allocator, kAnswerWithinS);
  return attempt.status != Status::kOk ? "cannot be used: " + attempt.detail : attempt.result.value("version", "unknown");
}

std::string list_allocators(Launcher& launcher) {
  const allocators::Registry registry(allocators::known_allocators(), launcher.layout().library_folders());
  std::string out = fmt::format("{:<16} {:<11} {:<9} {}\n", "ALLOCATOR", "ROLE", "VERSION", "WHAT, AND WHERE");
  for (const auto& known : registry.known()) {
    const auto library = registry.find(known);
    const std::string where = !library ? (known.package.empty() ? "not built here" : "not installed: apt-get install " + known.package)
                              : library->empty() ? "the C library"
                                                 : library->string();
    out += row(fmt::format("{:<16} {:<11} {:<9}", known.name, to_string(known.role),
                           library ? version_of(launcher, {known.name, *library, {}}) : "-"),
               known.summary + "; " + where);
  }
  return out + "A path names any shared object that exports malloc, calloc, realloc and free.\n";
}

std::string describe_parameters(const nlohmann::json& workload) {
  std::string out;
  for (const auto& parameter : workload.at("parameters")) {
    std::string range;
    for (const auto& choice : parameter.at("choices")) {
      range += (range.empty() ? "" : "|") + choice.get<std::string>();
    }
    if (range.empty()) {
      range = fmt::format("{}..{}", parameter.at("min").get<std::int64_t>(), parameter.at("max").get<std::int64_t>());
    }
    const auto unit = parameter.at("unit").get<std::string>();
    out += wrapped(fmt::format("{}={} ({}{}): {}", parameter.at("name").get<std::string>(), parameter.at("default").get<std::string>(), range,
                               unit.empty() ? "" : " " + unit, parameter.at("meaning").get<std::string>()),
                   4, kWidth);
  }
  return out;
}

std::string describe_in_full(const nlohmann::json& workload) {
  std::string out;
  for (const char* key : {"operation", "origin", "threads_note", "profile"}) {
    if (const auto text = workload.at(key).get<std::string>(); !text.empty()) {
      out += wrapped(fmt::format("{}: {}", key, text), 4, kWidth);
    }
  }
  return out + describe_parameters(workload);
}

std::string describe_in_full(const Program& program) {
  const auto line = [](const char* key, const std::vector<std::string>& words) {
    return words.empty() ? "" : wrapped(fmt::format("{}: {}", key, joined(words, " ")), 4, kWidth);
  };
  std::string out = line("command", program.command) + line("environment", program.environment) + line("load", program.load);
  out += program.metric.empty() ? "    operation: a run\n" : wrapped(fmt::format("throughput: what '{}' finds in the output of the load", program.metric), 4, kWidth);
  return out + fmt::format("    package: {}\n", program.package);
}

std::string list_workloads(Launcher& launcher, bool in_full) {
  constexpr const char* kFacts = "{:<22} {:<10} {:<7}";
  const Catalogue catalogue(launcher);
  std::string out = row(fmt::format(kFacts, "WORKLOAD", "KIND", "THREADS"), "WHAT IT ASKS OF AN ALLOCATOR");
  for (const auto& workload : catalogue.workloads()) {
    out += row(fmt::format(kFacts, workload.at("name").get<std::string>(), workload.at("kind").get<std::string>(),
                           workload.at("threads").get<bool>() ? "any" : "1"),
               workload.at("question").get<std::string>());
    out += in_full ? describe_in_full(workload) : "";
  }
  for (const auto& program : ready_programs(launcher.layout().share / "programs")) {
    const auto missing = missing_need(program);
    out += row(fmt::format(kFacts, program.name, "program", "own"), missing ? "not installed: apt-get install " + program.package : program.question);
    out += in_full ? describe_in_full(program) : "";
  }
  for (const auto& missing : missing_workloads(launcher.layout())) {
    out += row(fmt::format("{:<22}", missing.name), fmt::format("not built: apt-get install {}, then build again", missing.package));
  }
  return out;
}

std::string list_metrics() {
  constexpr const char* kBetter[] = {"higher", "lower", "-"};
  std::string out = fmt::format("{:<22} {:<7} {:<7} {}\n", "METRIC", "UNIT", "BETTER", "WHAT IT IS");
  for (const auto& metric : metrics()) {
    out += row(fmt::format("{:<22} {:<7} {:<7}", metric.name, metric.unit, kBetter[static_cast<int>(metric.direction)]), std::string(metric.meaning));
  }
  return out;
}

std::string list_suites(const Layout& layout) {
  std::string out = fmt::format("{:<16} {:<6} {:<7} {:<11} {}\n", "SUITE", "LINES", "BLOCKS", "MIN-TIME, S", "WHAT FOR");
  for (const auto& name : suite_names(layout.share / "suites")) {
    const Suite suite = load_suites(layout.share / "suites", {name}, usable_cpus());
    out += row(fmt::format("{:<16} {:<6} {:<7} {:<11}", name, suite.lines.size(), suite.repetitions, suite.min_time_s), suite.purpose);
  }
  return out;
}

int act(const std::string& what, bool in_full) {
  Signals signals;
  const Layout layout = find_layout();
  const ScratchFolder scratch;
  Launcher launcher(layout, scratch.path(), signals);
  std::string out;
  const auto add = [&out](std::string text) { out += (out.empty() ? "" : "\n") + std::move(text); };
  if (what.empty() || what == "allocators") {
    add(list_allocators(launcher));
  }
  if (what.empty() || what == "workloads") {
    add(list_workloads(launcher, in_full));
  }
  if (what.empty() || what == "metrics") {
    add(list_metrics());
  }
  if (what.empty() || what == "suites") {
    add(list_suites(layout));
  }
  write_stdout(out);
  return kAllMeasured;
}

}  // namespace

void add_list(CLI::App& app, Context& context) {
  struct Words {
    std::string what;
    bool verbose = false;
    std::string profile;
  };
  auto words = std::make_shared<Words>();
  CLI::App* command = app.add_subcommand("list", "Show allocators, workloads, metrics and suites, and what is missing");
  command->add_option("what", words->what, "allocators, workloads, metrics or suites; default: all")
      ->check(CLI::IsMember({"allocators", "workloads", "metrics", "suites"}));
  command->add_flag("--verbose", words->verbose, "with parameters, their defaults, and where a workload comes from");
  command->add_option("--profile", words->profile, "of one workload: live memory over time, sizes, lifetimes, threads, remote frees")
      ->type_name("WORKLOAD");
  command->callback([words, &context] {
    context.action = [words] {
      return words->profile.empty() ? act(words->what, words->verbose) : profile_workload(words->profile);
    };
  });
}

}  // namespace bench::cli
