// bench record: runs a program and leaves traces of its allocation calls.
#include <fmt/format.h>

#include <algorithm>
#include <memory>

#include "bench/cli/commands.hpp"
#include "bench/output/run_directory.hpp"
#include "bench/cells/layout.hpp"
#include "bench/plan/suite.hpp"
#include "bench/record/recording.hpp"
#include "workloads/trace/analyse/profile.hpp"

namespace bench::cli {
namespace {

namespace fs = std::filesystem;

struct RecordWords {
  trace::RecordOptions options;
  std::string out = "app.trace";
  std::string recover;
  bool force = false;
};

std::string describe(const trace::RecordedTrace& recorded) {
  const trace::Totals& totals = recorded.converted.totals;
  const double bytes = static_cast<double>(std::filesystem::file_size(recorded.path));
  std::string out = fmt::format(
      "{}: {} (process {}), {} events in {} thread{}, {} live at the peak; {}, {:.2f} bytes an "
      "event\n",
      recorded.path.string(), recorded.log.program, recorded.log.pid, totals.events, totals.threads,
      totals.threads == 1 ? "" : "s",
      trace::human_bytes(static_cast<double>(totals.peak_live_bytes)), trace::human_bytes(bytes),
      bytes / static_cast<double>(std::max<std::uint64_t>(totals.events, 1)));
  const auto& converted = recorded.converted;
  if (converted.unknown + converted.missed + converted.failed > 0) {
    out += fmt::format(
        "  left out: {} frees or reallocs of memory from before the recording, {} reallocs that "
        "failed; "
        "{} frees were not seen and put in\n",
        converted.unknown, converted.failed, converted.missed);
  }
  if (converted.full) {
    out += "  ends early: --max-size was reached\n";
  }
  return out;
}

std::string describe_cost(const trace::Recording& recording) {
  const double extra_ns = recording.recorded_call_ns - recording.plain_call_ns;
  std::string out = fmt::format(
      "recording cost: {:.1f} ns a call (in a loop of nothing else a malloc or free took {:.1f} ns "
      "here without, {:.1f} ns with the recorder: {:.2f} times as long)",
      extra_ns, recording.plain_call_ns, recording.recorded_call_ns,
      recording.recorded_call_ns / std::max(recording.plain_call_ns, 0.001));
  if (recording.wall_s > 0 && extra_ns > 0) {
    const double spent_s = extra_ns * 1e-9 * static_cast<double>(recording.calls);
    out += fmt::format(", so about {:.1f} % of the {:.2f} s recorded",
                       100 * spent_s / recording.wall_s, recording.wall_s);
  }
  out += "\n";
  if (recording.unrecorded_wall_s > 0) {
    out += fmt::format(
        "the program took {:.3f} s with the recorder and {:.3f} s without: {:.2f} times as long\n",
        recording.wall_s, recording.unrecorded_wall_s,
        recording.wall_s / recording.unrecorded_wall_s);
  }
  return out;
}

// What became of the program. Exit code 3 where it did not end well: the trace is there, but of
// what?
int conclude(const trace::Recording& recording) {
  const Finished& finished = recording.finished;
  if (finished.ending == Ending::kKilled || finished.ending == Ending::kOutOfMemory) {
    std::fprintf(stderr, "bench: the program was ended by %s; its trace is what it did until then\n", signal_name(finished.code).c_str());
    return kSomeFailed;
  }
  if (finished.code != 0) {
    std::fprintf(stderr, "bench: the program ended with exit code %d\n", finished.code);
    return kSomeFailed;
  }
  return recording.is_incomplete ? kSomeFailed : kAllMeasured;
}

std::string describe(const trace::Recording& recording, const trace::RecordOptions& options) {
  std::string out;
  for (const auto& recorded : recording.traces) {
    out += describe(recorded);
  }
  if (recording.small_processes > 0) {
    out += fmt::format("{} process{} made fewer than {} calls{}: no trace of theirs (see --min-calls)\n", recording.small_processes,
                       recording.small_processes == 1 ? "" : "es", options.min_calls, recording.small_processes == 1 ? "" : " each");
  }
  if (recording.left_behind > 0) {
    out += fmt::format("{} process{} went on when recording ended\n", recording.left_behind, recording.left_behind == 1 ? "" : "es");
  }
  for (const auto& loss : recording.losses) {
    out += loss + "\n";
  }
  return out;
}

int recover(RecordWords words, const Invocation& invocation) {
  if (!invocation.after_dashes.empty()) {
    throw UsageError("--recover runs nothing: leave out what follows --");
  }
  words.options.out = words.out;
  const trace::Recording recording = trace::recover(words.recover, words.options);
  std::fputs((describe(recording, words.options) + "the logs stay in " + words.recover + "; remove them when you have what you need\n").c_str(), stderr);
  return kAllMeasured;
}

int act(RecordWords words, const std::vector<std::string>& stray, const Invocation& invocation) {
  if (!stray.empty()) {
    const bool is_option = stray.front().starts_with("-");
    throw UsageError(is_option ? "unknown option " + stray.front()
                               : fmt::format("put -- before the program: bench record -o {} -- {}",
                                             words.out, fmt::join(stray, " ")));
  }
  if (fs::exists(words.out) && !words.force) {
    throw UsageError(words.out + " is there already; choose another --out, or say --force");
  }
  if (!words.recover.empty()) {
    return recover(words, invocation);
  }
  if (invocation.after_dashes.empty()) {
    throw UsageError("say what to record: bench record -o app.trace -- ./app arguments");
  }
  const Layout layout = find_layout();
  words.options.out = words.out;
  words.options.command = invocation.after_dashes;
  words.options.recorder = layout.libraries / "libosmem-recorder.so";
  words.options.probe = layout.worker.parent_path() / "trace-call-pairs";
  const trace::Recording recording = trace::record(words.options);
  std::fputs((describe(recording, words.options) + describe_cost(recording)).c_str(), stderr);
  return conclude(recording);
}

}  // namespace

void add_record(CLI::App& app, Context& context) {
  auto words = std::make_shared<RecordWords>();
  CLI::App* command = app.add_subcommand(
      "record",
      "Record the allocation calls of a program: bench record -o app.trace -- ./app arguments");
  command
      ->add_option("-o,--out", words->out,
                   "the trace to write; further processes get app.2.trace ...; default app.trace")
      ->type_name("FILE");
  command
      ->add_option("--duration", words->options.duration_s,
                   "stop recording after so many seconds; the program goes on")
      ->check(CLI::PositiveNumber)
      ->type_name("SECONDS");
  command
      ->add_option("--max-size", words->options.max_bytes,
                   "stop recording when a trace has this size, e.g. 100MB")
      ->transform(CLI::AsSizeValue(false))
      ->type_name("SIZE");
  command->add_flag("--paused", words->options.paused, "wait for SIGUSR1 before recording");
  command->add_flag("--measure-overhead", words->options.measure,
                    "run the program once more, without the recorder, and compare");
  command
      ->add_option("--min-calls", words->options.min_calls,
                   "processes with fewer calls give no trace; default 1000")
      ->type_name("N");
  command->add_flag("--force", words->force, "write over a trace that is there");
  command
      ->add_option("--recover", words->recover,
                   "make the traces of a recording that was killed, from its logs: OUT.logs-XXXXXX")
      ->type_name("FOLDER");
  command->add_option("--note", words->options.note, "how this was made; kept in the trace")
      ->type_name("TEXT");
  command->footer(
      "SIGUSR1 to bench stops and starts recording, in the program and its children. What they "
      "recorded is kept\n"
      "however they end. Exit: 0 recorded, 2 usage, 3 recorded, but the program failed or part of it is missing.");
  command->allow_extras();
  command->callback([words, command, &context] {
    context.action = [words, stray = command->remaining(), &context] {
      return act(*words, stray, context.invocation);
    };
  });
}

}  // namespace bench::cli
