#include "bench/cells/latency_cell.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "bench/cells/percentiles.hpp"

namespace bench {
namespace {

using nlohmann::json;

constexpr double kTimingSlowdown = 20;  // a timed call takes longer than the fastest ones, an explained one much longer
constexpr std::size_t kSlowestShown = 5;
constexpr double kExplainedShare = 0.05;  // of the iterations: two system calls a call are dear

// "malloc of 1,048,576 bytes: 257 page faults, 1 purge"
std::string in_words(const json& call) {
  std::string text = call.at("call");
  if (const auto bytes = call.at("size_bytes").get<std::uint64_t>(); bytes > 0) {
    text += fmt::format(" of {} bytes", bytes);
  }
  std::string did;
  const auto put = [&](const char* key, const char* one, const char* many) {
    if (const auto count = call.at(key).get<std::uint64_t>(); count > 0) {
      did += fmt::format("{}{} {}", did.empty() ? "" : ", ", count, count == 1 ? one : many);
    }
  };
  put("minor_faults", "page fault", "page faults");
  put("major_faults", "page read from a disk", "pages read from a disk");
  put("purges", "call that gave memory back", "calls that gave memory back");
  put("mappings", "mapping call", "mapping calls");
  put("preemptions", "preemption", "preemptions");
  put("waits", "wait", "waits");
  return text + ": " + (did.empty() ? "nothing of the kernel's seen" : did);
}

}  // namespace

worker::Request LatencyCell::request(worker::Mode mode) const {
  worker::Request out;
  out.mode = mode;
  out.workload = workload();
  out.threads = threads();
  out.iterations = iterations_;
  out.seed = options_.seed;
  return out;
}

Attempt LatencyCell::prepare(Launcher& launcher, const allocators::Candidate& baseline) {
  if (options_.iterations) {
    iterations_ = *options_.iterations;
    return {};
  }
  Attempt attempt = launcher.run(request(worker::Mode::kCalibrate), baseline, options_.timeout_s);
  if (attempt.status == Status::kOk) {
    const worker::Outcome outcome = worker::outcome_from(attempt.result);
    const double slices = std::ceil(options_.min_time_s / std::max(outcome.slice_s, 1e-9));
    iterations_ = outcome.slice_iterations * std::max<std::int64_t>(2, static_cast<std::int64_t>(slices));
  }
  return attempt;
}

json LatencyCell::state() const { return {{"iterations", iterations_}, {"operations", operations_}, {"checksum", checksum_}}; }

void LatencyCell::restore(const json& state) {
  iterations_ = state.at("iterations");
  operations_ = state.at("operations");
  checksum_ = state.at("checksum");
}

Attempt LatencyCell::run_timed(Launcher& launcher, const allocators::Candidate& allocator, worker::Mode mode, worker::Outcome& outcome) {
  worker::Request wanted = request(mode);
  if (mode == worker::Mode::kExplain) {
    wanted.iterations = std::max<std::int64_t>(1, std::llround(kExplainedShare * static_cast<double>(iterations_)));
  }
  const Around around{launcher.layout().libraries / "libosmem-call-timer.so", {}};
  Attempt attempt = launcher.run(wanted, allocator, options_.timeout_s * kTimingSlowdown, around);
  if (attempt.status != Status::kOk) {
    return attempt;
  }
  outcome = worker::outcome_from(attempt.result);
  if (mode == worker::Mode::kLatency) {
    if (operations_ == 0) {
      operations_ = outcome.operations;
      checksum_ = outcome.checksum;
    }
    if (outcome.operations != operations_ || outcome.checksum != checksum_) {
      attempt.status = Status::kWrong;
      attempt.detail = fmt::format("did {} operations with checksum {}, the first allocator {} with {}", outcome.operations, outcome.checksum,
                                   operations_, checksum_);
    }
  }
  return attempt;
}

Measured LatencyCell::measure_one(Launcher& launcher, const allocators::Candidate& allocator, int block) {
  const Sample blank_sample = blank(allocator, block);
  worker::Outcome outcome;
  if (const Attempt attempt = run_timed(launcher, allocator, worker::Mode::kLatency, outcome); attempt.status != Status::kOk) {
    return failure(attempt, blank_sample);
  }
  Measured measured;
  put_figure(measured, blank_sample, "timer_cost", outcome.calls.at("cost_ns").get<double>(),
             fmt::format("by {}, which goes on in steps of {:.2g} ns", outcome.calls.at("timer").get<std::string>(),
                         outcome.calls.at("step_ns").get<double>()));
  for (const auto& function : outcome.calls.at("functions")) {
    put_percentiles(measured, blank_sample, function.at("name"), function);
  }
  if (block == 0) {
    worker::Outcome explained;
    if (const Attempt attempt = run_timed(launcher, allocator, worker::Mode::kExplain, explained); attempt.status != Status::kOk) {
      return failure(attempt, blank_sample);
    }
    const json& slowest = explained.calls.at("slowest");
    for (std::size_t i = 0; i < std::min(kSlowestShown, slowest.size()); ++i) {
      put_figure(measured, blank_sample, fmt::format("slow_call_{}", i + 1), slowest[i].at("ns").get<double>(), in_words(slowest[i]));
    }
  }
  return measured;
}

std::vector<Measured> LatencyCell::measure(Launcher& launcher, std::span<const allocators::Candidate* const> allocators, const Block& block) {
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
