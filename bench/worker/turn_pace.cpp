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

// How long the calling thread has waited for a CPU in its life, as the kernel says in an open /proc/thread-self/schedstat.
std::optional<std::int64_t> read_waited_ns(int file) {
  char text[64] = {};  // nanoseconds run, nanoseconds waited, times run
  const char* space = pread(file, text, sizeof text - 1, 0) > 0 ? std::strchr(text, ' ') : nullptr;
  return space == nullptr ? std::nullopt : std::optional(std::int64_t{std::strtoll(space, nullptr, 10)});
}

// Now, and how long the calling thread has waited until then: both of one moment, between which it did not lose the CPU.
struct Moment {
  std::int64_t time_ns = 0;
  std::optional<std::int64_t> waited_ns;  // nothing where the kernel does not say
};

Moment this_moment() {
  constexpr int kAttempts = 10;
  const int file = open("/proc/thread-self/schedstat", O_RDONLY | O_CLOEXEC);
  Moment moment{monotonic_ns(), std::nullopt};
  for (int attempt = 0; file >= 0 && attempt < kAttempts && !moment.waited_ns; ++attempt) {
    const auto before = read_waited_ns(file);
    moment.time_ns = monotonic_ns();
    const auto after = read_waited_ns(file);
    moment.waited_ns = before == after ? after : std::nullopt;
  }
  if (file >= 0) {
    close(file);
  }
  return moment;
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

void TurnPace::begin(std::int64_t slice) {
  std::int64_t now_ns = 0;
  if (positions_.size() == 1) {
    before_.thread = gettid();
    before_.thread_cpu_ns = clock_ns(CLOCK_THREAD_CPUTIME_ID);
    before_.process_cpu_ns = clock_ns(CLOCK_PROCESS_CPUTIME_ID);
    const Moment moment = this_moment();
    before_.waited_ns = moment.waited_ns;
    now_ns = moment.time_ns;
  } else {
    now_ns = monotonic_ns();
  }
  // relaxed: a running minimum; who reads it has seen the end of the slice.
  std::atomic<std::int64_t>& start_ns = turns_.slice(slice).start_ns;
  std::int64_t seen = start_ns.load(std::memory_order_relaxed);
  while ((seen == 0 || now_ns < seen) && !start_ns.compare_exchange_weak(seen, now_ns, std::memory_order_relaxed)) {
  }
}

void TurnPace::finish(std::int64_t slice) {
  SliceRecord& record = turns_.slice(slice);
  if (positions_.size() == 1) {
    const Moment moment = this_moment();
    record.end_ns = moment.time_ns;
    record.waited_ns = did_all_itself() && moment.waited_ns && before_.waited_ns ? *moment.waited_ns - *before_.waited_ns : 0;
  } else {
    record.end_ns = monotonic_ns();
  }
  record_usage(record);
  arrived_.store(0, std::memory_order_relaxed);  // relaxed: all others wait for the line below
  store_and_wake(turns_->done, stage(slice + 1));
}

// Not so where a thread of the workload's own did part of the slice: what one of them waits, the other may use.
bool TurnPace::did_all_itself() const {
  constexpr double kAllOfIt = 0.95;
  const auto thread_ns = static_cast<double>(clock_ns(CLOCK_THREAD_CPUTIME_ID) - before_.thread_cpu_ns);
  const auto process_ns = static_cast<double>(clock_ns(CLOCK_PROCESS_CPUTIME_ID) - before_.process_cpu_ns);
  return before_.thread == gettid() && thread_ns > kAllOfIt * process_ns;
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
