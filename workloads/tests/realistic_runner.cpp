// Runs one workload module twice, without a clock, and prints what the second run did: the process
// that realistic_test.cpp starts under each allocator, and realistic/profile.py under valgrind. The
// first run fills the caches that libraries keep for good.
//
// usage: realistic_runner MODULE WORKLOAD[:PARAMETER=VALUE,...] THREADS ITERATIONS SEED
//
// An iteration count of 0 stands for the workload's smoke_iterations.
//
// output: one line, "OPERATIONS CHECKSUM RETAINED_BYTES LIBRARY [CALLS PEAK_BYTES]": what run()
// left allocated, which means something under the C library's malloc only; the file that malloc
// comes from; and where that is the counting allocator, how often run() called it and the most live
// bytes.
#include <dlfcn.h>
#include <malloc.h>

#include <barrier>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <memory>
#include <thread>
#include <vector>

#include "workloads/registry.hpp"
#include "workloads/workload.hpp"

namespace {

struct Outcome {
  workloads::Tally tally;
  std::int64_t retained_bytes = 0;
  std::uint64_t calls = 0;
  std::uint64_t peak_bytes = 0;
};

// The counting allocator's figures; all 0 where another serves malloc.
class LiveBytes {
 public:
  void start() {
    if (reset_peak_ == nullptr) {
      return;
    }
    reset_peak_();
    calls_before_ = calls_();
    bytes_before_ = now_();
  }
  void stop(Outcome& outcome) const {
    if (reset_peak_ == nullptr) {
      return;
    }
    outcome.calls = calls_() - calls_before_;
    outcome.peak_bytes = peak_() - bytes_before_;
  }
  [[nodiscard]] bool is_there() const { return reset_peak_ != nullptr; }

 private:
  using Counter = std::uint64_t (*)();
  static Counter counter(const char* name) {
    return reinterpret_cast<Counter>(dlsym(RTLD_DEFAULT, name));
  }

  Counter now_ = counter("live_bytes_now");
  Counter peak_ = counter("live_bytes_peak");
  Counter calls_ = counter("live_bytes_calls");
  void (*reset_peak_)() = reinterpret_cast<void (*)()>(dlsym(RTLD_DEFAULT,
                                                             "live_bytes_reset_peak"));
  std::uint64_t calls_before_ = 0;
  std::uint64_t bytes_before_ = 0;
};

std::int64_t bytes_in_use() {
  const struct mallinfo2 info = mallinfo2();
  return static_cast<std::int64_t>(info.uordblks + info.hblkhd);
}

workloads::Tally run_threads(workloads::Workload& workload, int threads, std::int64_t iterations) {
  std::vector<workloads::Tally> tallies(static_cast<std::size_t>(threads));
  std::vector<std::thread> team;
  team.reserve(tallies.size());
  std::barrier<> start(threads);
  for (int i = 0; i < threads; ++i) {
    team.emplace_back(
        [&start, &workload, &tally = tallies[static_cast<std::size_t>(i)], i, iterations] {
          start.arrive_and_wait();
          workloads::Steps steps(iterations);
          tally = workload.run(i, steps);
        });
  }
  for (std::thread& member : team) {
    member.join();
  }
  workloads::Tally total;
  for (const workloads::Tally& tally : tallies) {
    total.operations += tally.operations;
    total.checksum += tally.checksum;
  }
  return total;
}

Outcome run_once(const workloads::Selection& selection, int threads, std::int64_t iterations,
                 std::uint64_t seed) {
  const workloads::Setup setup = selection.setup(threads, seed);
  const std::unique_ptr<workloads::Workload> workload = selection.entry.make(setup);
  LiveBytes live_bytes;
  Outcome outcome;
  const std::int64_t before_bytes = bytes_in_use();
  live_bytes.start();
  outcome.tally = run_threads(*workload, threads, iterations);
  live_bytes.stop(outcome);
  outcome.retained_bytes = bytes_in_use() - before_bytes;
  return outcome;
}

// The file that serves malloc in this process.
const char* malloc_library() {
  Dl_info info;
  void* const address = dlsym(RTLD_DEFAULT, "malloc");
  return dladdr(address, &info) != 0 ? info.dli_fname : "?";
}

void run(char** arguments) {
  workloads::load_module(arguments[1]);
  const workloads::Selection selection = workloads::select(arguments[2]);
  const int threads = std::atoi(arguments[3]);
  std::int64_t iterations = std::atoll(arguments[4]);
  if (iterations == 0) {
    iterations = selection.entry.info.smoke_iterations;
  }
  const std::uint64_t seed = std::strtoull(arguments[5], nullptr, 10);

  run_once(selection, threads, iterations, seed);
  const Outcome outcome = run_once(selection, threads, iterations, seed);
  std::printf("%llu %016llx %lld %s", static_cast<unsigned long long>(outcome.tally.operations),
              static_cast<unsigned long long>(outcome.tally.checksum),
              static_cast<long long>(outcome.retained_bytes), malloc_library());
  if (LiveBytes().is_there()) {
    std::printf(" %llu %llu", static_cast<unsigned long long>(outcome.calls),
                static_cast<unsigned long long>(outcome.peak_bytes));
  }
  std::printf("\n");
}

}  // namespace

int main(int count, char** arguments) {
  if (count != 6) {
    std::fprintf(stderr, "usage: realistic_runner MODULE WORKLOAD THREADS ITERATIONS SEED\n");
    return 2;
  }
  try {
    run(arguments);
  } catch (const std::exception& error) {
    std::fprintf(stderr, "realistic_runner: %s\n", error.what());
    return 1;
  }
  return 0;
}
