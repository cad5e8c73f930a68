// The commands of bench. Each adds its options to the parser and, if it is the one typed, leaves what to do.
#pragma once

#include <CLI/CLI.hpp>
#include <filesystem>
#include <functional>
#include <string>
#include <vector>

#include "bench/output/report.hpp"

namespace bench::cli {

enum ExitCode {
  kAllMeasured = 0,
  kGateFailed = 1,
  kUsage = 2,       // what was typed, or a file that it names, cannot be used
  kSomeFailed = 3,  // reported; the rest was kept
  kBroken = 4,      // nothing typed is to blame: the system refused something, or bench is wrong
  kInterrupted = 130
};

// The command line as it was typed.
struct Invocation {
  std::vector<std::string> words;         // without the program's name
  std::vector<std::string> after_dashes;  // what follows "--": Google Benchmark's flags, or a program to run
};

struct Context {
  Invocation invocation;
  std::function<int()> action;  // set by the command that was typed; returns an exit code
};

// The context outlives the parser.
void add_run(CLI::App& app, Context& context);
void add_exec(CLI::App& app, Context& context);
void add_list(CLI::App& app, Context& context);
void add_record(CLI::App& app, Context& context);
void add_replay(CLI::App& app, Context& context);
void add_doctor(CLI::App& app, Context& context);
void add_trace(CLI::App& app, Context& context);
void add_report(CLI::App& app, Context& context);
void add_compare(CLI::App& app, Context& context);
void add_merge(CLI::App& app, Context& context);
void add_results(CLI::App& app, Context& context);
void add_verify(CLI::App& app, Context& context);
void add_bisect(CLI::App& app, Context& context);
void add_help(CLI::App& app, Context& context);
void add_advise(CLI::App& app, Context& context);

// The page that shows these runs, as one file. Throws UnreadableRun or OutputError.
void write_page(const std::vector<std::string>& folders, const std::string& file);

// Writes report.html beside a run's report.md where that takes less than half a second. What to tell the user: where it is, or the command
// that makes it.
std::string offer_page(const std::filesystem::path& folder, const Report& report);

// What `bench list workloads --profile` does, for one workload with or without parameters.
int profile_workload(const std::string& text);

// Reads the command line and carries it out.
int dispatch(Invocation invocation);

}  // namespace bench::cli
