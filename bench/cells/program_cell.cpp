#include "bench/cells/program_cell.hpp"

#include <algorithm>
#include <cmath>
#include <fstream>
#include <sstream>

#include "bench/allocators/allocator.hpp"
#include "bench/measure/clock.hpp"
#include "bench/measure/sha256.hpp"
#include "bench/plan/pattern.hpp"
#include "bench/plan/suite.hpp"
#include "bench/model/metric.hpp"

namespace bench {
namespace {

namespace fs = std::filesystem;

constexpr std::chrono::milliseconds kSamplingInterval{5};
constexpr double kShortestSeenS = 0.04;  // eight looks: of a shorter run they can miss all of the peak
constexpr std::chrono::milliseconds kReadyInterval{20};
constexpr double kReadyWithinS = 30;
constexpr double kStopPatienceS = 10;
constexpr double kMostUnserved = 0.5;  // share of the CPU time without the allocator: more is another allocator's figure

// The C library stands first in the search, too: a program may be linked with another malloc (Debian's redis-server is).
allocators::Candidate explicit_library(allocators::Candidate allocator) {
  if (allocator.library.empty()) {
    allocator.library = fs::canonical(allocators::LoadedLibrary({}).path());
  }
  return allocator;
}

std::string text_of(const fs::path& file) {
  std::ifstream in(file, std::ios::binary);
  std::ostringstream out;
  out << in.rdbuf();
  return out.str();
}

Sample with(const Sample& blank, std::string_view metric, double value) {
  Sample sample = blank;
  sample.metric = metric;
  sample.unit = metric_named(metric).unit;
  sample.value = value;
  return sample;
}

Watch watch_with(TreeSampler* sampler, const Child& program, const allocators::Candidate& allocator) {
  if (sampler != nullptr) {
    std::error_code missing;
    sampler->follow(program.process(), fs::canonical(explicit_library(allocator).library, missing));
  }
  return {kSamplingInterval, [sampler] { sampler->look(); }};
}

nlohmann::json timeline_of(const TreeSampler& sampler) {
  nlohmann::json points = nlohmann::json::array();
  for (const auto& point : sampler.points()) {
    points.push_back({point.time_ns, point.resident_bytes, 0});
  }
  return {{"start_rss_bytes", 0}, {"points", points}, {"phases", nlohmann::json::array()}};
}

}  // namespace

Attempt ProgramCell::run_helper(Launcher& launcher, const std::vector<std::string>& words, const char* output,
                                const Watch* watch) const {
  Command command;
  command.words = words;
  command.words[0] = find_executable(words[0]).string();
  command.environment = environment_with({"LD_PRELOAD"}, program_.environment);
  command.stdout_file = launcher.scratch() / (std::string(output) + ".stdout");
  command.stderr_file = launcher.scratch() / (std::string(output) + ".stderr");
  command.timeout_s = timeout_s_;
  return judge(run_to_end(command, launcher.signals(), watch), command.stderr_file, timeout_s_);
}

Attempt ProgramCell::set_up(Launcher& launcher) {
  Attempt attempt;
  if (is_set_up_) {
    return attempt;
  }
  if (program_.is_ready_entry) {
    const fs::path own = launcher.scratch() / fs::path(program_.name).filename();
    fs::create_directories(own);
    program_ = in_folders(program_, launcher.layout().share / "programs" / "inputs", own);
  }
  program_.command[0] = find_executable(program_.command[0]).string();
  if (!program_.setup.empty()) {
    attempt = run_helper(launcher, program_.setup, "setup");
    attempt.detail = "making its input: " + attempt.detail;
  }
  is_set_up_ = attempt.status == Status::kOk;
  return attempt;
}

Command ProgramCell::command(Launcher& launcher, const allocators::Candidate& allocator) const {
  Command command;
  command.words = program_.command;
  command.environment = allocator_environment(explicit_library(allocator), launcher.padding());
  command.environment.insert(command.environment.end(), program_.environment.begin(), program_.environment.end());
  command.stdout_file = launcher.scratch() / "program.stdout";
  command.stderr_file = launcher.scratch() / "program.stderr";
  command.timeout_s = timeout_s_;
  return command;
}

Attempt ProgramCell::prove_preload(Launcher& launcher, const allocators::Candidate& allocator) const {
  Command trace = command(launcher, allocator);
  const fs::path program = program_behind(program_.command[0]);
  Attempt attempt;
  if (const auto reason = why_not_preloadable(program)) {
    attempt.status = Status::kFailed;
    attempt.detail = *reason;
    return attempt;
  }
  trace.words = {program.string()};
  trace.environment.emplace_back("LD_TRACE_LOADED_OBJECTS=1");
  attempt = judge(run_to_end(trace, launcher.signals()), trace.stderr_file, timeout_s_);
  const std::string library = explicit_library(allocator).library.string();
  if (attempt.status == Status::kOk && text_of(trace.stdout_file).find(library) == std::string::npos) {
    attempt.status = Status::kFailed;
    attempt.detail = "not the allocator asked for: the loader does not take " +
                     (allocator.original.empty() ? library : allocator.original.string()) + " into " + program.string();
  }
  return attempt;
}

Attempt ProgramCell::prepare(Launcher& launcher, const allocators::Candidate& baseline) {
  adopt_orphans();
  Attempt attempt = set_up(launcher);
  if (attempt.status != Status::kOk) {
    return attempt;
  }
  Outcome warm = run_once(launcher, baseline, nullptr);
  if (warm.attempt.status == Status::kOk && program_.check_output) {
    output_digest_ = sha256_of_file(launcher.scratch() / "program.stdout").value_or("");
  }
  is_memory_seen_ = warm.wall_s >= kShortestSeenS;
  if (!is_memory_seen_) {
    warm.attempt.remark = "the memory of " + program_.name + " is not given: it ends within 40 ms, too soon for looks 5 ms apart";
    warm.attempt.remedy = "give it more to do";
  }
  return warm.attempt;
}

nlohmann::json ProgramCell::state() const { return {{"output", output_digest_}, {"memory_is_seen", is_memory_seen_}}; }

void ProgramCell::restore(const nlohmann::json& state) {
  adopt_orphans();
  output_digest_ = state.at("output");
  is_memory_seen_ = state.at("memory_is_seen");
}

ProgramCell::Outcome ProgramCell::run_once(Launcher& launcher, const allocators::Candidate& allocator, TreeSampler* sampler) {
  Outcome outcome;
  outcome.attempt = set_up(launcher);
  if (outcome.attempt.status == Status::kOk && std::find(proved_.begin(), proved_.end(), allocator.name) == proved_.end()) {
    outcome.attempt = prove_preload(launcher, allocator);
  }
  if (outcome.attempt.status == Status::kOk && !program_.prepare.empty()) {
    outcome.attempt = run_helper(launcher, program_.prepare, "prepare");
    outcome.attempt.detail = outcome.attempt.detail.empty() ? "" : "--prepare: " + outcome.attempt.detail;
  }
  if (outcome.attempt.status != Status::kOk) {
    return outcome;
  }
  proved_.push_back(allocator.name);
  const Command what = command(launcher, allocator);
  outcome = program_.ready.empty() ? run_program(launcher, what, allocator, sampler) : run_server(launcher, what, allocator, sampler);
  if (outcome.attempt.status == Status::kOk) {
    read_output(launcher, outcome);
  }
  return outcome;
}

// What a program leaves behind is part of it; what cannot be ended would take part in all that follows.
void ProgramCell::end_rest(const Finished& finished, Outcome& outcome) {
  const Strays rest = end_strays();
  outcome.usage = usage_of(finished.usage) + rest.usage;
  if ((finished.goes_on || !rest.left.empty()) && !outcome.attempt.interrupted) {
    outcome.attempt.status = outcome.attempt.status == Status::kOk ? Status::kFailed : outcome.attempt.status;
    outcome.attempt.detail += (outcome.attempt.detail.empty() ? "" : "; ") + std::string("it could not be ended and goes on: ") +
                              (finished.goes_on ? "its first process" : "process " + std::to_string(rest.left.front())) +
                              " belongs to another user, or hangs in the kernel";
  }
}

ProgramCell::Outcome ProgramCell::run_program(Launcher& launcher, const Command& what, const allocators::Candidate& allocator, TreeSampler* sampler) {
  Outcome outcome;
  Child program = start(what, launcher.signals());
  const Watch watch = watch_with(sampler, program, allocator);
  const Finished finished = await_end(program, launcher.signals(), sampler != nullptr ? &watch : nullptr);
  outcome.wall_s = finished.wall_s;
  outcome.attempt = judge(finished, what.stderr_file, what.timeout_s);
  end_rest(finished, outcome);
  return outcome;
}

Attempt ProgramCell::await_ready(Launcher& launcher, Child& server) const {
  const double within_s = std::min(kReadyWithinS, timeout_s_);
  const std::int64_t end_ns = monotonic_ns() + static_cast<std::int64_t>(within_s * 1e9);
  Child* const one[] = {&server};
  while (true) {
    Attempt attempt = run_helper(launcher, program_.ready, "ready");
    const bool server_is_gone = server.reap();
    if (attempt.status == Status::kOk || attempt.interrupted || server_is_gone || monotonic_ns() >= end_ns) {
      if (attempt.status != Status::kOk && !attempt.interrupted) {
        attempt.status = Status::kFailed;
        const std::string said = last_line(launcher.scratch() / "program.stderr");
        const std::string refused = attempt.detail;
        attempt.detail = (server_is_gone ? "the server ended before it was ready" : "the server was not ready within " + std::to_string(std::lround(within_s)) + " s") +
                         (said.empty() ? "" : "; it said: " + said) + (refused.empty() ? "" : "; --ready: " + refused);
      }
      return attempt;
    }
    await(one, launcher.signals(), monotonic_ns() + std::chrono::nanoseconds(kReadyInterval).count());
  }
}

ProgramCell::Outcome ProgramCell::run_server(Launcher& launcher, const Command& what, const allocators::Candidate& allocator, TreeSampler* sampler) {
  Outcome outcome;
  Child server = start(what, launcher.signals());
  if (!server.is_running()) {
    outcome.attempt = judge(server.finished(), what.stderr_file, what.timeout_s);
    return outcome;
  }
  server.set_deadline_ns(kForever);  // its load has the timeout
  outcome.attempt = await_ready(launcher, server);
  if (outcome.attempt.status == Status::kOk) {
    const Watch watch = watch_with(sampler, server, allocator);
    const std::int64_t start_ns = monotonic_ns();
    outcome.attempt = run_helper(launcher, program_.load, "load", sampler != nullptr ? &watch : nullptr);
    outcome.wall_s = static_cast<double>(monotonic_ns() - start_ns) * 1e-9;
  }
  const Finished served = stop(server, kStopPatienceS, launcher.signals());
  // A crash of the server is the cause of whatever its load says.
  const bool crashed = served.ending == Ending::kOutOfMemory || (served.ending == Ending::kKilled && served.code != SIGTERM);
  if (crashed && !outcome.attempt.interrupted) {
    outcome.attempt = judge(served, what.stderr_file, timeout_s_);
  }
  end_rest(served, outcome);
  return outcome;
}

void ProgramCell::read_output(Launcher& launcher, Outcome& outcome) const {
  const fs::path own = launcher.scratch() / "program.stdout";
  if (!output_digest_.empty() && sha256_of_file(own).value_or("") != output_digest_) {
    outcome.attempt.status = Status::kWrong;
    outcome.attempt.detail = "its output is not that of the first run under the baseline (is it the same each time?)";
    return;
  }
  if (program_.metric.empty()) {
    return;
  }
  const std::string text = text_of(program_.ready.empty() ? own : launcher.scratch() / "load.stdout");
  outcome.metric = mean_figure(program_.metric, text);
  if (!outcome.metric) {
    outcome.attempt.status = Status::kFailed;
    const auto line = last_line(program_.ready.empty() ? own : launcher.scratch() / "load.stdout", 100);
    outcome.attempt.detail = "its output has no figure that fits --metric '" + program_.metric + "'; its last line is '" + line + "'";
  }
}

// Whole runs, one after the other.
std::vector<Measured> ProgramCell::measure(Launcher& launcher, std::span<const allocators::Candidate* const> allocators,
                                           const Block& block) {
  std::vector<Measured> out;
  for (const auto* allocator : allocators) {
    out.push_back(measure_one(launcher, *allocator, block.number));
    if (out.back().interrupted) {
      break;
    }
  }
  return out;
}

Measured ProgramCell::measure_one(Launcher& launcher, const allocators::Candidate& allocator, int block) {
  const Sample empty = blank(allocator, block);
  const Outcome timed = run_once(launcher, allocator, nullptr);
  if (timed.attempt.status != Status::kOk) {
    return failure(timed.attempt, empty);
  }
  Measured out;
  out.samples = {with(empty, "throughput", timed.metric.value_or(1 / timed.wall_s)),
                 with(empty, "wall_time", timed.wall_s),
                 with(empty, "user_time", timed.usage.user_s),
                 with(empty, "system_time", timed.usage.system_s),
                 with(empty, "minor_faults", static_cast<double>(timed.usage.minor_faults)),
                 with(empty, "major_faults", static_cast<double>(timed.usage.major_faults)),
                 with(empty, "voluntary_switches", static_cast<double>(timed.usage.voluntary_switches)),
                 with(empty, "involuntary_switches", static_cast<double>(timed.usage.involuntary_switches))};
  return is_memory_seen_ ? with_memory(launcher, allocator, std::move(out), empty) : out;
}

Measured ProgramCell::with_memory(Launcher& launcher, const allocators::Candidate& allocator, Measured timed, const Sample& empty) {
  TreeSampler sampler;
  const Outcome sampled = run_once(launcher, allocator, &sampler);
  if (sampled.attempt.status != Status::kOk) {
    return failure(sampled.attempt, empty);
  }
  if (const auto unserved = sampler.unserved()) {
    const std::string what = unserved->program + ", which it starts, runs without " + allocator.name + " (" +
                             std::to_string(std::lround(100 * unserved->cpu_share)) + " % of the CPU time seen)";
    if (unserved->cpu_share > kMostUnserved) {
      Attempt attempt;
      attempt.status = Status::kFailed;
      attempt.detail = "not the allocator asked for: " + what;
      return failure(attempt, empty);
    }
    timed.remark = what;
    timed.remedy = "is it linked statically, or is LD_PRELOAD taken from its environment? Its share of the figures is the same under every allocator";
  }
  timed.samples.push_back(with(empty, "peak_rss", static_cast<double>(sampler.peak_bytes())));
  timed.samples.push_back(with(empty, "mean_rss", sampler.mean_bytes()));
  timed.timelines.push_back(timeline_of(sampler));
  return timed;
}

}  // namespace bench
