// fill-flush: what becomes of thread caches when threads flush a part of a shared table, sleep, and
// fill it again?
//
// Origin: connection tables and timers. Each thread fills 1,000 slots of a shared table with blocks
// of `size` bytes; then, each iteration, it empties 200 random slots, whoever filled them, sleeps
// for `sleep` microseconds, and fills the same slots again, freeing what another thread may have
// put there. The thread that ends last empties the table.
#include <time.h>

#include <cstdlib>
#include <memory>

#include "workloads/memory.hpp"
#include "workloads/random.hpp"
#include "workloads/synthetic/shared_slots.hpp"
#include "workloads/workload.hpp"

namespace workloads {
namespace {

constexpr std::size_t kSlotsPerThread = 1000;
constexpr std::size_t kFlushed = 200;

class FillFlush : public Workload {
 public:
  explicit FillFlush(const Setup& setup)
      : threads_(static_cast<std::size_t>(setup.threads())),
        size_(setup.count("size")),
        sleep_us_(setup["sleep"]),
        shared_(kSlotsPerThread * threads_, setup.threads()),
        slots_(kDraws) {
    Random random(setup.seed());
    for (std::uint32_t& slot : slots_) {
      slot = static_cast<std::uint32_t>(random.below(shared_.size()));
    }
  }

  Tally run(int thread_index, Steps& steps) override {
    const auto index = static_cast<std::size_t>(thread_index);
    Walk slots(slots_, index * 1009);
    Tally tally;
    for (std::size_t i = index; i < shared_.size(); i += threads_) {
      put(i, tally);
    }
    mark_phase("filled");
    while (steps.next()) {
      flush_and_fill(slots, tally);
    }
    shared_.leave([&](void* block) { drop(block, tally); });
    return tally;
  }

 private:
  void flush_and_fill(Walk<std::uint32_t>& slots, Tally& tally) {
    std::uint32_t chosen[kFlushed];
    for (std::uint32_t& slot : chosen) {
      slot = slots.next();
      drop(shared_.exchange(slot, nullptr), tally);
    }
    const timespec duration{sleep_us_ / 1000000, sleep_us_ % 1000000 * 1000};
    nanosleep(&duration, nullptr);
    for (const std::uint32_t slot : chosen) {
      put(slot, tally);
    }
  }

  void put(std::size_t slot, Tally& tally) {
    void* block = allocate(size_);
    touch_ends(block, size_, tag_of(tally.operations++));
    drop(shared_.exchange(slot, block), tally);
  }

  void drop(void* block, Tally& tally) const {
    if (block == nullptr) {
      return;
    }
    tally.checksum += read_ends(block, size_);
    std::free(block);
  }

  std::size_t threads_;
  std::size_t size_;
  std::int64_t sleep_us_;
  SharedSlots shared_;
  MappedArray<std::uint32_t> slots_;
};

const Registration registration(
    {.name = "fill-flush",
     .question =
         "What becomes of thread caches when threads flush a shared table, sleep, and refill?",
     .origin = "connection tables and timers",
     .operation = "a malloc, and a free by any thread",
     .threading = Threading::kAny,
     .parameters = {{"size", 32, "bytes", "size of each block", 1, 1 << 24},
                    {"sleep", 1000, "us", "sleep between flush and fill", 0, 10000000}},
     .smoke_iterations = 10,
     .profile = "live: 800 to 1,000 blocks a thread (32 kB), a ripple; lifetimes geometric, mean "
                "five iterations; "
                "(N-1)/N of the frees are remote on N threads"},
    [](const Setup& setup) { return std::make_unique<FillFlush>(setup); });

}  // namespace
}  // namespace workloads
