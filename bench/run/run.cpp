#include "bench/run/run.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <ctime>
#include <memory>
#include <optional>
#include <set>
#include <thread>

#include "bench/allocators/adapters/adapters.hpp"
#include "bench/measure/clock.hpp"
#include "bench/measure/environment.hpp"
#include "bench/measure/host_card.hpp"
#include "bench/measure/peak_watch.hpp"
#include "bench/measure/sha256.hpp"
#include "bench/output/manifest.hpp"
#include "bench/output/run_directory.hpp"
#include "bench/plan/suite.hpp"
#include "bench/run/huge_pages.hpp"
#include "bench/run/rounds.hpp"
#include "bench/run/runner.hpp"
#include "bench/run/scratch_folder.hpp"
#include "bench/run/staging.hpp"

namespace bench {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

constexpr double kIdentifyWithinS = 20;
constexpr std::int64_t kReportIntervalNs = 3'000'000'000;

std::string today() {
  const std::time_t now = std::time(nullptr);
  std::tm local{};
  localtime_r(&now, &local);
  char text[16];
  std::strftime(text, sizeof text, "%Y-%m-%d", &local);
  return text;
}

// results/local/<date>-<host>-<n>, the first that is not there yet; of a shard <date>-<host>-shard-<i>-of-<count>-<n>, as shards that
// start together would all take the same.
fs::path new_folder(const std::optional<Shard>& shard) {
  const std::string part = shard ? fmt::format("shard-{}-of-{}-", shard->index, shard->count) : "";
  for (int n = 1;; ++n) {
    const fs::path folder = fs::path("results") / "local" / (today() + "-" + host_name() + "-" + part + std::to_string(n));
    std::error_code error;
    if (!fs::exists(folder, error)) {
      return folder;
    }
  }
}

// Keeps samples on disk as they come, and the other files fresh.
class Keeper final : public SampleSink {
 public:
  Keeper(RunDirectory& directory, RunFacts facts) : directory_(directory), facts_(std::move(facts)) {}

  void append(std::span<const Sample> samples) override {
    samples_.insert(samples_.end(), samples.begin(), samples.end());
    directory_.append(samples);
    if (monotonic_ns() - written_ns_ >= kReportIntervalNs) {
      directory_.write(report(true));
      written_ns_ = monotonic_ns();
    }
  }

  // The same warning twice is one.
  void warn(Warning warning) override {
    const auto same = [&warning](const Warning& other) { return other.what == warning.what; };
    if (std::none_of(facts_.warnings.begin(), facts_.warnings.end(), same)) {
      facts_.warnings.push_back(std::move(warning));
    }
  }

  // Samples of an earlier part of the run, which are on disk already.
  void take_up(std::vector<Sample> earlier) { samples_ = std::move(earlier); }

  [[nodiscard]] Report report(bool cut_off) const {
    RunFacts facts = facts_;
    facts.cut_off = cut_off;
    return digest(std::move(facts), samples_);
  }

