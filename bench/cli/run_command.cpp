// bench run: its own options.
#include <algorithm>

#include "bench/allocators/nearest.hpp"
#include "bench/cli/measure_words.hpp"
#include "bench/run/plan.hpp"

namespace bench::cli {
namespace {

struct RunWords {
  MeasureWords measure;
  std::vector<std::string> workloads;
  std::vector<std::string> suites;
  std::string what;
  std::string counter;
  std::string huge_pages;
  std::string threads;
  std::string min_time;
  std::string shard;

  void declare(CLI::App& command);
  [[nodiscard]] RunOptions read(const Invocation& invocation) const;
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
    if (flag.starts_with("--benchmark_perf_counters")) {
      throw UsageError(flag + " counts nothing: Google Benchmark as packaged has no libpfm; use perf stat, or valgrind --tool=callgrind");
    }
    for (const auto& [name, instead] : kOurs) {
      if (flag.starts_with(name)) {
        throw UsageError(flag + " would undo the plan of the run; use " + instead);
      }
    }
  }
}

// The text itself, which is empty or one of `known`; throws UsageError with the nearest.
std::string one_of(const char* noun, const std::string& text, const std::vector<std::string>& known) {
  if (!text.empty() && std::find(known.begin(), known.end(), text) == known.end()) {
    throw UsageError(allocators::unknown_name_message(noun, text, known));
  }
  return text;
}

Measure read_measure(const std::string& what, const std::string& counter) {
  const bool latency = one_of("measure", what, {"speed", "latency"}) == "latency";
  if (one_of("counter", counter, {"instructions", "cycles"}).empty()) {
    return latency ? Measure::kLatency : Measure::kSpeedAndMemory;
  }
  if (!what.empty()) {
    throw UsageError("--counter and --measure are runs of their own: leave one out");
  }
  return counter == "instructions" ? Measure::kInstructions : Measure::kCycles;
}

RunOptions RunWords::read(const Invocation& invocation) const {
  RunOptions options;
  read_measure_options(measure, invocation, options);
  for (const auto& list : workloads) {
    for (auto& workload : split_workloads(list)) {
      options.workloads.push_back(std::move(workload));
    }
  }
  if (!suites.empty()) {
    options.suites = split_list(joined(suites, ","));
  }
  options.measure = read_measure(what, counter);
  if (!huge_pages.empty()) {
    options.huge_pages = one_of("mode of huge pages", huge_pages, {"always", "madvise", "never"});
  }
  if (!threads.empty()) {
    options.threads = parse_threads("--threads", threads, usable_cpus());
  }
  if (!min_time.empty()) {
    options.min_time_s = parse_seconds("--min-time", min_time);
  }
  options.shard = shard.empty() ? shard_of_environment() : std::optional(parse_shard(shard));
  if (shard.empty() && options.shard) {  // so that --resume goes on with the same part, whatever the environment says then
    options.words.insert(std::find(options.words.begin(), options.words.end(), "--"), "--shard=" + to_string(*options.shard));
  }
  check_flags(invocation.after_dashes);
  options.worker_flags = invocation.after_dashes;
  return options;
}

void RunWords::declare(CLI::App& command) {
  add_measure_options(command, measure);
  command.add_option("--workload", workloads, "which workloads: names, globs, name:parameter=value, paths of modules")
      ->type_name("GLOB[,..]");
  command.add_option("--suite", suites, "quick (default), standard, full, or another of `bench list suites`, or a file")
      ->type_name("NAME");
  command.add_option("--measure", what, "speed (default: throughput and memory), or latency: the time of every call, in runs of their own")
      ->take_last()->type_name("WHAT");
  command.add_option("--counter", counter, "instructions (by callgrind, small inputs, the same twice), or cycles (the CPU's counters), instead of times")
      ->take_last()->type_name("WHAT");
  command.add_option("--thp", huge_pages, "mode of transparent huge pages during the run: always, madvise, never; set back afterwards")
      ->take_last()->type_name("MODE");
  command.add_option("--threads", threads, "thread counts, such as 1,2,cpus,2cpus or 1..2cpus (1, 2, 4, ... twice the CPUs); default: the suite's")
      ->take_last()->type_name("LIST");
  command.add_option("--shard", shard, "part I of N of the plan's cells, for several hosts; bench merge joins them; default: GTEST_SHARD_INDEX, TEST_SHARD_INDEX")
      ->take_last()->type_name("I/N");
  command.add_option("--min-time", min_time, "seconds to which each workload is calibrated")->take_last()->type_name("SECONDS");
}

}  // namespace

RunOptions run_options(const std::vector<std::string>& typed, const Invocation& invocation, std::string& format) {
  return options_from<RunWords>(typed, invocation, format);
}

void add_run(CLI::App& app, Context& context) {
  CLI::App* command = app.add_subcommand("run", "Measure allocators on workloads (the default command)");
  command->footer("Flags after -- reach Google Benchmark in every worker, e.g. -- --benchmark_context=note=text\n"
                  "Exit: 0 all measured, 2 usage, 3 some cells failed, 130 interrupted.");
  add_measuring_command<RunWords>(command, context);
}

}  // namespace bench::cli
