// bench replay: bench run on a trace, and what a replay can tell and what not.
#include <fmt/format.h>

#include <fstream>
#include <memory>

#include "bench/cli/commands.hpp"
#include "bench/output/run_directory.hpp"
#include "bench/plan/suite.hpp"
#include "workloads/trace/analyse/profile.hpp"
#include "workloads/trace/replay/replay.hpp"

namespace bench::cli {
namespace {

namespace fs = std::filesystem;

struct ReplayWords {
  std::string file;
  std::string touch = "page";
  std::uint64_t resident_mib = 512;
  std::string think_time = "none";
};

constexpr const char* kLimits =
    "What a replay cannot tell: what the program does between its calls - its own time, its cache "
    "misses, its waiting (but for --think-time=recorded) - is not\n"
    "replayed, so differences of speed are larger here than in the program, and the price of a bad "
    "layout of memory is not\n"
    "seen. Threads meet only where an object passes between them. Objects are written as --touch "
    "says, not as the program\n"
    "wrote them. bench exec measures the program itself.\n";

// Bytes that can be had without swapping; 0 where the kernel does not say.
std::uint64_t available_bytes() {
  std::ifstream in("/proc/meminfo");
  std::string key;
  std::uint64_t kib = 0;
  std::string unit;
  while (in >> key >> kib && std::getline(in, unit)) {
    if (key == "MemAvailable:") {
      return kib * 1024;
    }
  }
  return 0;
}

// The empty replay once, here, so that its cost can be said before the measured processes subtract
// theirs.
void introduce(const ReplayWords& words) {
  trace::Reader reader{fs::path(words.file)};
  const std::uint64_t peak = reader.index().value_or(trace::Totals{}).peak_live_bytes;
  if (const std::uint64_t available = available_bytes();
      available != 0 && peak > available && words.touch != "none") {
    std::fprintf(stderr,
                 "bench: warning: the trace has %s live at its peak, this machine %s to give; try "
                 "--touch=none\n",
                 trace::human_bytes(static_cast<double>(peak)).c_str(),
                 trace::human_bytes(static_cast<double>(available)).c_str());
  }
  const trace::Replay replay(words.file, trace::Touch::kNone, words.resident_mib << 20);
  const trace::ReplayProgram& program = replay.program();
  std::fprintf(stderr,
               "bench: %s: %lu calls in %u thread%s, %lu waits where objects cross threads; replay "
               "itself takes %.1f ns a call "
               "(an empty replay), which is subtracted%s\n",
               words.file.c_str(), static_cast<unsigned long>(program.calls()), program.threads(),
               program.threads() == 1 ? "" : "s", static_cast<unsigned long>(program.waits()),
               replay.own_ns_per_operation(),
               program.streamed() ? "; it is streamed from a file" : "");
}

bool says_format(const std::vector<std::string>& words) {
  return std::any_of(words.begin(), words.end(),
                     [](const auto& word) { return word.starts_with("--format"); });
}

int act(const ReplayWords& words, std::vector<std::string> others, const Invocation& invocation) {
  if (!fs::exists(words.file) || !words.file.ends_with(".trace")) {
    throw UsageError("there is no trace " + words.file + " (its name must end with .trace)");
  }
  introduce(words);
  const std::string workload = fmt::format("--workload={}:touch={},resident={},think={}", words.file, words.touch,
                                           words.resident_mib, words.think_time);
  Invocation run{{"run", workload}, {}};
  run.words.insert(run.words.end(), others.begin(), others.end());
  if (!invocation.after_dashes.empty()) {
    run.words.emplace_back("--");
    run.words.insert(run.words.end(), invocation.after_dashes.begin(),
                     invocation.after_dashes.end());
  }
  const int code = dispatch(std::move(run));
  if (!says_format(others) && (code == kAllMeasured || code == kSomeFailed)) {
    write_stdout(std::string("\n") + kLimits);
  }
  return code;
}

}  // namespace

void add_replay(CLI::App& app, Context& context) {
  auto words = std::make_shared<ReplayWords>();
  CLI::App* command = app.add_subcommand(
      "replay",
      "Measure allocators on a recorded program: bench replay app.trace --allocator=osmem");
  command->add_option("file", words->file, "a trace")->required();
  command
      ->add_option(
          "--touch", words->touch,
          "what is written to an object when it is allocated; default page: a byte of each page")
      ->check(CLI::IsMember({"none", "first", "page", "whole"}));
  command
      ->add_option("--resident", words->resident_mib,
                   "decoded calls beyond this are streamed from a file; default 512")
      ->check(CLI::Range(1, 1 << 20))
      ->type_name("MiB");
  command
      ->add_option("--think-time", words->think_time,
                   "the time between calls: none (default) leaves it out, recorded keeps it, to a millisecond, so that what an allocator "
                   "does by the clock happens as in the program")
      ->check(CLI::IsMember({"none", "recorded"}));
  command->allow_extras();
  command->footer(
      "All other options are those of bench run: --allocator, --against, --repetitions, --out, "
      "--format ...");
  command->callback([words, command, &context] {
    context.action = [words, others = command->remaining(), &context] {
      return act(*words, others, context.invocation);
    };
  });
}

}  // namespace bench::cli
