// swap: what do frees cost that hit another thread's block at random, one at a time?
//
// Origin: tables shared between threads, in which whoever updates an entry frees the old value. An
// array of `slots` atomic slots is filled by all threads; then each allocates a block of `min` to
// `max` bytes, writes its size and tag, exchanges it into a random slot and frees what comes out,
// 64 times an iteration. With N threads (N-1)/N of the frees are remote, unbatched and to random
// owners. The thread that ends last empties the slots.
#include <algorithm>
#include <cstdlib>
#include <memory>

#include "workloads/memory.hpp"
#include "workloads/random.hpp"
#include "workloads/synthetic/shared_slots.hpp"
#include "workloads/workload.hpp"

namespace workloads {
namespace {

constexpr std::uint64_t kSwapsPerIteration = 64;

class Swap : public Workload {
 public:
  explicit Swap(const Setup& setup)
      : threads_(static_cast<std::size_t>(setup.threads())),
        shared_(setup.count("slots"), setup.threads()),
        slots_(std::max(kDraws, 2 * shared_.size())),
        sizes_(kOtherDraws) {
    const std::size_t low = setup.count("min");
    const std::size_t high = std::max(low, setup.count("max"));
    Random random(setup.seed());
    for (std::uint32_t& slot : slots_) {
      slot = static_cast<std::uint32_t>(random.below(shared_.size()));
    }
    for (std::uint32_t& size : sizes_) {
      size = static_cast<std::uint32_t>(random.between(low, high));
    }
  }

  Tally run(int thread_index, Steps& steps) override {
    const auto index = static_cast<std::size_t>(thread_index);
    Walk slots(slots_, index * 1000003);
    Walk sizes(sizes_, index * 2003);
    Tally tally;
    for (std::size_t i = index; i < shared_.size(); i += threads_) {
      swap(i, sizes.next(), tally);
    }
    mark_phase("filled");
    while (steps.next()) {
      for (std::uint64_t i = 0; i < kSwapsPerIteration; ++i) {
        swap(slots.next(), sizes.next(), tally);
      }
    }
    shared_.leave([&](void* block) { drop_sealed(block, tally.checksum); });
    return tally;
  }

 private:
  void swap(std::size_t slot, std::size_t bytes, Tally& tally) {
    void* block = allocate(bytes);
    seal(block, bytes, tag_of(tally.operations++));
    drop_sealed(shared_.exchange(slot, block), tally.checksum);
  }

  std::size_t threads_;
  SharedSlots shared_;
  MappedArray<std::uint32_t> slots_;
  MappedArray<std::uint32_t> sizes_;
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
