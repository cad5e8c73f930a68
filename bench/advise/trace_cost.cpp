#include "bench/advise/trace_cost.hpp"

#include <algorithm>
#include <fstream>
#include <nlohmann/json.hpp>

namespace bench {
namespace {

namespace fs = std::filesystem;

constexpr int kPasses = 3;
constexpr double kTimeoutS = 300;

// One pass of one trace in a process of its own.
TraceCost one_pass(const fs::path& trace, const allocators::Candidate& allocator, Launcher& launcher) {
  TraceCost cost;
  cost.allocator = allocator.name;
  Command command;
  command.words = {(launcher.layout().worker.parent_path() / "bench-trace-cost").string(), trace.string()};
  command.environment = allocator_environment(allocator, 0);
  command.stdout_file = launcher.scratch() / "trace-cost.stdout";
  command.stderr_file = launcher.scratch() / "trace-cost.stderr";
  command.timeout_s = kTimeoutS;
  const Attempt attempt = judge(run_to_end(command, launcher.signals()), command.stderr_file, kTimeoutS);
  if (attempt.interrupted) {
    return cost;
  }
  std::ifstream in(command.stdout_file);
  const auto figures = nlohmann::json::parse(in, nullptr, false);
  if (attempt.status != Status::kOk || !figures.is_object()) {
    cost.failure = attempt.status != Status::kOk ? attempt.detail : "its replay gave no figures";
    return cost;
  }
  cost.calls = figures.value("calls", std::uint64_t{0});
  cost.cpu_s = figures.value("cpu_s", 0.0);
  cost.peak_rss_bytes = figures.value("peak_rss_bytes", std::uint64_t{0});
  cost.live_bytes = figures.value("live_bytes", std::uint64_t{0});
  cost.usable_bytes = figures.value("usable_bytes", std::uint64_t{0});
  return cost;
}

template <typename Field>
void take_median(TraceCost& into, std::vector<TraceCost>& passes, Field TraceCost::*field) {
  std::ranges::sort(passes, {}, field);
  into.*field = passes[passes.size() / 2].*field;
}

TraceCost median_of(std::vector<TraceCost> passes) {
  for (const TraceCost& pass : passes) {
    if (!pass.failure.empty()) {
      return pass;
    }
  }
  TraceCost median = passes.front();
  take_median(median, passes, &TraceCost::cpu_s);
  take_median(median, passes, &TraceCost::peak_rss_bytes);
  return median;
}

void add(TraceCost& sum, const TraceCost& one) {
  sum.failure = sum.failure.empty() ? one.failure : sum.failure;
  sum.calls += one.calls;
  sum.cpu_s += one.cpu_s;
  if (one.live_bytes > sum.live_bytes) {
    sum.peak_rss_bytes = one.peak_rss_bytes;
    sum.live_bytes = one.live_bytes;
    sum.usable_bytes = one.usable_bytes;
  }
}

}  // namespace

std::vector<TraceCost> costs_of(std::span<const fs::path> traces, std::span<const allocators::Candidate> allocators, Launcher& launcher) {
  std::vector<TraceCost> sums;
  for (const auto& allocator : allocators) {
    sums.emplace_back().allocator = allocator.name;
  }
  for (const fs::path& trace : traces) {
    std::vector<std::vector<TraceCost>> passes(allocators.size());
    for (int pass = 0; pass < kPasses; ++pass) {
      for (std::size_t i = 0; i < allocators.size(); ++i) {
        passes[i].push_back(one_pass(trace, allocators[i], launcher));
        if (launcher.signals().interrupted()) {
          return sums;
        }
      }
    }
    for (std::size_t i = 0; i < allocators.size(); ++i) {
      add(sums[i], median_of(std::move(passes[i])));
    }
  }
  return sums;
}

}  // namespace bench
