// bench run: its own options.
#include <algorithm>
#include <memory>

#include "bench/cli/measure_words.hpp"
#include "bench/run/plan.hpp"

namespace bench::cli {
namespace {

struct RunWords {
  MeasureWords measure;
  std::vector<std::string> workloads;
  std::vector<std::string> suites;
  std::string threads;
  std::string min_time;
};

// Flags of Google Benchmark that would undo the plan, and what to use instead.
void check_flags(const std::vector<std::string>& flags) {
  constexpr std::pair<std::string_view, const char*> kOurs[] = {
      {"--benchmark_filter", "--workload"},        {"--benchmark_repetitions", "--repetitions"},
      {"--benchmark_min_time", "--min-time"},      {"--benchmark_list_tests", "bench list workloads"},
      {"--benchmark_out", "--out"},                {"--benchmark_enable_random_interleaving", "--seed"},
      {"--benchmark_format", "--format"}};
  for (const auto& flag : flags) {
    if (!flag.starts_with("--benchmark_") && !flag.starts_with("--v=")) {
      throw UsageError("after -- stand flags of Google Benchmark (--benchmark_...), not '" + flag + "'");
    }
    for (const auto& [name, instead] : kOurs) {
      if (flag.starts_with(name)) {
        throw UsageError(flag + " would undo the plan of the run; use " + instead);
      }
    }
  }
}

RunOptions read_options(const RunWords& words, const Invocation& invocation) {
  RunOptions options;
  read_measure_options(words.measure, invocation, options);
  for (const auto& list : words.workloads) {
    for (auto& workload : split_workloads(list)) {
      options.workloads.push_back(std::move(workload));
    }
  }
  if (!words.suites.empty()) {
    options.suites = split_list(joined(words.suites, ","));
  }
  if (!words.threads.empty()) {
    options.threads = parse_threads("--threads", words.threads, usable_cpus());
  }
  if (!words.min_time.empty()) {
    options.min_time_s = parse_seconds("--min-time", words.min_time);
  }
  check_flags(invocation.after_dashes);
  options.worker_flags = invocation.after_dashes;
  return options;
}

void add_options(CLI::App& command, RunWords& words) {
  add_measure_options(command, words.measure);
  command.add_option("--workload", words.workloads, "which workloads: names, globs, name:parameter=value, paths of modules")
      ->type_name("GLOB[,..]");
  command.add_option("--suite", words.suites, "quick (default), standard, full, or another of `bench list suites`, or a file")
      ->type_name("NAME");
  command.add_option("--threads", words.threads, "thread counts, such as 1,2,cpus,2cpus or 1..2cpus (1, 2, 4, ... twice the CPUs); default: the suite's")
      ->take_last()->type_name("LIST");
  command.add_option("--min-time", words.min_time, "seconds to which each workload is calibrated")->take_last()->type_name("SECONDS");
}

int act(const RunWords& words, const Invocation& invocation) {
  if (!words.measure.resume.empty()) {
    return resume(words.measure.resume);
  }
  const Format format = read_format(words.measure.format);
  return conclude(run(read_options(words, invocation)), format);
}

}  // namespace

RunOptions run_options(const std::vector<std::string>& typed, const Invocation& invocation, std::string& format) {
  RunWords words;
  CLI::App parser;
  add_options(parser, words);
  parser.parse(std::vector<std::string>(typed.rbegin(), typed.rend()));  // CLI11 takes the words last first
  format = words.measure.format;
  return read_options(words, invocation);
}

void add_run(CLI::App& app, Context& context) {
  auto words = std::make_shared<RunWords>();
  CLI::App* command = app.add_subcommand("run", "Measure allocators on workloads (the default command)");
  add_options(*command, *words);
  command->footer("Flags after -- reach Google Benchmark in every worker, e.g. -- --benchmark_perf_counters=CYCLES\n"
                  "Exit: 0 all measured, 2 usage, 3 some cells failed, 130 interrupted.");
  command->callback([words, &context] { context.action = [words, &context] { return act(*words, context.invocation); }; });
}

}  // namespace bench::cli
