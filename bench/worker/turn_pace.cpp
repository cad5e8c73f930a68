#include "bench/worker/turn_pace.hpp"

#include <fcntl.h>
#include <sys/resource.h>
#include <unistd.h>

#include <cstdlib>
#include <cstring>
#include <utility>

#include "bench/measure/clock.hpp"

namespace bench::worker {
namespace {

std::int64_t microseconds(const timeval& time) { return std::int64_t{time.tv_sec} * 1'000'000 + time.tv_usec; }

void record_usage(SliceRecord& record) {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  record.user_us = microseconds(usage.ru_utime);
  record.system_us = microseconds(usage.ru_stime);
  record.minor_faults = usage.ru_minflt;
  record.major_faults = usage.ru_majflt;
  record.voluntary_switches = usage.ru_nvcsw;
  record.involuntary_switches = usage.ru_nivcsw;
}

std::int64_t clock_ns(clockid_t clock) {
  timespec now{};
  clock_gettime(clock, &now);
  return std::int64_t{now.tv_sec} * 1'000'000'000 + now.tv_nsec;
}

// How long the calling thread has waited for a CPU in its life; nothing where the kernel does not say.
std::optional<std::int64_t> waited_ns() {
  const int file = open("/proc/thread-self/schedstat", O_RDONLY | O_CLOEXEC);  // nanoseconds run, nanoseconds waited, times run
  char text[64] = {};
  const ssize_t length = file < 0 ? -1 : read(file, text, sizeof text - 1);
  if (file >= 0) {
    close(file);
  }
  const char* space = length <= 0 ? nullptr : std::strchr(text, ' ');
  return space == nullptr ? std::nullopt : std::optional(std::int64_t{std::strtoll(space, nullptr, 10)});
}

std::uint32_t stage(std::int64_t number) { return static_cast<std::uint32_t>(number); }

}  // namespace

TurnPace::TurnPace(MappedTurns turns, int threads, Cut cut)
    : turns_(std::move(turns)), cut_(cut), positions_(static_cast<std::size_t>(threads)) {}

void TurnPace::built() {
  SliceRecord& record = turns_.slice(0);
  record_usage(record);
  record.end_ns = monotonic_ns();
  store_and_wake(turns_->done, 1);
  await_at_least(turns_->granted, 1);
}

std::int64_t TurnPace::next_slice(int thread_index) {
  std::int64_t& slice = positions_[static_cast<std::size_t>(thread_index)].slice;
  if (slice > cut_.slices()) {
    return 0;
  }
  if (slice > 0) {
    // acq_rel: the last thread to arrive has seen all that the others did.
    if (arrived_.fetch_add(1, std::memory_order_acq_rel) + 1 == positions_.size()) {
      finish(slice);
    }
    await_at_least(turns_->done, stage(slice + 1));
    await_at_least(turns_->granted, stage(slice + 1));
  }
  if (++slice > cut_.slices()) {
    return 0;
  }
  begin(slice);
  return cut_.iterations_of(slice);
}

// 0 where a thread of the workload's own did part of the work: what one of them waits, the other may use.
std::int64_t TurnPace::waited_in_slice_ns() const {
  constexpr double kAllOfIt = 0.95;
  if (positions_.size() > 1 || before_.thread != gettid()) {
    return 0;
  }
  const auto waited = waited_ns();
  const auto thread_ns = static_cast<double>(clock_ns(CLOCK_THREAD_CPUTIME_ID) - before_.thread_cpu_ns);
  const auto process_ns = static_cast<double>(clock_ns(CLOCK_PROCESS_CPUTIME_ID) - before_.process_cpu_ns);
  return waited && before_.waited_ns && thread_ns > kAllOfIt * process_ns ? *waited - *before_.waited_ns : 0;
}

void TurnPace::begin(std::int64_t slice) {
  if (positions_.size() == 1) {
    before_ = {gettid(), waited_ns(), clock_ns(CLOCK_THREAD_CPUTIME_ID), clock_ns(CLOCK_PROCESS_CPUTIME_ID)};
  }
  const std::int64_t now_ns = monotonic_ns();
  // relaxed: a running minimum; who reads it has seen the end of the slice.
  std::atomic<std::int64_t>& start_ns = turns_.slice(slice).start_ns;
  std::int64_t seen = start_ns.load(std::memory_order_relaxed);
  while ((seen == 0 || now_ns < seen) && !start_ns.compare_exchange_weak(seen, now_ns, std::memory_order_relaxed)) {
  }
}

void TurnPace::finish(std::int64_t slice) {
  SliceRecord& record = turns_.slice(slice);
  record.end_ns = monotonic_ns();
  record_usage(record);
  record.waited_ns = waited_in_slice_ns();
  arrived_.store(0, std::memory_order_relaxed);  // relaxed: all others wait for the line below
  store_and_wake(turns_->done, stage(slice + 1));
}

void TurnPace::worked() {
  const std::int64_t last = cut_.slices() + 1;
  store_and_wake(turns_->done, stage(last + 1));
  await_at_least(turns_->granted, stage(last + 1));
}

double TurnPace::seconds_of(std::int64_t slice) const {
  const SliceRecord& record = turns_.slice(slice);
  // relaxed: it is over
  return static_cast<double>(record.end_ns - record.start_ns.load(std::memory_order_relaxed) - record.waited_ns) * 1e-9;
}

}  // namespace bench::worker
