// swap: what do frees cost that hit another thread's block at random, one at a time?
//
// Origin: tables shared between threads, in which whoever updates an entry frees the old value. An
// array of `slots` atomic slots is filled by all threads; then each allocates a block of `min` to
// `max` bytes, writes its size and tag, exchanges it into a random slot and frees what comes out,
// 64 times an iteration. With N threads (N-1)/N of the frees are remote, unbatched and to random
// owners. The thread that ends last empties the slots.
#include <algorithm>
#include <atomic>
#include <cstdlib>
#include <memory>

#include "workloads/memory.hpp"
#include "workloads/random.hpp"
#include "workloads/workload.hpp"

namespace workloads {
namespace {

constexpr std::uint64_t kSwapsPerIteration = 64;

class Swap : public Workload {
 public:
  explicit Swap(const Setup& setup)
      : threads_(static_cast<std::size_t>(setup.threads())),
        shared_(setup.count("slots")),
        slots_(std::max(kDraws, 2 * shared_.size())),
        sizes_(kOtherDraws) {
    const std::size_t low = setup.count("min");
    const std::size_t high = std::max(low, setup.count("max"));
    Random random(setup.seed());
    for (std::uint32_t& slot : slots_)
      slot = static_cast<std::uint32_t>(random.below(shared_.size()));
    for (std::uint32_t& size : sizes_) size = static_cast<std::uint32_t>(random.between(low, high));
  }

  Tally run(int thread_index, std::int64_t iterations) override {
    const auto index = static_cast<std::size_t>(thread_index);
    Walk slots(slots_, index * 1000003);
    Walk sizes(sizes_, index * 2003);
    Tally tally;
    for (std::size_t i = index; i < shared_.size(); i += threads_)
      swap(shared_[i], sizes.next(), tally);
    mark_phase("filled");
    const std::uint64_t count = static_cast<std::uint64_t>(iterations) * kSwapsPerIteration;
    for (std::uint64_t i = 0; i < count; ++i) swap(shared_[slots.next()], sizes.next(), tally);
    // acq_rel: the last one to arrive sees every exchange of those before, which it releases to
    // nobody but itself.
    if (done_.fetch_add(1, std::memory_order_acq_rel) + 1 == threads_) {
      for (std::atomic<void*>& slot : shared_) {
        // relaxed: ordered by done_.
        drop(slot.load(std::memory_order_relaxed), tally);
      }
    }
    return tally;
  }

 private:
  static void swap(std::atomic<void*>& slot, std::size_t bytes, Tally& tally) {
    void* block = allocate(bytes);
    seal(block, bytes, tag_of(tally.operations++));
    // acq_rel: releases the block's contents to whoever takes it out, acquires those of the block
    // that comes out.
    drop(slot.exchange(block, std::memory_order_acq_rel), tally);
  }

  static void drop(void* block, Tally& tally) {
    if (block == nullptr) return;
    tally.checksum += read_sealed(block);
    std::free(block);
  }

  std::size_t threads_;
  MappedArray<std::atomic<void*>> shared_;
  MappedArray<std::uint32_t> slots_;
  MappedArray<std::uint32_t> sizes_;
  std::atomic<std::size_t> done_{0};  // threads that have made their last exchange
};

const Registration registration(
    {.name = "swap",
     .question = "What do frees cost that hit other threads' blocks at random, one at a time?",
     .origin = "tables shared between threads, where an update frees the old value",
     .operation = "a malloc, and the free of the block that it replaces",
     .threading = Threading::kAny,
     .parameters = {{"slots", 1 << 18, "blocks", "blocks live in all", 1, 1 << 26},
                    {"min", 16, "bytes", "smallest block", 8, 1 << 30},
                    {"max", 1039, "bytes", "largest block", 8, 1 << 30}},
     .smoke_iterations = 100,
     .smoke_parameters = "slots=4096",
     .profile = "live: level at slots x (min + max) / 2 bytes in all (138 MB); sizes uniform; "
                "lifetimes geometric, mean "
                "slots swaps; (N-1)/N of the frees are remote on N threads"},
    [](const Setup& setup) { return std::make_unique<Swap>(setup); });

}  // namespace
}  // namespace workloads
