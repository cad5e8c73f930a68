#include "bench/run/runner.hpp"

#include <algorithm>
#include <numeric>

#include "bench/measure/clock.hpp"

namespace bench {
namespace {

constexpr std::size_t kMostPaddingBytes = 4096;
constexpr double kExpectedStepS = 0.3;

// Fisher and Yates, with the generator alone deciding: std::shuffle's order is not the same in every library.
std::vector<std::size_t> random_order(std::size_t count, std::mt19937_64& random) {
  std::vector<std::size_t> order(count);
  std::iota(order.begin(), order.end(), std::size_t{0});
  for (std::size_t i = count; i > 1; --i) {
    std::swap(order[i - 1], order[random() % i]);
  }
  return order;
}

// A worker's answer may be JSON and still lack what a result has, if its allocator meddles with it: then it is that cell's failure.
Attempt unusable(const nlohmann::json::exception& error) {
  Attempt attempt;
  attempt.status = Status::kFailed;
  attempt.detail = std::string("its result cannot be used: ") + error.what();
  return attempt;
}

}  // namespace

void Runner::skip(std::span<const Sample> done) {
  for (const auto& sample : done) {
    done_.emplace(sample.block, sample.workload, sample.threads, sample.allocator);
  }
}

void Runner::give_up_on(const std::string& allocator, Attempt failure) {
  useless_allocators_[allocator] = std::move(failure);
}

bool Runner::is_done(const Cell& cell, const allocators::Candidate& allocator, int block) const {
  return done_.contains({block, cell.workload(), cell.threads(), allocator.name});
}

void Runner::expect_steps() {
  for (const auto& cell : plan_.cells) {
    int left = 0;
    for (int block = 0; block < plan_.repetitions; ++block) {
      for (const auto& allocator : plan_.field.allocators) {
        left += is_done(*cell, allocator, block) ? 0 : 1;
      }
    }
    progress_.expect(cell->label(), left, kExpectedStepS);
  }
}

bool Runner::run() {
  expect_steps();
  return run_blocks(0, plan_.repetitions, [](const Cell&) { return true; });
}

bool Runner::run_blocks(int first, int end, const std::function<bool(const Cell&)>& wanted) {
  for (int block = first; block < end; ++block) {
    launcher_.set_padding(random_() % kMostPaddingBytes);
    for (const std::size_t index : random_order(plan_.cells.size(), random_)) {
      Cell& cell = *plan_.cells[index];
      if (wanted(cell) && !run_cell(cell, block)) {
        return false;
      }
    }
  }
  return true;
}

bool Runner::run_cell(Cell& cell, int block) {
  // Drawn before anything is skipped, so that a resumed run keeps the order of the whole.
  const auto order = random_order(plan_.field.allocators.size(), random_);
  std::vector<const allocators::Candidate*> waiting;
  for (const std::size_t index : order) {
    const auto& allocator = plan_.field.allocators[index];
    if (!is_done(cell, allocator, block) && !dropped_.contains(&cell) && !hopeless_.contains({&cell, allocator.name})) {
      waiting.push_back(&allocator);
    }
  }
  if (waiting.empty()) {
    return true;
  }
  if (!prepare(cell)) {
    return !launcher_.signals().interrupted();
  }
  for (const auto* allocator : waiting) {
    progress_.begin("block " + std::to_string(block + 1) + ", " + cell.label() + ", " + allocator->name);
    const std::int64_t start_ns = monotonic_ns();
    const Measured measured = measure(cell, *allocator, block);
    if (measured.interrupted) {
      return false;
    }
    if (!measured.remark.empty()) {
      sink_.warn({measured.remark, measured.remedy});
    }
    sink_.append(measured.samples);
    record_.append_timelines(measured.samples.front(), measured.timelines);
    progress_.end(cell.label(), static_cast<double>(monotonic_ns() - start_ns) * 1e-9);
  }
  return true;
}

Measured Runner::measure(Cell& cell, const allocators::Candidate& allocator, int block) {
  const auto failed = [&](const Attempt& attempt) {
    Sample sample;
    sample.block = block;
    sample.workload = cell.workload();
    sample.threads = cell.threads();
    sample.kind = cell.kind();
    sample.allocator = allocator.name;
    sample.status = attempt.status;
    sample.detail = attempt.detail;
    Measured failure;
    failure.samples.push_back(std::move(sample));
    return failure;
  };
  if (const auto useless = useless_allocators_.find(allocator.name); useless != useless_allocators_.end()) {
    return failed(useless->second);
  }
  Measured measured;
  try {
    measured = cell.measure(launcher_, allocator, block);
  } catch (const nlohmann::json::exception& error) {
    return failed(unusable(error));
  }
  if (!measured.interrupted && measured.samples.front().status == Status::kTimeout) {
    hopeless_.emplace(&cell, allocator.name);
    progress_.drop(cell.label(), plan_.repetitions - block - 1);
  }
  return measured;
}

bool Runner::prepare(Cell& cell) {
  if (prepared_.contains(&cell)) {
    return true;
  }
  if (const auto state = record_.prepared(cell); !state.is_null()) {
    if (state.contains("failed")) {
      dropped_.insert(&cell);
      return false;
    }
    cell.restore(state);
    prepared_.insert(&cell);
    return true;
  }
  progress_.begin("calibrating " + cell.label() + " under " + plan_.baseline().name);
  Attempt attempt;
  try {
    attempt = cell.prepare(launcher_, plan_.baseline());
  } catch (const nlohmann::json::exception& error) {
    attempt = unusable(error);
  }
  if (attempt.interrupted) {
    return false;
  }
  if (attempt.status != Status::kOk) {
    fail_everywhere(cell, attempt);
    return false;
  }
  if (!attempt.remark.empty()) {
    sink_.warn({attempt.remark, attempt.remedy});
  }
  prepared_.insert(&cell);
  record_.set_prepared(cell);
  record_.write();
  return true;
}

// Without an iteration count there is no equal work, so nobody can be measured in this cell.
void Runner::fail_everywhere(const Cell& cell, const Attempt& failure) {
  dropped_.insert(&cell);
  progress_.drop(cell.label(), plan_.repetitions * static_cast<int>(plan_.field.allocators.size()));
  std::vector<Sample> samples;
  for (const auto& allocator : plan_.field.allocators) {
    Sample sample;
    sample.workload = cell.workload();
    sample.threads = cell.threads();
    sample.kind = cell.kind();
    sample.allocator = allocator.name;
    const bool is_baseline = allocator.name == plan_.baseline().name;
    sample.status = is_baseline ? failure.status : Status::kSkipped;
    sample.detail = is_baseline ? failure.detail : plan_.baseline().name + ", to whose work it is held, ended with " +
                                                       std::string(to_string(failure.status)) + ": " + failure.detail;
    samples.push_back(std::move(sample));
  }
  sink_.append(samples);
  record_.set_failed(cell, failure.detail);
  record_.write();
}

}  // namespace bench
