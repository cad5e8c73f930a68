// The options that `bench run` and `bench exec` share, as typed and as read.
#pragma once

#include <CLI/CLI.hpp>
#include <filesystem>
#include <string>
#include <vector>

#include "bench/cli/commands.hpp"
#include "bench/output/format.hpp"
#include "bench/run/options.hpp"
#include "bench/run/run.hpp"

namespace bench::cli {

// As typed; numbers are read by us, so that one message says what is wrong with any of them.
struct MeasureWords {
  std::vector<std::string> allocators;
  std::vector<std::string> against;
  std::string repetitions;
  std::string timeout;
  std::string seed;
  std::string baseline;
  std::string out;
  std::string resume;
  std::string format = "table";
};

void add_measure_options(CLI::App& command, MeasureWords& words);

// Fills in what the words say; throws UsageError.
void read_measure_options(const MeasureWords& words, const Invocation& invocation, RunOptions& options);

// Throws UsageError that lists what there is.
Format read_format(const std::string& name);

// Shows the report and what went wrong; the exit code.
int conclude(const RunResult& result, const Format& format);

std::string joined(const std::vector<std::string>& pieces, const char* separator);

// Goes on with the run of `folder`, by the command that began it.
int resume(const std::filesystem::path& folder);

// What each command does with its own words, for resume(): `words` stand before "--".
RunOptions run_options(const std::vector<std::string>& words, const Invocation& invocation, std::string& format);
RunOptions exec_options(const std::vector<std::string>& words, const Invocation& invocation, std::string& format);

}  // namespace bench::cli
