// What `bench run` and `bench exec` share: options as typed and as read, and how a command that measures is carried out.
#pragma once

#include <CLI/CLI.hpp>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "bench/cli/commands.hpp"
#include "bench/output/format.hpp"
#include "bench/plan/options.hpp"
#include "bench/run/run.hpp"

namespace bench::cli {

// As typed; numbers are read by us, so that one message says what is wrong with any of them.
struct MeasureWords {
  std::vector<std::string> allocators;
  std::vector<std::string> against;
  std::string repetitions;
  std::string timeout;
  std::string seed;
  std::string margin;
  std::string precision;
  std::string budget;
  std::string memory_per_cpu;
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
int conclude_without_report(const RunResult& result);

// A word as a shell reads it back, on one line.
std::string shell_quoted(const std::string& word);

std::string joined(const std::vector<std::string>& pieces, const char* separator);

// A run that goes on has the options that it began with; throws UsageError for others. `typed` are names of options.
void refuse_beside_resume(const std::vector<std::string>& typed, const Invocation& invocation);

// Goes on with the run of `folder`, by the command that began it.
int resume(const std::filesystem::path& folder);

// Each command's options, for resume(): `typed` are the words before "--", without the command's name.
RunOptions run_options(const std::vector<std::string>& typed, const Invocation& invocation, std::string& format);
RunOptions exec_options(const std::vector<std::string>& typed, const Invocation& invocation, std::string& format);

// Words are a command's own: they hold MeasureWords as `measure`, declare() all options and read() what was typed, which throws
// UsageError.
template <typename Words>
RunOptions options_from(const std::vector<std::string>& typed, const Invocation& invocation, std::string& format) {
  Words words;
  CLI::App parser;
  words.declare(parser);
  parser.parse(std::vector<std::string>(typed.rbegin(), typed.rend()));  // CLI11 takes the words last first
  format = words.measure.format;
  return words.read(invocation);
}

template <typename Words>
int measure_as_typed(const Words& words, const Invocation& invocation, const std::vector<std::string>& typed) {
  if (!words.measure.resume.empty()) {
    refuse_beside_resume(typed, invocation);
    return resume(words.measure.resume);
  }
  const Format format = read_format(words.measure.format);
  return conclude(run(words.read(invocation)), format);
}

// Adds the command, which leaves measure_as_typed() in the context if it is the one typed.
template <typename Words>
void add_measuring_command(CLI::App* command, Context& context) {
  auto words = std::make_shared<Words>();
  words->declare(*command);
  command->callback([words, command, &context] {
    std::vector<std::string> typed;
    for (const CLI::Option* option : command->get_options()) {
      if (option->count() > 0) {
        typed.push_back(option->get_name());
      }
    }
    context.action = [words, typed, &context] { return measure_as_typed(*words, context.invocation, typed); };
  });
}

}  // namespace bench::cli
