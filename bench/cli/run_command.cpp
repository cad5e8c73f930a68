// bench run: its options, and what it says at the end.
#include <algorithm>
#include <charconv>
#include <memory>

#include "bench/cli/commands.hpp"
#include "bench/output/format.hpp"
#include "bench/output/run_directory.hpp"
#include "bench/run/plan.hpp"
#include "bench/run/run.hpp"

namespace bench::cli {
namespace {

// As typed; numbers are read by us, so that one message says what is wrong with any of them.
struct RunWords {
  std::vector<std::string> allocators;
  std::vector<std::string> against;
  std::vector<std::string> workloads;
  std::vector<std::string> suites;
  std::string threads;
  std::string repetitions;
  std::string min_time;
  std::string timeout;
  std::string seed;
  std::string baseline;
  std::string out;
  std::string resume;
  std::string format = "table";
};

std::string joined(const std::vector<std::string>& pieces, const char* separator) {
  std::string out;
  for (const auto& piece : pieces) {
    out += (out.empty() ? "" : separator) + piece;
  }
  return out;
}

std::uint64_t parse_whole(const std::string& what, const std::string& text, std::uint64_t least, std::uint64_t most) {
  std::uint64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc{} || end != text.data() + text.size() || value < least || value > most) {
    throw UsageError(what + " must be a whole number from " + std::to_string(least) + " to " + std::to_string(most) +
                     ", not '" + text + "'");
  }
  return value;
}

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
  if (words.allocators.empty()) {
    throw UsageError("say what to measure: --allocator=osmem (see bench list allocators)");
  }
  options.allocators = joined(words.allocators, ",");
  if (!words.against.empty()) {
    options.against = joined(words.against, ",");
  }
  for (const auto& list : words.workloads) {
    for (auto& workload : split_workloads(list)) {
      options.workloads.push_back(std::move(workload));
    }
  }
  if (!words.suites.empty()) {
    options.suites = split_list(joined(words.suites, ","));
  }
  if (!words.threads.empty()) {
    options.threads = parse_threads("--threads", words.threads);
  }
  if (!words.repetitions.empty()) {
    options.repetitions = static_cast<int>(parse_whole("--repetitions", words.repetitions, 1, 1000));
  }
  if (!words.min_time.empty()) {
    options.min_time_s = parse_seconds("--min-time", words.min_time);
  }
  if (!words.timeout.empty()) {
    options.timeout_s = parse_seconds("--timeout", words.timeout);
  }
  if (!words.seed.empty()) {
    options.seed = parse_whole("--seed", words.seed, 0, UINT64_MAX);
  }
  options.baseline = words.baseline;
  options.out = words.out;
  check_flags(invocation.after_dashes);
  options.worker_flags = invocation.after_dashes;
  options.words = invocation.words;
  options.command = "bench " + joined(invocation.words, " ");
  return options;
}

Format read_format(const std::string& name) {
  if (const auto format = format_named(name)) {
    return *format;
  }
  std::vector<std::string> known;
  for (const auto& format : stdout_formats()) {
    known.emplace_back(format.name);
  }
  throw UsageError("unknown format '" + name + "'; known: " + joined(known, ", "));
}

void say_warnings(const Report& report) {
  for (const auto& warning : report.warnings) {
    std::fprintf(stderr, "bench: warning: %s; %s\n", warning.what.c_str(), warning.remedy.c_str());
  }
}

int conclude(const RunResult& result, const Format& format) {
  write_stdout(format.render(result.report, style_of_stdout()));
  if (format.name != "table") {  // which shows them itself
    say_warnings(result.report);
  }
  const auto failures = failure_lines(result.report);
  for (const auto& line : failures) {
    std::fprintf(stderr, "bench: failed: %s\n", line.c_str());
  }
  std::fprintf(stderr, "bench: results in %s\n", result.out.c_str());
  if (!result.stopped_by.empty()) {
    std::fprintf(stderr, "bench: %s\n", result.stopped_by.c_str());
    return kSomeFailed;
  }
  if (result.interrupted) {
    std::fprintf(stderr, "bench: interrupted; go on with: bench --resume %s\n", result.out.c_str());
    return kInterrupted;
  }
  return failures.empty() ? kAllMeasured : kSomeFailed;
}

