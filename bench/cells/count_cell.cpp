#include "bench/cells/count_cell.hpp"

#include <filesystem>
#include <fstream>
#include <optional>
#include <string>

#include "bench/cells/percentiles.hpp"

namespace bench {
namespace {

namespace fs = std::filesystem;

constexpr double kCallgrindSlowdown = 100;  // under callgrind

// The sum that callgrind wrote for what lay between the worker's two requests; nothing if it wrote none.
std::optional<double> instructions_in(const fs::path& file) {
  std::ifstream in(file);
  for (std::string line; std::getline(in, line);) {
    if (line.starts_with("summary: ")) {
      return std::stod(line.substr(9));
    }
  }
  return std::nullopt;
}

}  // namespace

Attempt CountCell::prepare(Launcher& /*launcher*/, const allocators::Candidate& /*baseline*/) { return {}; }

nlohmann::json CountCell::state() const { return nlohmann::json::object(); }

void CountCell::restore(const nlohmann::json& /*state*/) {}

Measured CountCell::measure_one(Launcher& launcher, const allocators::Candidate& allocator, int block) {
  const fs::path file = launcher.scratch() / "callgrind.out";
  const fs::path part = launcher.scratch() / "callgrind.out.1";  // of the first dump that was asked for
  Around around;
  if (by_ == By::kCallgrind) {
    fs::remove(part);
    around.wrapper = {"/usr/bin/valgrind", "-q", "--tool=callgrind", "--callgrind-out-file=" + file.string()};
  }
  worker::Request request;
  request.mode = worker::Mode::kCount;
  request.workload = workload();
  request.threads = threads();
  request.iterations = options_.iterations.value_or(1);
  request.seed = options_.seed;
  Attempt attempt = launcher.run(request, allocator, options_.timeout_s * kCallgrindSlowdown, around);
  Measured measured;
  if (attempt.status == Status::kOk) {
    const worker::Outcome outcome = worker::outcome_from(attempt.result);
    if (by_ == By::kCallgrind) {
      if (const auto counted = instructions_in(part)) {
        put_figure(measured, blank(allocator, block), "instructions", *counted);
      } else {
        attempt.status = Status::kFailed;
        attempt.detail = "callgrind left no count; is the disk full?";
      }
    }
    for (const auto& [name, value] : outcome.counters) {
      put_figure(measured, blank(allocator, block), name, value);
    }
    put_figure(measured, blank(allocator, block), "operations", static_cast<double>(outcome.operations));
    put_figure(measured, blank(allocator, block), "iterations", static_cast<double>(outcome.iterations));
  }
  return attempt.status == Status::kOk ? measured : failure(attempt, blank(allocator, block));
}

std::vector<Measured> CountCell::measure(Launcher& launcher, std::span<const allocators::Candidate* const> allocators, const Block& block) {
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
