// What the server workloads share: requests that fall due at a fixed rate, or follow each other at once, and blocks that are held.
//
// Work is fixed: `seconds` x `rate` requests in all, drawn from the seed, whatever the allocator. With pace=due a thread's requests fall due
// one after another at its share of the rate; one that is late waits in line, and the time of a request runs from when it fell due, so that a
// stall is charged to all that waited for it. A thread that has to wait sleeps, and its request's time runs from its waking: what a timer
// takes to wake a thread is not the allocator's. With pace=none requests follow each other at once.
#pragma once

#include <time.h>

#include <cstdint>
#include <cstdlib>
#include <vector>

#include "workloads/memory.hpp"
#include "workloads/random.hpp"
#include "workloads/requests.hpp"
#include "workloads/workload.hpp"

namespace workloads::server {

inline std::uint64_t now_ns() {
  timespec now{};
  clock_gettime(CLOCK_MONOTONIC, &now);
  return static_cast<std::uint64_t>(now.tv_sec) * 1'000'000'000U + static_cast<std::uint64_t>(now.tv_nsec);
}

inline void sleep_until(std::uint64_t time_ns) {
  const timespec until{static_cast<time_t>(time_ns / 1'000'000'000U), static_cast<long>(time_ns % 1'000'000'000U)};
  while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &until, nullptr) != 0) {
  }
}

// The parameters that each server workload has. `name` is what `rate` counts.
inline std::vector<Parameter> parameters(std::int64_t megabytes, std::int64_t seconds, std::int64_t rate, std::vector<Parameter> more = {}) {
  std::vector<Parameter> all = {{"megabytes", megabytes, "MiB", "live memory of all threads together", 1, 1 << 20},
                                {"seconds", seconds, "s", "how long the requests fall due", 1, 86400},
                                {"rate", rate, "1/s", "requests a second of all threads together", 1, 100'000'000},
                                {"pace", 0, "", "when a request begins: when it is due, or at once after the one before", 0, 1, {"due", "none"}}};
  all.insert(all.end(), more.begin(), more.end());
  return all;
}

// The requests of one thread.
class Arrivals {
 public:
  Arrivals(std::uint64_t interval_ns, RequestLog::Share& share) : interval_ns_(interval_ns), share_(share), due_ns_(now_ns()) {}

  // Waits until the next one is due. `slower`: so many times the usual interval before the one after it.
  void begin(double slower = 1) {
    start_ns_ = now_ns();
    if (interval_ns_ == 0) {
      return;
    }
    if (start_ns_ < due_ns_) {
      sleep_until(due_ns_);
      start_ns_ = now_ns();
    } else {
      start_ns_ = due_ns_;
    }
    due_ns_ += static_cast<std::uint64_t>(static_cast<double>(interval_ns_) * slower);
  }
  void end() { share_.served(now_ns() - start_ns_); }
  // What was idle on purpose is not late.
  void resume() { due_ns_ = std::max(due_ns_, now_ns()); }

 private:
  const std::uint64_t interval_ns_;  // 0: at once
  RequestLog::Share& share_;
  std::uint64_t due_ns_;
  std::uint64_t start_ns_ = 0;
};

// Blocks of one thread: taken, written a byte a page, read and given back, and counted as held.
class Heap {
 public:
  Heap(RequestLog::Share& share, Tally& tally) : share_(share), tally_(tally) {}

  Block take(std::size_t bytes) {
    Block block{allocate(bytes), bytes};
    touch_pages(block.pointer, bytes, tag_of(++taken_));
    share_.hold(bytes);
    return block;
  }
  void drop(Block& block) {
    if (block.pointer == nullptr) {
      return;
    }
    read(block);
    std::free(block.pointer);
    share_.let_go(block.bytes);
    block = {nullptr, 0};
  }
  void read(const Block& block) { tally_.checksum += read_ends(block.pointer, block.bytes); }
  void replace(Block& block, std::size_t bytes) {
    drop(block);
    block = take(bytes);
  }
  void served() { ++tally_.operations; }

 private:
  RequestLog::Share& share_;
  Tally& tally_;
  std::uint64_t taken_ = 0;
};

// A size of which every doubling between two bounds is as probable as another.
inline std::size_t log_uniform(Random& random, double low, double high) {
  return static_cast<std::size_t>(low * std::pow(high / low, random.real()));
}
// The mean of such sizes.
inline double log_uniform_mean(double low, double high) { return (high - low) / std::log(high / low); }

// What a server workload is built from.
class Serving : public Workload {
 public:
  // `shares`: threads that hold blocks or serve requests; 0: as many as run().
  explicit Serving(const Setup& setup, std::size_t shares = 0)
      : Serving(setup, shares, setup.count("seconds") * setup.count("rate"),
                setup["pace"] == 0 ? static_cast<std::uint64_t>(setup.threads()) * 1'000'000'000U / setup.count("rate") : 0) {}

  // The same for a workload whose parameters are others: so many requests of all threads, and the time between those of one.
  Serving(const Setup& setup, std::size_t shares, std::uint64_t requests, std::uint64_t interval_ns)
      : seed_(setup.seed()),
        threads_(static_cast<std::size_t>(setup.threads())),
        bytes_each_(setup.count("megabytes") * (std::size_t{1} << 20) / threads_),
        requests_each_(std::max<std::uint64_t>(1, requests / threads_)),
        interval_ns_(interval_ns),
        log_(shares == 0 ? threads_ : shares) {}

 protected:
  // Random numbers of a thread, the same in every iteration.
  [[nodiscard]] Random random_of(std::size_t thread) const { return Random(seed_, thread + 1); }

  const std::uint64_t seed_;
  const std::size_t threads_;
  const std::size_t bytes_each_;         // live bytes of a thread
  const std::uint64_t requests_each_;    // of a thread, in an iteration
  const std::uint64_t interval_ns_;      // between requests of a thread; 0: at once
  RequestLog log_;
};

}  // namespace workloads::server
