#include "bench/run/run.hpp"

#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <ctime>
#include <memory>

#include "allocator/adapters/adapters.hpp"
#include "bench/measure/clock.hpp"
#include "bench/measure/environment.hpp"
#include "bench/measure/sha256.hpp"
#include "bench/output/run_directory.hpp"
#include "bench/run/runner.hpp"
#include "bench/run/samples_file.hpp"

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

// results/local/<date>-<host>-<n>, the first that is not there yet.
fs::path new_folder() {
  for (int n = 1;; ++n) {
    const fs::path folder = fs::path("results") / "local" / (today() + "-" + host_name() + "-" + std::to_string(n));
    std::error_code error;
    if (!fs::exists(folder, error)) {
      return folder;
    }
  }
}

// Rows of the earlier part, if this run goes on with one. Its samples.csv is moved aside until a new one holds the rows.
class EarlierSamples {
 public:
  explicit EarlierSamples(const fs::path& folder) : aside_(folder / "samples.csv.earlier") {
    if (folder.empty()) {
      return;
    }
    // One that is there already was left by a resumption that was itself cut off: it is the whole one.
    if (!fs::exists(aside_)) {
      fs::rename(folder / "samples.csv", aside_);
    } else {
      fs::remove(folder / "samples.csv");
    }
    samples_ = read_samples(aside_);
  }
  [[nodiscard]] const std::vector<Sample>& samples() const { return samples_; }
  void are_safe() const { fs::remove(aside_); }

 private:
  fs::path aside_;
  std::vector<Sample> samples_;
};

// Keeps samples on disk as they come, and the other files fresh.
class Keeper final : public SampleSink {
 public:
  Keeper(RunDirectory& directory, RunFacts facts, const Plan& plan)
      : directory_(directory), facts_(std::move(facts)), plan_(plan) {}

  void append(std::span<const Sample> samples) override {
    samples_.insert(samples_.end(), samples.begin(), samples.end());
    directory_.append(samples);
    if (monotonic_ns() - written_ns_ >= kReportIntervalNs) {
      directory_.write(report(true));
      written_ns_ = monotonic_ns();
    }
  }

  // Rows in the plan's order: the order of measuring is random.
  [[nodiscard]] Report report(bool cut_off) const {
    RunFacts facts = facts_;
    facts.cut_off = cut_off;
    std::vector<Sample> ordered = samples_;
    std::map<std::pair<std::string, int>, std::size_t> rank;
    for (std::size_t i = 0; i < plan_.cells.size(); ++i) {
      rank[{plan_.cells[i]->workload(), plan_.cells[i]->threads()}] = i;
    }
    const auto key = [&rank](const Sample& sample) {
      const auto found = rank.find({sample.workload, sample.threads});
      return std::pair(found == rank.end() ? rank.size() : found->second, sample.block);
    };
    std::stable_sort(ordered.begin(), ordered.end(), [&](const Sample& a, const Sample& b) { return key(a) < key(b); });
    return digest(std::move(facts), std::move(ordered));
  }

 private:
  RunDirectory& directory_;
  const RunFacts facts_;
  const Plan& plan_;
  std::vector<Sample> samples_;
  std::int64_t written_ns_ = monotonic_ns();
};

// Asks each allocator who it is, in a process of its own.
json identify_all(const Plan& plan, Launcher& launcher, std::map<std::string, Attempt>& failed) {
  json out = json::array();
  for (const auto& allocator : plan.field.allocators) {
    const Attempt attempt = launcher.run(worker::Request{}, allocator, kIdentifyWithinS);
    json row = {{"name", allocator.name}, {"version", "unknown"}, {"library", allocator.library.string()}};
    if (attempt.status == Status::kOk) {
      row["version"] = attempt.result.at("version");
      row["library"] = attempt.result.at("library");
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
  facts.repetitions = plan.repetitions;
  facts.min_time_s = plan.min_time_s;
  facts.seed = plan.seed;
  facts.warnings = plan.warnings;
  facts.environment = describe_environment();
  for (auto& warning : host_warnings(facts.environment)) {
    facts.warnings.push_back({std::move(warning.what), std::move(warning.remedy)});
  }
  facts.environment["allocators"] = std::move(allocator_rows);
  facts.environment["command"] = options.command;
  facts.environment["suite"] = plan.suite;
  facts.environment["seed"] = plan.seed;
  facts.environment["baseline"] = facts.baseline;
  return facts;
}

std::string headline(const Plan& plan, const fs::path& out) {
  return std::to_string(plan.cells.size()) + " cells, " + std::to_string(plan.field.allocators.size()) + " allocators, " +
         std::to_string(plan.repetitions) + " blocks in random order (seed " + std::to_string(plan.seed) + "), baseline " +
         plan.baseline().name + "; results in " + out.string();
}

// Carries out the plan into a directory that exists.
void measure(Plan& plan, const RunOptions& options, Launcher& launcher, RunDirectory& directory, RunRecord& record,
             const EarlierSamples& earlier, RunResult& result) {
  std::map<std::string, Attempt> failed;
  json rows = identify_all(plan, launcher, failed);
  Keeper keeper(directory, facts_of(plan, options, std::move(rows)), plan);
  Progress progress(isatty(STDERR_FILENO) != 0);
  progress.say(headline(plan, result.out));
  try {
    keeper.append(earlier.samples());
    record.write();
    directory.write(keeper.report(true));
    if (!options.resume.empty()) {
      earlier.are_safe();
    }
    Runner runner(plan, launcher, progress, record, keeper);
    runner.skip(earlier.samples());
    for (auto& [name, attempt] : failed) {
      runner.give_up_on(name, attempt);
    }
    result.interrupted = !runner.run();
    result.report = keeper.report(result.interrupted);
    directory.write(result.report);
  } catch (const OutputError& error) {
    // What was measured is still in memory: the caller shows it.
    result.stopped_by = error.what();
    result.report = keeper.report(true);
  }
}

}  // namespace

ScratchFolder::ScratchFolder() {
  std::string pattern = (fs::temp_directory_path() / "bench-XXXXXX").string();
  if (mkdtemp(pattern.data()) == nullptr) {
    throw OutputError("cannot make a folder in " + fs::temp_directory_path().string() + ": " + std::strerror(errno) +
                      "; set TMPDIR to one that can be written");
  }
  path_ = pattern;
}

ScratchFolder::~ScratchFolder() {
  std::error_code ignored;  // nothing is lost if it stays
  fs::remove_all(path_, ignored);
}

EarlierCommand earlier_command(const fs::path& folder) {
  RunRecord record(folder);
  record.load();
  return {record.command_words(), record.working_folder()};
}

RunResult run(const RunOptions& options) {
  Signals signals;
  const Layout layout = find_layout();
  const ScratchFolder scratch;
  Launcher launcher(layout, scratch.path(), signals);
  launcher.set_flags(options.worker_flags);
  const allocators::Registry registry(allocators::known_allocators(), layout.library_folders());
  Plan plan = make_plan(options, registry, launcher);

  RunResult result;
  result.out = !options.resume.empty() ? options.resume : options.out.empty() ? new_folder() : options.out;
  RunRecord record(result.out);
  if (options.resume.empty()) {
    record.set_command(options.words, fs::current_path());
  } else {
    record.load();
  }
  const EarlierSamples earlier(options.resume);
  RunDirectory directory(result.out);
  measure(plan, options, launcher, directory, record, earlier, result);
  return result;
}

}  // namespace bench