 private:
  RunDirectory& directory_;
  RunFacts facts_;
  std::vector<Sample> samples_;
  std::int64_t written_ns_ = monotonic_ns();
};

// Asks each allocator who it is, in a process of its own.
json identify_all(const Plan& plan, Launcher& launcher, std::map<std::string, Attempt>& failed, std::vector<Warning>& warnings) {
  json out = json::array();
  for (const auto& allocator : plan.field.allocators) {
    Attempt attempt = launcher.run(worker::Request{}, allocator, kIdentifyWithinS);
    if (attempt.status == Status::kOk && !(attempt.result.contains("version") && attempt.result.contains("library"))) {
      attempt.status = Status::kFailed;
      attempt.detail = "its worker's answer does not say who it is";
    }
    // Such as a setting that it rejects: said once, before a run is spent on it.
    if (const auto said = last_line(launcher.scratch() / "stderr-00"); attempt.status == Status::kOk && !said.empty()) {
      warnings.push_back({allocator.name + " says: " + said, "see what it means before you trust its figures"});
    }
    const fs::path named = allocator.original.empty() ? allocator.library : allocator.original;
    json row = {{"name", allocator.name}, {"version", "unknown"}, {"library", named.string()}};
    if (attempt.status == Status::kOk) {
      row["version"] = attempt.result.at("version");
      if (named.empty()) {
        row["library"] = attempt.result.at("library");
      }
    } else {
      failed[allocator.name] = attempt;
      row["failure"] = std::string(to_string(attempt.status)) + ": " + attempt.detail;
    }
    if (const auto digest = sha256_of_file(row["library"].get<std::string>())) {
      row["sha256"] = *digest;
      row["size_bytes"] = fs::file_size(row["library"].get<std::string>());
    }
    row["environment"] = json::object();
    for (const auto& [name, value] : allocator.environment) {
      row["environment"][name] = value;
    }
    out.push_back(std::move(row));
  }
  return out;
}

RunFacts facts_of(const Plan& plan, const RunOptions& options, json allocator_rows) {
  RunFacts facts;
  facts.command = options.command;
  facts.suite = plan.suite;
  facts.baseline = plan.baseline().name;
  for (const auto& allocator : plan.field.allocators) {
    facts.allocators.push_back(allocator.name);
    if (allocator.name == "limit") {
      facts.references.push_back(allocator.name);
    }
  }
  for (const auto& cell : plan.cells) {
    if (facts.workloads.empty() || facts.workloads.back() != cell->workload()) {
      facts.workloads.push_back(cell->workload());
    }
  }
  facts.repetitions = plan.repetitions;
  facts.min_time_s = plan.min_time_s;
  facts.seed = plan.seed;
  facts.margin = options.margin.value_or(facts.margin);
  facts.bytes_per_cpu = options.bytes_per_cpu.value_or(facts.bytes_per_cpu);
  if (options.precision || options.budget_s) {
    facts.looks = {plan.repetitions, kLooks};
  }
  facts.warnings = plan.warnings;
  facts.environment = describe_environment();
  facts.environment["card"] = host_card(Effort::kQuick);
  if (!PeakWatch::available()) {
    facts.warnings.push_back(
        {fmt::format("peaks may be up to {} KiB too low: the kernel does not let a process be seen before each call that gives memory back",
                     vm_hwm_error_bytes(static_cast<int>(std::thread::hardware_concurrency())) / 1024),
         "allow seccomp's user notification (Linux 5.5) in this container, or trust peaks of many MiB alone"});
  }
  for (auto& warning : host_warnings(facts.environment)) {
    facts.warnings.push_back({std::move(warning.what), std::move(warning.remedy)});
  }
  facts.environment["allocators"] = std::move(allocator_rows);
  facts.environment["command"] = options.command;
  facts.environment["suite"] = plan.suite;
  facts.environment["seed"] = plan.seed;
  facts.environment["baseline"] = facts.baseline;
  if (plan.shard) {
    facts.environment["shard"] = {{"index", plan.shard->index}, {"count", plan.shard->count}, {"cells", plan.cells_of_all_shards}};
  }
  return facts;
}

std::string headline(const Plan& plan, const fs::path& out) {
  const auto counted = [](std::size_t count, const std::string& noun) { return std::to_string(count) + " " + noun + (count == 1 ? "" : "s"); };
  const double minutes = block_seconds(plan.needs, plan.field.allocators.size()) * plan.repetitions / 60;
  const std::string lasting = plan.needs.empty() ? "" : ", about " + std::to_string(static_cast<int>(minutes) + 1) + " minutes at the workloads' own pace";
  const std::string part = plan.shard ? " (shard " + to_string(*plan.shard) + " of " + std::to_string(plan.cells_of_all_shards.size()) + ")" : "";
  return counted(plan.cells.size(), "cell") + part + ", " + counted(plan.field.allocators.size(), "allocator") + ", " +
         counted(static_cast<std::size_t>(plan.repetitions), "block") + " in random order (seed " + std::to_string(plan.seed) + "), baseline " +
         plan.baseline().name + lasting + "; results in " + out.string();
}

// The blocks that were asked for, or as many as begin in time; false if the user interrupted it.
bool run_first_blocks(const RunOptions& options, Runner& runner, std::int64_t start_ns) {
  std::set<const Cell*> begun;
  return runner.run([&](const Cell& cell) {
    const bool is_first = begun.insert(&cell).second;
    return is_first || !options.first_blocks_s || static_cast<double>(monotonic_ns() - start_ns) * 1e-9 < *options.first_blocks_s;
  });
}

// Measures open cells again where that was asked for; false if the user interrupted it.
bool run_rounds(const Plan& plan, const RunOptions& options, Runner& runner, Keeper& keeper, std::int64_t start_ns) {
  if (!options.precision && !options.budget_s) {
    return true;
  }
  const RoundOptions rounds{options.precision.value_or(RoundOptions{}.precision), options.budget_s};
  const auto report = [&keeper] { return keeper.report(true); };
  if (!measure_again(runner, rounds, plan.repetitions, start_ns, report)) {
    return false;
  }
  if (auto open = still_open(report(), rounds)) {
    keeper.warn(std::move(*open));
  }
  return true;
}

// Carries out the plan into a directory that exists.
void measure(Plan& plan, const RunOptions& options, Launcher& launcher, RunDirectory& directory, RunRecord& record,
             std::vector<Sample> earlier, RunResult& result) {
  const std::int64_t start_ns = monotonic_ns();
  std::map<std::string, Attempt> failed;
  json rows = identify_all(plan, launcher, failed, plan.warnings);
  Keeper keeper(directory, facts_of(plan, options, std::move(rows)));
  const char* terminal = std::getenv("TERM");
  Progress progress(isatty(STDERR_FILENO) != 0 && (terminal == nullptr || std::string_view(terminal) != "dumb"));
  progress.say(headline(plan, result.out));
  Runner runner(plan, launcher, progress, record, keeper);
  runner.skip(earlier);
  keeper.take_up(std::move(earlier));
  try {
    record.write();
    directory.write(keeper.report(true));
    for (auto& [name, attempt] : failed) {
      runner.give_up_on(name, attempt);
    }
    result.interrupted = !run_first_blocks(options, runner, start_ns) || !run_rounds(plan, options, runner, keeper, start_ns);
    result.report = keeper.report(result.interrupted);
    directory.write(result.report);
    if (!result.interrupted) {
      seal(result.out);
    }
  } catch (const OutputError& error) {
    // What was measured is still in memory: the caller shows it.
    result.stopped_by = error.what();
    result.report = keeper.report(true);
  }
}

// Where it cannot be had, the folder that was asked for is to blame.
RunDirectory open_directory(const fs::path& folder, Existing existing) {
  try {
    return RunDirectory(folder, existing);
  } catch (const OutputError& error) {
    throw UsageError(error.what());
  }
}

}  // namespace

