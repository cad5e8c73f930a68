#include "bench/cells/worker_cell.hpp"

#include <algorithm>
#include <thread>
#include <utility>

#include "bench/measure/peak_watch.hpp"
#include "bench/model/metric.hpp"

namespace bench {
namespace {

using nlohmann::json;

void add(Measured& into, const Sample& blank, std::string_view metric, double value, std::string_view unit = {}) {
  Sample sample = blank;
  sample.metric = metric;
  sample.unit = unit.empty() ? metric_named(metric).unit : unit;
  sample.value = value;
  into.samples.push_back(std::move(sample));
}

double above(const json& result, const char* key, const char* floor) {
  return std::max(0.0, result.at(key).get<double>() - result.at(floor).get<double>());
}

double peak_above_start(const json& result) { return above(result, "peak_rss_bytes", "start_rss_bytes"); }

// Peaks below this are watched: VmHWM could miss more than 2 % of them. With many CPUs no further than to what one look reads quickly.
double watched_below_bytes() {
  constexpr double kErrorsInAPeak = 50;
  constexpr double kMostWatchedBytes = 64 << 20;
  static const bool available = PeakWatch::available();
  static const double error_bytes = static_cast<double>(vm_hwm_error_bytes(static_cast<int>(std::thread::hardware_concurrency())));
  return available ? std::min(kErrorsInAPeak * error_bytes, kMostWatchedBytes) : 0;
}

std::string trimmed(double seconds) {
  std::string text = std::to_string(seconds);
  text.erase(text.find_last_not_of('0') + 1);
  return text.ends_with('.') ? text.substr(0, text.size() - 1) : text;
}

}  // namespace

worker::Request WorkerCell::request(worker::Mode mode) const {
  worker::Request out;
  out.mode = mode;
  out.workload = workload();
  out.threads = threads();
  out.iterations = iterations_;
  out.min_time_s = options_.min_time_s;
  out.seed = options_.seed;
  return out;
}

Attempt WorkerCell::prepare(Launcher& launcher, const allocators::Candidate& baseline) {
  if (options_.iterations) {
    iterations_ = *options_.iterations;
  }
  const auto mode = options_.iterations ? worker::Mode::kMeasure : worker::Mode::kCalibrate;
  Attempt attempt = launcher.run(request(mode), baseline, options_.timeout_s);
  if (attempt.status != Status::kOk) {
    return attempt;
  }
  iterations_ = attempt.result.at("iterations");
  operations_ = attempt.result.at("operations");
  checksum_ = attempt.result.at("checksum");
  if (operations_ == 0) {
    attempt.status = Status::kWrong;
    attempt.detail = "it did no operation";
    return attempt;
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
  const Attempt counted = run_checked(launcher, request(worker::Mode::kLive), *options_.counter, options_.timeout_s);
  cell.interrupted |= counted.interrupted;
  if (counted.status == Status::kOk) {
    live_peak_bytes_ = static_cast<std::uint64_t>(above(counted.result, "live_peak_bytes", "live_before_bytes"));
  } else {
    cell.remark = "fragmentation of " + label() + " is not given: counting its live bytes ended with " +
                  std::string(to_string(counted.status)) + ": " + counted.detail;
    cell.remedy = "look at the workload and at the library that counts; all other figures stand";
  }
}

json WorkerCell::state() const {
  return {{"iterations", iterations_}, {"operations", operations_}, {"checksum", checksum_}, {"live_peak_bytes", live_peak_bytes_}};
}

void WorkerCell::restore(const json& state) {
  iterations_ = state.at("iterations");
  operations_ = state.at("operations");
  checksum_ = state.at("checksum");
  live_peak_bytes_ = state.at("live_peak_bytes");
}

void WorkerCell::check_work(Attempt& attempt) const {
  const std::uint64_t operations = attempt.result.at("operations");
  const std::uint64_t checksum = attempt.result.at("checksum");
  if (operations != operations_) {
    attempt.status = Status::kWrong;
    attempt.detail = "did " + std::to_string(operations) + " operations, the baseline " + std::to_string(operations_);
  } else if (checksum != checksum_) {
    attempt.status = Status::kWrong;
    attempt.detail = "checksum " + std::to_string(checksum) + ", the baseline's is " + std::to_string(checksum_);
  }
}

Attempt WorkerCell::run_checked(Launcher& launcher, worker::Request request, const allocators::Candidate& allocator,
                                double timeout_s) const {
  Attempt attempt = launcher.run(std::move(request), allocator, timeout_s);
  if (attempt.status == Status::kOk) {
    check_work(attempt);
  }
  return attempt;
}

Measured WorkerCell::measure(Launcher& launcher, const allocators::Candidate& allocator, int block) {
  Measured out;
  const Sample blank_sample = blank(allocator, block);
  const Attempt timed = run_checked(launcher, request(worker::Mode::kMeasure), allocator, options_.timeout_s);
  if (timed.status != Status::kOk) {
    add_failure(timed, blank_sample, out);
    return out;
  }
  double peak_bytes = peak_above_start(timed.result);
  if (peak_bytes < watched_below_bytes()) {
    const Attempt watched = run_checked(launcher, request(worker::Mode::kPeak), allocator, options_.timeout_s);
    if (watched.status != Status::kOk) {
      add_failure(watched, blank_sample, out);
      return out;
    }
    peak_bytes = peak_above_start(watched.result);
  }
  add_timed(timed.result, peak_bytes, blank_sample, out);
  if (block < options_.memory_blocks) {
    worker::Request memory = request(worker::Mode::kMemory);
    memory.drain_s = options_.drain_s;
    const double drain_s = options_.drain_s.empty() ? 0 : options_.drain_s.back();
    const Attempt sampled = run_checked(launcher, std::move(memory), allocator, options_.timeout_s + drain_s);
    if (sampled.status != Status::kOk) {
      add_failure(sampled, blank_sample, out);
    } else {
      add_memory(sampled.result, blank_sample, out);
    }
  }
  return out;
}

void WorkerCell::add_failure(const Attempt& attempt, const Sample& blank, Measured& into) const {
  into.interrupted |= attempt.interrupted;
  into.samples.clear();
  Sample sample = blank;
  sample.status = attempt.status;
  sample.detail = attempt.detail;
  into.samples.push_back(std::move(sample));
}

void WorkerCell::add_timed(const json& result, double peak_bytes, const Sample& blank, Measured& into) const {
  const double wall_s = std::max(result.at("wall_s").get<double>(), 1e-9);
  add(into, blank, "throughput", result.at("operations").get<double>() / wall_s);
  add(into, blank, "wall_time", wall_s);
  add(into, blank, "user_time", result.at("user_s"));
  add(into, blank, "system_time", result.at("system_s"));
  add(into, blank, "peak_rss", peak_bytes);
  if (live_peak_bytes_ >= kLeastLiveForFragmentationBytes) {
    add(into, blank, "fragmentation", peak_bytes / static_cast<double>(live_peak_bytes_));
  }
  if (live_peak_bytes_ > 0) {
    add(into, blank, "peak_live", static_cast<double>(live_peak_bytes_));
  }
  add(into, blank, "start_rss", result.at("initial_rss_bytes"), "bytes");
  for (const char* metric : {"minor_faults", "major_faults", "voluntary_switches", "involuntary_switches"}) {
    add(into, blank, metric, result.at(metric));
  }
  add(into, blank, "operations", result.at("operations"), "1");
  add(into, blank, "iterations", result.at("iterations"), "1");
  for (const auto& counter : result.at("counters")) {
    add(into, blank, counter.at(0).get<std::string>(), counter.at(1), "1");
  }
}

void WorkerCell::add_memory(const json& result, const Sample& blank, Measured& into) const {
  const double start_bytes = result.at("start_rss_bytes");
  const auto& timeline = result.at("timeline");
  add(into, blank, "mean_rss", std::max(0.0, timeline.at("mean_rss_bytes").get<double>() - start_bytes));
  for (const auto& reading : result.at("drained")) {
    const double bytes = std::max(0.0, reading.at("rss_bytes").get<double>() - start_bytes);
    add(into, blank, "rss_after_drain_" + trimmed(reading.at("after_s")) + "s", bytes, "bytes");
  }
  into.timelines.push_back({{"start_rss_bytes", start_bytes}, {"points", timeline.at("points")}, {"phases", timeline.at("phases")}});
}

}  // namespace bench
