#include "bench/measure/timeline.hpp"

#include <sys/mman.h>

#include <algorithm>
#include <stdexcept>

#include "bench/measure/clock.hpp"

namespace bench {
namespace {

template <typename T>
T* map_records(std::size_t count) {
  void* mapping = mmap(nullptr, count * sizeof(T), PROT_READ | PROT_WRITE,
                       MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
  if (mapping == MAP_FAILED) {
    throw std::runtime_error("no memory for the records of a memory timeline");
  }
  return static_cast<T*>(mapping);
}

}  // namespace

Timeline::Timeline(std::chrono::milliseconds interval, std::uint64_t (*live_bytes)())
    : interval_(interval),
      live_bytes_(live_bytes),
      points_(map_records<TimelinePoint>(kPoints)),
      marks_(map_records<PhaseMark>(kMarks)) {}

Timeline::~Timeline() {
  stop();
  munmap(points_, kPoints * sizeof(TimelinePoint));
  munmap(marks_, kMarks * sizeof(PhaseMark));
}

void Timeline::start() {
  start_ns_ = monotonic_ns();
  take_point();
  sampler_ = std::thread([this] { sample_until_stopped(); });
}

void Timeline::stop() {
  if (!sampler_.joinable()) {
    return;
  }
  // relaxed: the flag carries no data, and join() orders everything that the sampler wrote.
  stop_.store(true, std::memory_order_relaxed);
  sampler_.join();
  take_point();
}

void Timeline::mark(const char* name) {
  // relaxed: only the index must be unique; readers come after the run's threads were joined.
  const std::size_t slot = mark_count_.fetch_add(1, std::memory_order_relaxed);
  if (slot < kMarks) {
    marks_[slot] = {monotonic_ns() - start_ns_, name, mapping_totals().value_or(MappingTotals{})};
  }
}

std::span<const PhaseMark> Timeline::marks() const {
  // relaxed: called after the run's threads were joined.
  return {marks_, std::min(mark_count_.load(std::memory_order_relaxed), kMarks)};
}

double Timeline::mean_resident_bytes() const { return mean_of(&TimelinePoint::resident_bytes); }

double Timeline::mean_live_bytes() const { return mean_of(&TimelinePoint::live_bytes); }

double Timeline::mean_of(std::uint64_t TimelinePoint::* figure) const {
  const auto all = points();
  if (all.size() < 2) {
    return all.empty() ? 0 : static_cast<double>(all[0].*figure);
  }
  double area = 0;
  for (std::size_t i = 1; i < all.size(); ++i) {
    area += static_cast<double>(all[i].*figure) * static_cast<double>(all[i].time_ns - all[i - 1].time_ns);
  }
  return area / static_cast<double>(all.back().time_ns - all.front().time_ns);
}

void Timeline::sample_until_stopped() {
  auto next = std::chrono::steady_clock::now();
  // relaxed: see stop().
  while (!stop_.load(std::memory_order_relaxed)) {
    next += interval_;
    std::this_thread::sleep_until(next);
    take_point();
  }
}

void Timeline::take_point() {
  if (point_count_ < kPoints) {
    points_[point_count_++] = {monotonic_ns() - start_ns_, reader_.read_bytes(),
                               live_bytes_ != nullptr ? live_bytes_() : 0};
  }
}

}  // namespace bench