EarlierCommand earlier_command(const fs::path& folder) {
  RunRecord record(folder);
  record.load();
  return {record.command_words(), record.working_folder()};
}

RunResult run(const RunOptions& options) {
  const std::int64_t start_ns = monotonic_ns();
  Signals signals;
  const Layout layout = find_layout();
  const ScratchFolder scratch;
  Launcher launcher(layout, scratch.path(), signals);
  launcher.set_flags(options.worker_flags);
  const allocators::Registry registry(allocators::known_allocators(), layout.library_folders());
  const auto mended = mend_huge_pages(huge_page_files());
  Plan plan = make_plan(options, registry, launcher);
  for (auto& warning : stage_libraries(plan.field.allocators, scratch.path())) {
    plan.warnings.push_back(std::move(warning));
  }
  if (mended) {
    plan.warnings.push_back({*mended, "look at what ran meanwhile: it ran in another mode"});
  }
  std::optional<HugePageMode> huge_pages;
  if (options.huge_pages) {
    huge_pages.emplace(huge_page_files(), *options.huge_pages);
  }

  RunResult result;
  result.out = !options.resume.empty() ? options.resume : options.out.empty() ? new_folder(options.shard) : options.out;
  RunRecord record(result.out);
  if (options.resume.empty()) {
    record.set_command(options.words, fs::current_path());
  } else {
    record.load();
  }
  RunDirectory directory = open_directory(result.out, options.resume.empty() ? Existing::kRefuse : Existing::kContinue);
  auto earlier = options.resume.empty() ? std::vector<Sample>() : read_samples(result.out / "samples.csv");
  measure(plan, options, launcher, directory, record, std::move(earlier), result);
  result.took_s = static_cast<double>(monotonic_ns() - start_ns) * 1e-9;
  return result;
}

}  // namespace bench
