// bench exec: measures any program, with all its children, under each allocator.
#include "bench/cli/measure_words.hpp"
#include "bench/plan/pattern.hpp"
#include "bench/plan/suite.hpp"

namespace bench::cli {
namespace {

struct ExecWords {
  MeasureWords measure;
  std::string name;
  std::string prepare;
  std::string ready;
  std::string load;
  std::string metric;
  bool check_output = false;

  void declare(CLI::App& command);
  [[nodiscard]] RunOptions read(const Invocation& invocation) const;
};

void check_pattern(const std::string& pattern) {
  if (is_figure_pattern(pattern)) {
    return;
  }
  throw UsageError("--metric must be a regular expression with one group for the figure, such as 'requests per second: ([0-9.]+)', not '" +
                   pattern + "'");
}

std::vector<std::string> shell_words(const std::string& script) {
  return script.empty() ? std::vector<std::string>() : std::vector<std::string>{"/bin/sh", "-c", script};
}

void check(const ExecWords& words, const Invocation& invocation) {
  if (invocation.after_dashes.empty()) {
    throw UsageError("say what to run after --: bench exec --allocator=osmem -- COMMAND ARGUMENTS");
  }
  if (words.ready.empty() != words.load.empty()) {
    throw UsageError("a server needs both --ready COMMAND, which succeeds once it answers, and --load COMMAND, which is its work");
  }
  if (!words.ready.empty() && words.check_output) {
    throw UsageError("--check-output compares what a program prints at its end; it cannot be had of a server (--ready)");
  }
  if (!words.metric.empty()) {
    check_pattern(words.metric);
  }
}

RunOptions ExecWords::read(const Invocation& invocation) const {
  RunOptions options;
  read_measure_options(measure, invocation, options);
  check(*this, invocation);
  Program program;
  program.command = invocation.after_dashes;
  program.name = name.empty() ? std::filesystem::path(program.command[0]).filename().string() : name;
  program.prepare = shell_words(prepare);
  program.ready = shell_words(ready);
  program.load = shell_words(load);
  program.metric = metric;
  program.check_output = check_output;
  options.program = std::move(program);
  return options;
}

void ExecWords::declare(CLI::App& command) {
  add_measure_options(command, measure);
  command.add_option("--name", name, "of the program in tables; default: the command's own")->take_last()->type_name("NAME");
  command.add_option("--prepare", prepare, "shell command before each run; not measured")->take_last()->type_name("COMMAND");
  command.add_flag("--check-output", check_output, "fail where stdout differs from that under the baseline");
  command.add_option("--ready", ready, "for a server: shell command that succeeds once it answers")->take_last()->type_name("COMMAND");
  command.add_option("--load", load, "for a server: shell command that is its work; then it is stopped")
      ->take_last()->type_name("COMMAND");
  command.add_option("--metric", metric, "throughput is the figure that this expression's group finds in the output of the load")
      ->take_last()->type_name("REGEX");
}

}  // namespace

RunOptions exec_options(const std::vector<std::string>& typed, const Invocation& invocation, std::string& format) {
  return options_from<ExecWords>(typed, invocation, format);
}

void add_exec(CLI::App& app, Context& context) {
  CLI::App* command = app.add_subcommand("exec", "Measure any program under each allocator: bench exec --allocator=osmem -- COMMAND");
  command->footer("Each block runs the program twice: timed, and with memory sampled over the whole tree of processes.\n"
                  "Without --metric, throughput is runs per second. Exit: 0 all measured, 2 usage, 3 some failed, 130 interrupted.");
  add_measuring_command<ExecWords>(command, context);
}

}  // namespace bench::cli
