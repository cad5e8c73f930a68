// osmem-stress: the shadow model over a long time. Exit 0: every check held; a failed check aborts
// with the seed.
#include <fcntl.h>

#include <CLI/CLI.hpp>
#include <chrono>
#include <cstdio>
#include <random>

#include "allocator/osmem/api/osmem.h"
#include "allocator/tests/osmem/shadow.hpp"

namespace {

using Clock = std::chrono::steady_clock;
uint64_t total_operations = 0;
Clock::time_point started;
Clock::time_point reported;

void report(uint64_t done) {
  const Clock::time_point now = Clock::now();
  if (now - reported < std::chrono::seconds(5) || done == 0) {
    return;
  }
  reported = now;
  const double seconds = std::chrono::duration<double>(now - started).count();
  const double left =
      seconds / static_cast<double>(done) * static_cast<double>(total_operations - done);
  struct os_stats stats {};
  os_stats(&stats);
  fprintf(stderr, "%.1f %%, %llu operations, %.0f s left, committed %zu MiB\n",
          100.0 * static_cast<double>(done) / static_cast<double>(total_operations),
          static_cast<unsigned long long>(done), left, stats.committed_bytes >> 20);
}

}  // namespace

int main(int argc, char** argv) {
  shadow::Load load;
  load.operations = 10000000;
  load.thread_count = 2;
  load.options.seed = std::random_device()();
  CLI::App app("Random calls of osmem against a shadow model; OSMEM_HEAP chooses the back end");
  app.add_option("--operations", load.operations, "calls in all")->check(CLI::PositiveNumber);
  app.add_option("--threads", load.thread_count, "threads at a time")->check(CLI::Range(1, 1024));
  app.add_option("--seed", load.options.seed, "the same seed makes the same calls (per thread)");
  app.add_option("--generation", load.generation_operations, "calls of a thread before it exits")
      ->check(CLI::PositiveNumber);
  CLI11_PARSE(app, argc, argv);

  fprintf(stderr, "seed %llu\n", static_cast<unsigned long long>(load.options.seed));
  total_operations = load.operations;
  load.report = report;
  load.options.live_limit_bytes = (size_t{256} << 20) / load.thread_count;
  if (load.thread_count == 1) {  // the heap's map is drawn without stopping other threads
    load.options.dump_fd = open("/dev/null", O_WRONLY | O_CLOEXEC);
  }
  struct os_stats before {};
  struct os_stats after {};
  os_stats(&before);
  started = reported = Clock::now();
  shadow::run_load(load);
  os_stats(&after);
  if (after.allocated_bytes != before.allocated_bytes) {
    fprintf(stderr, "%zu bytes are still allocated after every block was freed; seed %llu\n",
            after.allocated_bytes - before.allocated_bytes,
            static_cast<unsigned long long>(load.options.seed));
    return 1;
  }
  printf("%llu operations by %u threads: all checks held (seed %llu, %.0f s)\n",
         static_cast<unsigned long long>(load.operations), load.thread_count,
         static_cast<unsigned long long>(load.options.seed),
         std::chrono::duration<double>(Clock::now() - started).count());
  return 0;
}
