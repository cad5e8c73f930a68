#include "bench/cells/worker_cell.hpp"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <thread>
#include <utility>

#include "bench/measure/peak_watch.hpp"
#include "bench/model/metric.hpp"

namespace bench {
namespace {

using nlohmann::json;

// Slices in all: the first pass, a warm-up, and a steady phase of at least so many, or of the time asked for.
constexpr double kWarmUpShare = 0.25;  // of the steady phase
constexpr std::int64_t kLeastSteadySlices = 2;
constexpr std::int64_t kMostSlices = 20'000;

void add(Measured& into, const Sample& blank, std::string_view metric, double value, std::string_view unit = {}) {
  Sample sample = blank;
  sample.metric = metric;
  sample.unit = unit.empty() ? metric_named(metric).unit : unit;
  sample.value = value;
  into.samples.push_back(std::move(sample));
}

double above(double bytes, std::uint64_t floor_bytes) { return std::max(0.0, bytes - static_cast<double>(floor_bytes)); }

std::string trimmed(double seconds) {
  std::string text = std::to_string(seconds);
  text.erase(text.find_last_not_of('0') + 1);
  return text.ends_with('.') ? text.substr(0, text.size() - 1) : text;
}

// Slices for a steady phase of that long, if one takes `slice_s`.
std::int64_t slices_for(double steady_s, double slice_s) {
  const auto steady = std::max(kLeastSteadySlices, static_cast<std::int64_t>(std::ceil(steady_s / slice_s)));
  const auto warm_up = static_cast<std::int64_t>(kWarmUpShare * static_cast<double>(steady));
  return std::min(kMostSlices, 1 + warm_up + steady);
}

// By how much slices slow each second of work from `first` on; 0 where no trend is left.
double drift_per_second(const SliceTimes& seconds, std::size_t first) {
  const auto steady = std::span(seconds).subspan(std::min(first, seconds.size()));
  const Trend trend = trend_of(steady);
  const double slice_s = std::accumulate(steady.begin(), steady.end(), 0.0) / std::max(1.0, static_cast<double>(steady.size()));
  return trend.is_significant && slice_s > 0 ? trend.per_slice / slice_s : 0;
}

}  // namespace

worker::Request WorkerCell::request(worker::Mode mode) const {
  worker::Request out;
  out.mode = mode;
  out.workload = workload();
  out.threads = threads();
  out.iterations = cut_.iterations;
  out.slice_iterations = cut_.slice_iterations;
  out.seed = options_.seed;
  return out;
}

Attempt WorkerCell::prepare(Launcher& launcher, const allocators::Candidate& baseline) {
  Result calibrated{launcher.run(request(worker::Mode::kCalibrate), baseline, options_.timeout_s), {}, {}};
  read_outcome(calibrated);
  Attempt& attempt = calibrated.attempt;
  if (attempt.status != Status::kOk) {
    return attempt;
  }
  if (calibrated.outcome.operations == 0) {
    attempt.status = Status::kWrong;
    attempt.detail = "it did no operation";
    return attempt;
  }
  cut_.slice_iterations = calibrated.outcome.slice_iterations;
  cut_.iterations = cut_.slice_iterations * slices_for(options_.min_time_s, calibrated.outcome.slice_s);
  if (options_.iterations) {
    cut_ = {*options_.iterations, std::min(cut_.slice_iterations, *options_.iterations)};
  }
  count_live_bytes(launcher, attempt);
  return attempt;
}

// Without it only the fragmentation is missing, so a failure here is no failure of the cell.
void WorkerCell::count_live_bytes(Launcher& launcher, Attempt& cell) {
  if (!options_.counter) {
    cell.remark = "fragmentation is not given: libosmem-live-bytes.so is not built";
    cell.remedy = "build or install the project as a whole; all other figures stand";
    return;
  }
  Result counted{launcher.run(request(worker::Mode::kLive), *options_.counter, options_.timeout_s), {}, {}};
  read_outcome(counted);
  cell.interrupted |= counted.attempt.interrupted;
  if (counted.attempt.status != Status::kOk) {
    cell.remark = "fragmentation of " + label() + " is not given: counting its live bytes ended with " +
                  std::string(to_string(counted.attempt.status)) + ": " + counted.attempt.detail;
    cell.remedy = "look at the workload and at the library that counts; all other figures stand";
    return;
  }
  const worker::Outcome& outcome = counted.outcome;
  live_peak_bytes_ = outcome.live_peak_bytes - std::min(outcome.live_before_bytes, outcome.live_peak_bytes);
  live_mean_bytes_ = above(outcome.live_mean_bytes, outcome.live_before_bytes);
  if (outcome.iterations == cut_.iterations) {
    operations_ = outcome.operations;
    checksum_ = outcome.checksum;
  }
}

json WorkerCell::state() const {
  return {{"iterations", cut_.iterations},
          {"slice_iterations", cut_.slice_iterations},
          {"operations", operations_},
          {"checksum", checksum_},
          {"live_peak_bytes", live_peak_bytes_},
          {"live_mean_bytes", live_mean_bytes_}};
}

void WorkerCell::restore(const json& state) {
  cut_ = {state.at("iterations"), state.at("slice_iterations")};
  operations_ = state.at("operations");
  checksum_ = state.at("checksum");
  live_peak_bytes_ = state.at("live_peak_bytes");
  live_mean_bytes_ = state.at("live_mean_bytes");
}

void WorkerCell::check_work(Attempt& attempt, const worker::Outcome& outcome) const {
  if (outcome.operations != operations_) {
    attempt.status = Status::kWrong;
    attempt.detail = "did " + std::to_string(outcome.operations) + " operations, the baseline " + std::to_string(operations_);
  } else if (outcome.checksum != checksum_) {
    attempt.status = Status::kWrong;
    attempt.detail = "checksum " + std::to_string(outcome.checksum) + ", the baseline's is " + std::to_string(checksum_);
  }
}

const WorkerCell::Result* WorkerCell::first_failure(std::initializer_list<const Result*> results) {
  const auto failed = [](const Result* result) { return result != nullptr && result->attempt.status != Status::kOk; };
  const auto* const found = std::ranges::find_if(results, failed);
  return found != results.end() ? *found : nullptr;
}

void WorkerCell::read_outcome(Result& result) const {
  if (result.attempt.status != Status::kOk) {
    return;
  }
  try {
    result.outcome = worker::outcome_from(result.attempt.result);
  } catch (const std::exception& error) {
    result.attempt.status = Status::kFailed;
    result.attempt.detail = error.what();
  }
}

void WorkerCell::learn_work(const std::vector<Result>& results, std::size_t baseline) {
  if (operations_ != 0) {
    return;
  }
  const auto is_ok = [](const Result& result) { return result.attempt.status == Status::kOk; };
  auto found = baseline < results.size() && is_ok(results[baseline]) ? results.begin() + static_cast<std::ptrdiff_t>(baseline)
                                                                      : std::ranges::find_if(results, is_ok);
  if (found != results.end()) {
    operations_ = found->outcome.operations;
    checksum_ = found->outcome.checksum;
  }
}

void WorkerCell::subtract_own_time(std::vector<Result>& results) const {
  std::vector<double> own;
  for (const Result& result : results) {
    if (result.attempt.status == Status::kOk) {
      own.push_back(result.outcome.own_s);
    }
  }
  if (own.empty()) {
    return;
  }
  const auto middle = own.begin() + static_cast<std::ptrdiff_t>(own.size() / 2);
  std::ranges::nth_element(own, middle);
  for (Result& result : results) {
    for (std::size_t slice = 0; slice < result.track.seconds.size(); ++slice) {
      result.track.seconds[slice] -= *middle * static_cast<double>(cut_.iterations_of(static_cast<std::int64_t>(slice) + 1));
    }
  }
}

std::vector<Measured> WorkerCell::measure(Launcher& launcher, Allocators allocators, const Block& block) {
  const bool reads_memory = block.number < options_.memory_blocks;
  TurnOptions options{cut_, threads(), options_.timeout_s, reads_memory ? options_.drain_s : std::vector<double>{}, block.seed};
  std::vector<Result> results;
  for (auto& turn : take_turns(launcher, request(worker::Mode::kMeasure), allocators, options)) {
    results.push_back({std::move(turn.attempt), {}, std::move(turn.track)});
    read_outcome(results.back());
  }
  const auto is_baseline = [&](const allocators::Candidate* allocator) { return allocator->name == block.baseline; };
  const auto baseline = static_cast<std::size_t>(std::ranges::find_if(allocators, is_baseline) - allocators.begin());
  learn_work(results, baseline);
  subtract_own_time(results);
  std::size_t first = 0;
  for (Result& result : results) {
    if (result.attempt.status == Status::kOk) {
      check_work(result.attempt, result.outcome);
      first = std::max(first, steady_phase(result.track.seconds).first);
    }
  }
  Extras extras = run_extras(launcher, allocators, reads_memory);
  std::vector<Measured> out;
  for (std::size_t i = 0; i < results.size(); ++i) {
    const Sample blank_sample = blank(*allocators[i], block.number);
    const Result* const counted = extras.counted[i];
    const Result* const sampled = reads_memory ? &extras.sampled[i] : nullptr;
    const auto failed = first_failure({&results[i], counted, sampled});
    if (failed != nullptr) {
      out.push_back(failure(failed->attempt, blank_sample));
      continue;
    }
    std::optional<double> log_ratio;
    if (baseline < results.size() && results[baseline].attempt.status == Status::kOk) {
      log_ratio = log_speed_ratio(results[i].track.costs(), results[baseline].track.costs(), first);
    }
    Measured& measured = out.emplace_back();
    add_steady(results[i], first, log_ratio, blank_sample, measured);
    add_memory(results[i], first, peak_of(results[i], counted), blank_sample, measured);
    if (counted != nullptr && extras.is_new[i]) {
      add_counted(*counted, blank_sample, measured);
    }
    if (sampled != nullptr) {
      add_timeline(*sampled, blank_sample, measured);
    }
  }
  return out;
}

// Runs that are not timed, and so all at once.
std::vector<WorkerCell::Result> WorkerCell::run_side_by_side(Launcher& launcher, const worker::Request& request, Allocators allocators,
                                                            double timeout_s) const {
  std::vector<RunningWorker> running;
  for (const auto* allocator : allocators) {
    running.push_back(launcher.start(request, *allocator, running.size()));
  }
  std::vector<Result> results;
  for (auto& worker : running) {
    results.push_back({launcher.finish(std::move(worker), timeout_s), {}, {}});
    read_outcome(results.back());
    if (results.back().attempt.status == Status::kOk) {
      check_work(results.back().attempt, results.back().outcome);
    }
  }
  return results;
}

WorkerCell::Extras WorkerCell::run_extras(Launcher& launcher, Allocators allocators, bool reads_memory) {
  Extras extras;
  std::vector<const allocators::Candidate*> uncounted;
  for (const auto* allocator : allocators) {
    extras.is_new.push_back(PeakWatch::available() && !counted_.contains(allocator->name));
    if (extras.is_new.back()) {
      uncounted.push_back(allocator);
    }
  }
  auto counted = run_side_by_side(launcher, request(worker::Mode::kPeak), uncounted, options_.timeout_s);
  for (std::size_t i = 0; i < uncounted.size(); ++i) {
    counted_.insert_or_assign(uncounted[i]->name, std::move(counted[i]));
  }
  for (const auto* allocator : allocators) {
    const auto found = counted_.find(allocator->name);
    extras.counted.push_back(found != counted_.end() ? &found->second : nullptr);
  }
  if (reads_memory) {
    worker::Request over_time = request(worker::Mode::kMemory);
    over_time.drain_s = options_.drain_s;
    const double drain_s = options_.drain_s.empty() ? 0 : options_.drain_s.back();
    extras.sampled = run_side_by_side(launcher, over_time, allocators, options_.timeout_s + drain_s);
  }
  return extras;
}

void WorkerCell::add_steady(const Result& result, std::size_t first, std::optional<double> log_ratio, const Sample& blank,
                            Measured& into) const {
  const Track& track = result.track;
  double seconds = 0;
  std::int64_t iterations = 0;
  for (std::size_t slice = first; slice < track.seconds.size(); ++slice) {
    seconds += track.seconds[slice];
    iterations += cut_.iterations_of(static_cast<std::int64_t>(slice) + 1);
  }
  seconds = std::max(seconds, 1e-9);
  const double share = static_cast<double>(iterations) / static_cast<double>(cut_.iterations);
  const Usage steady = track.usage.back() - track.usage[first];
  const Usage all = track.usage.back() - track.usage.front();
  add(into, blank, "throughput", static_cast<double>(result.outcome.operations) * share / seconds);
  into.samples.back().log_ratio = log_ratio;
  add(into, blank, "first_pass", std::max(track.seconds.front(), 1e-9));
  add(into, blank, "wall_time", seconds);
  if (log_ratio) {
    into.samples.back().log_ratio = -*log_ratio;
  }
  add(into, blank, "user_time", steady.user_s);
  add(into, blank, "system_time", steady.system_s);
  add(into, blank, "minor_faults", static_cast<double>(all.minor_faults));
  add(into, blank, "major_faults", static_cast<double>(all.major_faults));
  add(into, blank, "voluntary_switches", static_cast<double>(all.voluntary_switches));
  add(into, blank, "involuntary_switches", static_cast<double>(all.involuntary_switches));
  add(into, blank, "operations", static_cast<double>(result.outcome.operations), "1");
  add(into, blank, "iterations", static_cast<double>(result.outcome.iterations), "1");
  add(into, blank, "slices", static_cast<double>(track.seconds.size()), "1");
  add(into, blank, "warm_up_slices", static_cast<double>(first), "1");
  add(into, blank, "drift", drift_per_second(track.seconds, first));
  for (const auto& [name, value] : result.outcome.counters) {
    add(into, blank, name, value, "1");
  }
}

double WorkerCell::peak_of(const Result& timed, const Result* counted) {
  const double peak_bytes = above(static_cast<double>(timed.track.peak_rss_bytes), timed.track.start_rss_bytes);
  if (counted == nullptr) {
    return peak_bytes;
  }
  // VmHWM may be too low by what the CPUs had not told yet. The counting run sees each page; its peak stands where VmHWM does not refute it.
  static const auto error_bytes = static_cast<double>(vm_hwm_error_bytes(static_cast<int>(std::thread::hardware_concurrency())));
  const double seen_bytes = above(static_cast<double>(counted->outcome.peak_rss_bytes), counted->outcome.start_rss_bytes);
  return std::clamp(seen_bytes, peak_bytes, peak_bytes + error_bytes);
}

void WorkerCell::add_memory(const Result& result, std::size_t first, double peak_bytes, const Sample& blank, Measured& into) const {
  const Track& track = result.track;
  const double mean_bytes = above(track.mean_rss_bytes(first), track.start_rss_bytes);
  add(into, blank, "peak_rss", peak_bytes);
  add(into, blank, "mean_rss", mean_bytes);
  if (live_peak_bytes_ >= kLeastLiveForFragmentationBytes) {
    add(into, blank, "fragmentation", peak_bytes / static_cast<double>(live_peak_bytes_));
    if (live_mean_bytes_ > 0) {
      add(into, blank, "mean_fragmentation", mean_bytes / live_mean_bytes_);
    }
  }
  if (live_peak_bytes_ > 0) {
    add(into, blank, "peak_live", static_cast<double>(live_peak_bytes_));
    add(into, blank, "mean_live", live_mean_bytes_);
  }
  add(into, blank, "start_rss", static_cast<double>(result.outcome.initial_rss_bytes), "bytes");
  const std::uint64_t shared_bytes = track.totals.resident_bytes - std::min(track.totals.proportional_bytes, track.totals.resident_bytes);
  add(into, blank, "peak_pss", above(static_cast<double>(track.peak_rss_bytes), shared_bytes));
  add(into, blank, "huge_pages", static_cast<double>(track.totals.anonymous_huge_bytes));
  for (const auto& [after_s, bytes] : track.idle) {
    add(into, blank, "rss_after_idle_" + trimmed(after_s) + "s", above(static_cast<double>(bytes), track.start_rss_bytes), "bytes");
  }
}

void WorkerCell::add_counted(const Result& counted, const Sample& blank, Measured& into) {
  add(into, blank, "purge_calls", static_cast<double>(counted.outcome.purge_calls));
  add(into, blank, "purge_pages", static_cast<double>(counted.outcome.purge_pages));
}

void WorkerCell::add_timeline(const Result& sampled, const Sample& blank, Measured& into) {
  const worker::Outcome& outcome = sampled.outcome;
  for (const auto& [after_s, bytes] : outcome.drained) {
    add(into, blank, "rss_after_idle_calls_" + trimmed(after_s) + "s", above(static_cast<double>(bytes), outcome.start_rss_bytes), "bytes");
  }
  into.timelines.push_back({{"start_rss_bytes", static_cast<double>(outcome.start_rss_bytes)},
                            {"points", outcome.timeline.at("points")},
                            {"phases", outcome.timeline.at("phases")}});
}

}  // namespace bench
