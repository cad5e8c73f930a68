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

Sample failed_sample(const Cell& cell, const std::string& allocator, int block, const Attempt& failure) {
  Sample sample;
  sample.block = block;
  sample.workload = cell.workload();
  sample.threads = cell.threads();
  sample.kind = cell.kind();
  sample.allocator = allocator;
  sample.status = failure.status;
  sample.detail = failure.detail;
  return sample;
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
  return run([](const Cell&) { return true; });
}

bool Runner::run(const std::function<bool(const Cell&)>& wanted) {
  expect_steps();
  return run_blocks(0, plan_.repetitions, wanted);
}

bool Runner::run_blocks(int first, int end, const std::function<bool(const Cell&)>& wanted) {
  for (const auto& cell : plan_.cells) {
    if (first >= plan_.repetitions && wanted(*cell)) {  // more than was asked for at first
      progress_.expect(cell->label(), (end - first) * static_cast<int>(plan_.field.allocators.size()), kExpectedStepS);
    }
  }
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
  const std::uint64_t seed = random_();
  Candidates waiting;
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
  progress_.begin("block " + std::to_string(block + 1) + ", " + cell.label());
  const std::int64_t start_ns = monotonic_ns();
  if (!keep(cell, block, waiting, seed)) {
    return false;
  }
  const double took_s = static_cast<double>(monotonic_ns() - start_ns) * 1e-9;
  for (std::size_t i = 0; i < waiting.size(); ++i) {
    progress_.end(cell.label(), took_s / static_cast<double>(waiting.size()));
  }
  return true;
}

bool Runner::keep(Cell& cell, int block, const Candidates& waiting, std::uint64_t seed) {
  Candidates usable;
  for (const auto* allocator : waiting) {
    if (const auto useless = useless_allocators_.find(allocator->name); useless != useless_allocators_.end()) {
      sink_.append(std::vector{failed_sample(cell, allocator->name, block, useless->second)});
    } else {
      usable.push_back(allocator);
    }
  }
  std::vector<Measured> all;
  try {
    all = cell.measure(launcher_, usable, {block, plan_.baseline().name, seed});
  } catch (const nlohmann::json::exception& error) {
    for (const auto* allocator : usable) {
      sink_.append(std::vector{failed_sample(cell, allocator->name, block, unusable(error))});
    }
    return true;
  }
  for (std::size_t i = 0; i < all.size(); ++i) {
    const Measured& measured = all[i];
    if (measured.interrupted) {
      return false;
    }
    if (measured.samples.front().status == Status::kTimeout) {
      hopeless_.emplace(&cell, usable[i]->name);
      progress_.drop(cell.label(), plan_.repetitions - block - 1);
    }
    if (!measured.remark.empty()) {
      sink_.warn({measured.remark, measured.remedy});
    }
    sink_.append(measured.samples);
    record_.append_timelines(measured.samples.front(), measured.timelines);
    record_.append_histograms(measured.samples.front(), measured.histograms);
  }
  return true;
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
    const bool is_baseline = allocator.name == plan_.baseline().name;
    samples.push_back(failed_sample(cell, allocator.name, 0, failure));
    if (!is_baseline) {
      samples.back().status = Status::kSkipped;
      samples.back().detail = plan_.baseline().name + ", to whose work it is held, ended with " +
                              std::string(to_string(failure.status)) + ": " + failure.detail;
    }
  }
  sink_.append(samples);
  record_.set_failed(cell, failure.detail);
  record_.write();
}

}  // namespace bench
