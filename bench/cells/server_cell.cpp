#include "bench/cells/server_cell.hpp"

#include <algorithm>
#include <string>
#include <vector>

#include "bench/cells/percentiles.hpp"
#include "bench/measure/recent_demand.hpp"
#include "bench/model/metric.hpp"

namespace bench {
namespace {

using nlohmann::json;
using worker::Outcome;

double above_start(double bytes, const Outcome& outcome) { return std::max(0.0, bytes - static_cast<double>(outcome.start_rss_bytes)); }

// The most of the third figure of each point: live bytes.
double most_live(const json& timeline) {
  double most = 0;
  for (const auto& point : timeline.at("points")) {
    most = std::max(most, point[2].get<double>());
  }
  return most;
}

double beyond_recent_demand(const json& timeline, std::uint64_t start_bytes) {
  std::vector<TimelinePoint> points;
  for (const auto& point : timeline.at("points")) {
    points.push_back({point[0].get<std::int64_t>(), point[1].get<std::uint64_t>(), point[2].get<std::uint64_t>()});
  }
  return realized_fragmentation(points, start_bytes);
}

void add_speed(const Outcome& outcome, const Sample& blank, Measured& into) {
  const double seconds = std::max(outcome.wall_s, 1e-9);
  put_figure(into, blank, "throughput", static_cast<double>(outcome.operations) / seconds);
  put_figure(into, blank, "wall_time", seconds);
  put_figure(into, blank, "user_time", outcome.user_s);
  put_figure(into, blank, "system_time", outcome.system_s);
  put_figure(into, blank, "minor_faults", static_cast<double>(outcome.minor_faults));
  put_figure(into, blank, "major_faults", static_cast<double>(outcome.major_faults));
  put_figure(into, blank, "fault_rate", static_cast<double>(outcome.minor_faults + outcome.major_faults) / seconds);
  put_figure(into, blank, "voluntary_switches", static_cast<double>(outcome.voluntary_switches));
  put_figure(into, blank, "involuntary_switches", static_cast<double>(outcome.involuntary_switches));
  put_figure(into, blank, "operations", static_cast<double>(outcome.operations));
}

void add_memory(const Outcome& outcome, const Sample& blank, Measured& into) {
  const double mean_bytes = above_start(outcome.timeline.at("mean_rss_bytes").get<double>(), outcome);
  const double peak_bytes = above_start(static_cast<double>(outcome.peak_rss_bytes), outcome);
  const double live_bytes = most_live(outcome.timeline);
  put_figure(into, blank, "peak_rss", peak_bytes);
  put_figure(into, blank, "mean_rss", mean_bytes);
  if (live_bytes >= static_cast<double>(kLeastLiveForFragmentationBytes)) {
    put_figure(into, blank, "fragmentation", peak_bytes / live_bytes);
    put_figure(into, blank, "peak_live", live_bytes);
    put_figure(into, blank, "realized_fragmentation", beyond_recent_demand(outcome.timeline, outcome.start_rss_bytes));
  }
  if (outcome.live_mean_bytes > 0) {
    put_figure(into, blank, "mean_fragmentation", mean_bytes / outcome.live_mean_bytes);
    put_figure(into, blank, "mean_live", outcome.live_mean_bytes);
  }
  put_figure(into, blank, "start_rss", static_cast<double>(outcome.initial_rss_bytes));
  into.timelines.push_back({{"start_rss_bytes", static_cast<double>(outcome.start_rss_bytes)},
                            {"points", outcome.timeline.at("points")},
                            {"phases", outcome.timeline.at("phases")}});
}

}  // namespace

Attempt ServerCell::prepare(Launcher& /*launcher*/, const allocators::Candidate& /*baseline*/) { return {}; }

json ServerCell::state() const { return {{"operations", operations_}, {"checksum", checksum_}}; }

void ServerCell::restore(const json& state) {
  operations_ = state.at("operations");
  checksum_ = state.at("checksum");
}

Measured ServerCell::measure_one(Launcher& launcher, const allocators::Candidate& allocator, int block) {
  worker::Request request;
  request.mode = worker::Mode::kServe;
  request.workload = workload();
  request.threads = threads();
  request.iterations = options_.iterations.value_or(1);
  request.seed = options_.seed;
  Attempt attempt = launcher.run(request, allocator, options_.timeout_s);
  if (attempt.status != Status::kOk) {
    return failure(attempt, blank(allocator, block));
  }
  const Outcome outcome = worker::outcome_from(attempt.result);
  if (operations_ == 0) {
    operations_ = outcome.operations;
    checksum_ = outcome.checksum;
  }
  if (outcome.operations != operations_ || outcome.checksum != checksum_) {
    attempt.status = Status::kWrong;
    attempt.detail = "its operations or its checksum are not those of the first allocator that did this work";
    return failure(attempt, blank(allocator, block));
  }
  Measured measured;
  add_speed(outcome, blank(allocator, block), measured);
  add_memory(outcome, blank(allocator, block), measured);
  if (!outcome.requests.is_null()) {
    put_percentiles(measured, blank(allocator, block), "request", outcome.requests);
  }
  return measured;
}

std::vector<Measured> ServerCell::measure(Launcher& launcher, std::span<const allocators::Candidate* const> allocators, const Block& block) {
  std::vector<Measured> out;
  for (const auto* allocator : allocators) {
    out.push_back(measure_one(launcher, *allocator, block.number));
    if (out.back().interrupted) {
      break;
    }
  }
  return out;
}

}  // namespace bench
