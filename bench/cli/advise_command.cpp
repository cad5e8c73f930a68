// bench advise: which malloc suits a program, in one screen. Records the program once, replays its calls under each allocator for what they cost,
// and runs the program under all of them, interleaved, until the answer is decided or the budget is spent.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <memory>

#include "bench/advise/advice.hpp"
#include "bench/allocators/adapters/adapters.hpp"
#include "bench/allocators/nearest.hpp"
#include "bench/cli/measure_words.hpp"
#include "bench/measure/clock.hpp"
#include "bench/output/manifest.hpp"
#include "bench/output/read_run.hpp"
#include "bench/output/run_directory.hpp"
#include "bench/plan/quantities.hpp"
#include "bench/plan/suite.hpp"
#include "bench/record/recording.hpp"
#include "bench/run/plan.hpp"
#include "bench/run/scratch_folder.hpp"
#include "workloads/trace/analyse/profile.hpp"

namespace bench::cli {
namespace {

namespace fs = std::filesystem;

constexpr double kDefaultBudgetS = 300;
constexpr double kRecordingShare = 0.2;                // of the budget: what is recorded of a long program
constexpr double kLeastRecordedS = 10;
constexpr double kWholeShare = 0.9;                    // below that the recording does not tell how live bytes went on
constexpr std::uint64_t kMostTraceBytes = 256ULL << 20U;
constexpr std::size_t kMostTraces = 8;                 // the busiest processes of a program of many

struct AdviseWords {
  std::vector<std::string> stray;
  std::vector<std::string> allocators;
  std::vector<std::string> against;
  std::string budget;
  std::string name;
  std::string prepare;
  std::string ready;
  std::string load;
  std::string metric;
  std::string timeout;
  std::string seed;
  std::string out;
  std::string html;
};

double seconds_since(std::int64_t start_ns) { return static_cast<double>(monotonic_ns() - start_ns) * 1e-9; }

void say(const std::string& line) { std::fprintf(stderr, "bench: %s\n", line.c_str()); }

// Production allocators that are installed here, the C library's among them.
std::string names_installed(const allocators::Registry& registry) {
  std::vector<std::string> names;
  for (const auto& candidate : registry.installed(allocators::Role::kProduction)) {
    names.push_back(candidate.name);
  }
  return joined(names, ",");
}

// The command that measures the same without advice: `bench exec ...`, or `bench run ...` for a trace.
Invocation measuring_invocation(const AdviseWords& words, const Invocation& typed, const std::string& trace, double left_s) {
  Invocation run;
  const auto add = [&](const char* option, const std::string& value) {
    if (!value.empty()) {
      run.words.push_back(fmt::format("{}={}", option, value));
    }
  };
  const Layout layout = find_layout();
  const allocators::Registry registry(allocators::known_allocators(), layout.library_folders());
  add("--allocator", words.allocators.empty() ? "osmem" : joined(words.allocators, ","));
  add("--against", words.against.empty() ? names_installed(registry) : joined(words.against, ","));
  add("--budget", fmt::format("{:.0f}s", std::max(left_s, 1.0)));
  add("--timeout", words.timeout);
  add("--seed", words.seed);
  add("--out", words.out);
  if (!trace.empty()) {
    add("--workload", trace);
    return run;
  }
  add("--name", words.name);
  add("--prepare", words.prepare);
  add("--ready", words.ready);
  add("--load", words.load);
  add("--metric", words.metric);
  run.after_dashes = typed.after_dashes;
  return run;
}

RunOptions measuring_options(const AdviseWords& words, const Invocation& typed, const std::string& trace, double left_s) {
  const Invocation run = measuring_invocation(words, typed, trace, left_s);
  Invocation whole{{trace.empty() ? "exec" : "run"}, run.after_dashes};
  whole.words.insert(whole.words.end(), run.words.begin(), run.words.end());
  if (!run.after_dashes.empty()) {
    whole.words.emplace_back("--");
    whole.words.insert(whole.words.end(), run.after_dashes.begin(), run.after_dashes.end());
  }
  std::string format;
  RunOptions options = trace.empty() ? exec_options(run.words, whole, format) : run_options(run.words, whole, format);
  options.first_blocks_s = left_s;
  return options;
}

// A server runs until its load is done; what --ready and --load start is not recorded.
constexpr const char* kServe =
    "ready=$1 load=$2; shift 2\n"
    "\"$@\" >/dev/null 2>&1 </dev/null & server=$!\n"
    "trap 'kill $server 2>/dev/null' EXIT\n"
    "n=0; until env -u LD_PRELOAD /bin/sh -c \"$ready\" >/dev/null 2>&1; do\n"
    "  n=$((n+1)); [ $n -lt 600 ] && kill -0 $server || exit 3; sleep 0.05; done\n"
    "env -u LD_PRELOAD /bin/sh -c \"$load\" >/dev/null 2>&1 || exit 4\n"
    "kill -TERM $server; wait $server; trap - EXIT; exit 0\n";
constexpr const char* kRun = "exec \"$@\" >/dev/null 2>&1 </dev/null";

std::vector<std::string> recorded_command(const AdviseWords& words, const std::vector<std::string>& command) {
  std::vector<std::string> all = {"/bin/sh", "-c", words.ready.empty() ? kRun : kServe, "bench-advise"};
  if (!words.ready.empty()) {
    all.push_back(words.ready);
    all.push_back(words.load);
  }
  all.insert(all.end(), command.begin(), command.end());
  return all;
}

struct Recorded {
  std::vector<fs::path> traces;  // the one with the most calls first
  double share = 1;              // of the program's time
  std::string why_not;
};

Recorded record_once(const AdviseWords& words, const Invocation& invocation, const fs::path& folder, double budget_s) {
  const Layout layout = find_layout();
  trace::RecordOptions options;
  options.out = folder / "app.trace";
  options.command = recorded_command(words, invocation.after_dashes);
  options.recorder = layout.libraries / "libosmem-recorder.so";
  options.probe = layout.worker.parent_path() / "trace-call-pairs";
  options.duration_s = std::max(kRecordingShare * budget_s, kLeastRecordedS);
  options.max_bytes = kMostTraceBytes;
  options.min_calls = 100;
  Recorded recorded;
  const std::int64_t start_ns = monotonic_ns();
  try {
    const trace::Recording recording = trace::record(options);
    recorded.share = std::min(recording.still_running || recording.wall_s > 0 ? recording.wall_s / std::max(seconds_since(start_ns), 1e-9) : 1.0, 1.0);
    recorded.share = recording.wall_s < options.duration_s ? 1 : recorded.share;
    for (const auto& one : recording.traces) {
      recorded.traces.push_back(one.path);
    }
    recorded.traces.resize(std::min(recorded.traces.size(), kMostTraces));
    if (!recording.losses.empty()) {
      say("warning: " + recording.losses.front() + "; the share in malloc is too small by what is missing");
    }
  } catch (const trace::TraceError& error) {
    recorded.why_not = error.what();
  }
  return recorded;
}

std::vector<LevelPoint> live_points(const trace::Profile& profile) {
  std::vector<LevelPoint> points;
  for (const auto& point : profile.timeline) {
    points.push_back({static_cast<double>(point.time_us) * 1e-6, static_cast<double>(point.live_bytes)});
  }
  return points;
}

// What the trace with most live bytes says of memory over time.
void take_live(const std::vector<fs::path>& traces, Findings& findings) {
  std::uint64_t most = 0;
  for (const fs::path& file : traces) {
    trace::Reader reader{file};
    const trace::Profile profile = trace::make_profile(reader);
    if (profile.totals.peak_live_bytes >= most && !profile.timeline.empty()) {
      most = profile.totals.peak_live_bytes;
      findings.live = trend_of(live_points(profile));
      findings.live_at_end_bytes = static_cast<double>(profile.timeline.back().live_bytes);
      findings.trace_s = static_cast<double>(profile.totals.duration_us) * 1e-6;
    }
  }
}

// Of one run under each allocator: the first that was seen whole.
void take_resident(const fs::path& run, Findings& findings) {
  for (const StoredTimeline& timeline : read_timelines(run)) {
    std::vector<LevelPoint> points;
    for (const TimelinePoint& point : timeline.points) {
      points.push_back({point.time_s, point.rss_bytes});
    }
    if (const auto trend = trend_of(points)) {
      findings.resident.emplace(timeline.allocator, *trend);
    }
  }
}

int blocks_of(const Report& report) {
  int blocks = 0;
  for (const Sample& sample : report.samples) {
    blocks = std::max(blocks, sample.block + 1);
  }
  return blocks;
}

// CPython and the like serve small blocks themselves, from pools that no malloc sees.
void warn_of_pools(const std::vector<std::string>& command) {
  const auto is_python = [](const std::string& word) { return fs::path(word).filename().string().starts_with("python"); };
  const char* set = std::getenv("PYTHONMALLOC");
  const bool said = std::ranges::any_of(command, [](const std::string& word) { return word.starts_with("PYTHONMALLOC="); });
  if (std::ranges::any_of(command, is_python) && !said && (set == nullptr || std::string_view(set) != "malloc")) {
    say("warning: Python serves small blocks from pools of its own, so no malloc matters to them; PYTHONMALLOC=malloc bench advise ... looks at all");
  }
}

std::vector<TraceCost> replay_costs(const std::vector<fs::path>& traces, const RunOptions& options, const fs::path& scratch) {
  Signals signals;
  const Layout layout = find_layout();
  Launcher launcher(layout, scratch, signals);
  const allocators::Registry registry(allocators::known_allocators(), layout.library_folders());
  return costs_of(traces, make_field(options, registry).allocators, launcher);
}

void keep_beside(const fs::path& out, const std::vector<fs::path>& traces, const std::string& advice, bool keeps_traces) {
  for (const fs::path& trace : traces) {
    if (std::error_code error; keeps_traces && !fs::copy_file(trace, out / trace.filename(), error)) {
      say("warning: the trace could not be kept in " + out.string() + ": " + error.message());
    }
  }
  write_whole_file(out / "advice.txt", advice);
  seal(out);
}

// Before anything is recorded: allocators and a program that cannot be measured. Throws what make_plan() would.
void refuse_unusable(const RunOptions& options) {
  const Layout layout = find_layout();
  make_field(options, allocators::Registry(allocators::known_allocators(), layout.library_folders()));
  if (options.program) {
    const auto executable = find_executable(options.program->command.at(0));
    if (const auto reason = why_not_preloadable(program_behind(executable))) {
      throw UsageError(*reason);
    }
  }
  if (std::error_code error; !options.out.empty() && fs::exists(options.out / "samples.csv", error)) {
    throw UsageError(options.out.string() + " holds a run already; choose another --out");
  }
}

int advise(const AdviseWords& words, const Invocation& invocation) {
  const std::int64_t start_ns = monotonic_ns();
  const double budget_s = words.budget.empty() ? kDefaultBudgetS : parse_duration_s("--budget", words.budget);
  Findings findings;
  findings.is_trace = !words.stray.empty();
  findings.has_metric = !words.metric.empty();
  const std::string trace = findings.is_trace ? words.stray[0] : "";
  RunOptions options = measuring_options(words, invocation, trace, budget_s);  // refuses what is wrong before anything runs
  refuse_unusable(options);
  const ScratchFolder scratch;
  Recorded recorded;
  if (findings.is_trace) {
    recorded.traces = {trace};
  } else {
    warn_of_pools(invocation.after_dashes);
    say(fmt::format("recording {} once", invocation.after_dashes[0]));
    recorded = record_once(words, invocation, scratch.path(), budget_s);
  }
  findings.why_not_recorded = recorded.why_not;
  findings.recorded_share = recorded.share;
  take_live(recorded.traces, findings);
  if (!recorded.traces.empty()) {
    say("replaying its calls under each allocator, for what they cost");
    findings.costs = replay_costs(recorded.traces, options, scratch.path());
  }
  const double left_s = std::max(budget_s - seconds_since(start_ns), 1.0);
  options.first_blocks_s = left_s;
  options.budget_s = left_s;
  const RunResult result = run(options);
  const int status = conclude_without_report(result);
  if (status == kInterrupted) {
    return status;
  }
  for (const std::string& word : findings.is_trace ? words.stray : invocation.after_dashes) {
    findings.command += (findings.command.empty() ? "" : " ") + shell_quoted(word);
  }
  findings.report = with_cpu_time(result.report);
  findings.blocks = blocks_of(result.report);
  findings.took_s = seconds_since(start_ns);
  if (findings.recorded_share >= kWholeShare) {
    take_resident(result.out, findings);
  } else {
    findings.live.reset();
  }
  const std::string advice = render_advice(findings);
  write_stdout(advice);
  keep_beside(result.out, recorded.traces, advice, !findings.is_trace);
  if (!words.html.empty()) {
    write_page({result.out.string()}, words.html);
  }
  return status;
}

// What holds for a part of a program is no advice for the whole.
void check_is_whole(const std::string& trace) {
  trace::Reader reader{fs::path(trace)};
  while (reader.next()) {
  }
  if (!reader.truncated().empty()) {
    throw UsageError(trace + ": " + reader.truncated() + "; record it again, or take an undamaged copy");
  }
}

void check(const AdviseWords& words, const Invocation& invocation) {
  const bool has_program = !invocation.after_dashes.empty();
  if (words.stray.empty() && !has_program) {
    throw UsageError("say which program, or which trace: bench advise -- ./app arguments; bench advise app.trace");
  }
  if (words.stray.empty()) {
    return;
  }
  const std::string& first = words.stray.front();
  if (first.starts_with("-")) {
    throw UsageError("unknown option " + first);
  }
  if (has_program || words.stray.size() > 1 || !first.ends_with(".trace")) {
    throw UsageError(fmt::format("put -- before the program: bench advise -- {}; a trace ends with .trace and stands alone", joined(words.stray, " ")));
  }
  if (!fs::exists(first)) {
    throw UsageError("there is no trace " + first + "; bench record -o app.trace -- ./app makes one");
  }
  for (const auto& [option, value] : {std::pair{"--ready", words.ready}, {"--load", words.load}, {"--metric", words.metric}, {"--prepare", words.prepare},
                                      {"--name", words.name}}) {
    if (!value.empty()) {
      throw UsageError(fmt::format("{} has no use with a trace: nothing is run but its calls", option));
    }
  }
  check_is_whole(first);
}

void declare(CLI::App& command, AdviseWords& words) {
  command.add_option("trace", words.stray, "a recorded program, in place of one that is run")->type_name("TRACE");
  command.add_option("--budget", words.budget, "measure until the answer is decided, or for so long; default 5m")->take_last()->type_name("TIME");
  command.add_option("--allocator", words.allocators, "what to look at: names, paths of shared objects, name=path[,ENV=VALUE]; default osmem")->type_name("A[,B]");
  command.add_option("--against", words.against, "and what else; default: every production allocator found")->type_name("X[,Y]");
  command.add_option("--prepare", words.prepare, "shell command before each run; not measured")->take_last()->type_name("COMMAND");
  command.add_option("--ready", words.ready, "for a server: shell command that succeeds once it answers")->take_last()->type_name("COMMAND");
  command.add_option("--load", words.load, "for a server: shell command that is its work; then it is stopped")->take_last()->type_name("COMMAND");
  command.add_option("--metric", words.metric, "its speed is the figure that this expression's group finds in the output of the load")
      ->take_last()->type_name("REGEX");
  command.add_option("--name", words.name, "of the program in the run's tables; default: the command's own")->take_last()->type_name("NAME");
  command.add_option("--timeout", words.timeout, "seconds after which a process is ended")->take_last()->type_name("SECONDS");
  command.add_option("--seed", words.seed, "of the random orders; default 1")->take_last()->type_name("N");
  command.add_option("--out", words.out, "where the run goes; default results/local/<date>-<host>-<n>")->take_last()->type_name("DIR");
  command.add_option("--html", words.html, "also write the page of bench report")->take_last()->type_name("FILE");
}

}  // namespace

void add_advise(CLI::App& app, Context& context) {
  auto words = std::make_shared<AdviseWords>();
  CLI::App* command = app.add_subcommand("advise", "Tell which malloc suits a program, what it gains and costs: bench advise -- ./app arguments");
  declare(*command, *words);
  command->allow_extras();
  command->footer("The program is recorded once, then run under every allocator, interleaved. bench/advise/README.md says how each figure comes about.\n"
                  "Exit: 0 advice was given, 2 usage, 3 some failed, 130 interrupted.");
  command->callback([words, command, &context] {
    context.action = [words, command, &context] {
      for (const std::string& extra : command->remaining()) {
        words->stray.push_back(extra);
      }
      check(*words, context.invocation);
      return advise(*words, context.invocation);
    };
  });
}

}  // namespace bench::cli
