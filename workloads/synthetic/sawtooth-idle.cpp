// sawtooth-idle: does memory come back to the system when a burst is over and nothing happens?
//
// Origin: services with peaks. An iteration is a burst of blocks of 16 bytes to 64 KiB, each size
// as probable as all of another doubling, `megabytes` in all, their pages written; a drain, in
// random order; and `idle` milliseconds of sleep, in which only an allocator's own threads can act.
// Phases "burst", "drained" and "idled" are marked, and the memory left at 0.1, 1, 5 and 10 s is
// what the worker's retention runs measure after the last drain.
#include <time.h>

#include <cmath>
#include <cstdlib>
#include <memory>
#include <vector>

#include "workloads/memory.hpp"
#include "workloads/random.hpp"
#include "workloads/workload.hpp"

namespace workloads {
namespace {

constexpr double kSmallestBytes = 16;
constexpr double kDoublings = 12;  // to 64 KiB
// The mean of a size that is log-uniform in [a, b] is (b - a) / ln(b / a).
constexpr double kMeanBytes = 65520 / (kDoublings * 0.693147180559945);

class SawtoothIdle : public Workload {
 public:
  explicit SawtoothIdle(const Setup& setup) : idle_ms_(setup["idle"]) {
    const double bytes = static_cast<double>(setup["megabytes"]) * 1048576.0;
    const auto count = static_cast<std::size_t>(bytes / kMeanBytes) + 1;
    sizes_ = MappedArray<std::uint32_t>(count);
    drain_order_ = MappedArray<std::uint32_t>(count);
    Random random(setup.seed());
    for (std::size_t i = 0; i < count; ++i) {
      sizes_[i] =
          static_cast<std::uint32_t>(kSmallestBytes * std::exp2(kDoublings * random.real()));
      drain_order_[i] = static_cast<std::uint32_t>(i);
    }
    random.shuffle(drain_order_);
    for (int i = 0; i < setup.threads(); ++i) {
      blocks_.emplace_back(count);
    }
  }

  Tally run(int thread_index, Steps& steps) override {
    MappedArray<void*>& blocks = blocks_[static_cast<std::size_t>(thread_index)];
    Tally tally;
    while (steps.next()) {
      for (std::size_t j = 0; j < blocks.size(); ++j) {
        blocks[j] = allocate(sizes_[j]);
        touch_pages(blocks[j], sizes_[j], tag_of(tally.operations++));
      }
      mark_phase("burst");
      for (const std::uint32_t j : drain_order_) {
        tally.checksum += read_ends(blocks[j], sizes_[j]);
        std::free(blocks[j]);
      }
      mark_phase("drained");
      idle();
      mark_phase("idled");
    }
    return tally;
  }

 private:
  void idle() const {
    const timespec duration{idle_ms_ / 1000, idle_ms_ % 1000 * 1000000};
    nanosleep(&duration, nullptr);
  }

  std::int64_t idle_ms_;
  MappedArray<std::uint32_t> sizes_;
  MappedArray<std::uint32_t> drain_order_;
  std::vector<MappedArray<void*>> blocks_;
};

const Registration registration(
    {.name = "sawtooth-idle",
     .question = "Does memory come back to the system when a burst is over and nothing happens?",
     .origin = "services with peaks",
     .operation = "a malloc and a free",
     .threading = Threading::kAny,
     .parameters = {{"megabytes", 64, "MiB", "requested bytes of a burst on each thread", 1,
                     1 << 20},
                    {"idle", 100, "ms", "sleep after each drain", 0, 600000}},
     .smoke_iterations = 1,
     .smoke_parameters = "megabytes=4,idle=1",
     .profile = "live: 0 to megabytes and back each iteration; sizes 16 bytes to 64 KiB, "
                "log-uniform; lifetimes random "
                "within a burst; no remote frees"},
    [](const Setup& setup) { return std::make_unique<SawtoothIdle>(setup); });

}  // namespace
}  // namespace workloads