// The options of the command that began the run which is to go on.
RunOptions options_of_earlier(const std::filesystem::path& folder, std::string& format);

int act(const RunWords& words, const Invocation& invocation) {
  std::string format = words.format;
  const RunOptions options =
      words.resume.empty() ? read_options(words, invocation) : options_of_earlier(words.resume, format);
  return conclude(run(options), read_format(format));
}

void add_options(CLI::App& command, RunWords& words) {
  command.add_option("--allocator", words.allocators, "what to measure: names, all, paths of shared objects, name=path[,ENV=VALUE]")
      ->type_name("A[,B]");
  command.add_option("--against", words.against, "what to compare with; default: every production allocator found, and the floor")
      ->type_name("X[,Y]");
  command.add_option("--workload", words.workloads, "which workloads: names, globs, name:parameter=value, paths of modules")
      ->type_name("GLOB[,..]");
  command.add_option("--suite", words.suites, "quick (default), standard, full, or another of `bench list suites`, or a file")
      ->type_name("NAME");
  command.add_option("--threads", words.threads, "thread counts; default: the suite's, 1 and the number of CPUs")->take_last()->type_name("1,2,cpus");
  command.add_option("--repetitions", words.repetitions, "blocks; default: the suite's")->take_last()->type_name("N");
  command.add_option("--min-time", words.min_time, "seconds to which each workload is calibrated")->take_last()->type_name("SECONDS");
  command.add_option("--timeout", words.timeout, "seconds after which a process is ended")->take_last()->type_name("SECONDS");
  command.add_option("--seed", words.seed, "of all random orders and of the workloads' data; default 1")->take_last()->type_name("N");
  command.add_option("--baseline", words.baseline, "to which ratios are taken; default glibc")->take_last()->type_name("NAME");
  command.add_option("--out", words.out, "where results go; default results/local/<date>-<host>-<n>")->take_last()->type_name("DIR");
  command.add_option("--resume", words.resume, "go on with the run that was cut off in DIR")->take_last()->type_name("DIR");
  command.add_option("--format", words.format, "of the report on stdout: table, csv, json, markdown")->take_last()->type_name("NAME");
}

RunOptions options_of_earlier(const std::filesystem::path& folder, std::string& format) {
  const auto absolute = std::filesystem::absolute(folder);
  const EarlierCommand earlier = earlier_command(absolute);
  const auto dashes = std::find(earlier.words.begin(), earlier.words.end(), "--");
  Invocation invocation{earlier.words, {}};
  if (dashes != earlier.words.end()) {
    invocation.after_dashes.assign(dashes + 1, earlier.words.end());
  }
  std::vector<std::string> own(earlier.words.begin(), dashes);
  if (!own.empty() && own.front() == "run") {
    own.erase(own.begin());
  }
  std::reverse(own.begin(), own.end());
  RunWords words;
  CLI::App parser;
  add_options(parser, words);
  parser.parse(own);
  std::filesystem::current_path(earlier.working_folder);  // paths were typed there
  RunOptions options = read_options(words, invocation);
  options.resume = absolute;
  format = words.format;
  return options;
}

}  // namespace

void add_run(CLI::App& app, Context& context) {
  auto words = std::make_shared<RunWords>();
  CLI::App* command = app.add_subcommand("run", "Measure allocators on workloads (the default command)");
  add_options(*command, *words);
  command->footer("Flags after -- reach Google Benchmark in every worker, e.g. -- --benchmark_perf_counters=CYCLES\n"
                  "Exit: 0 all measured, 2 usage, 3 some cells failed, 130 interrupted.");
  command->callback([words, &context] { context.action = [words, &context] { return act(*words, context.invocation); }; });
}

}  // namespace bench::cli
