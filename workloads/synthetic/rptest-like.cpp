// rptest-like: how does an allocator do with wide sizes, a regular walk over slots, and parcels for
// other threads?
//
// Origin: rpmalloc's benchmark as its documentation describes it. Each thread has 1,024 slots and
// walks over them by a prime stride, 64 slots an iteration, replacing each block. Sizes are of
// `min` to `max` bytes: even (uniform), linear (the density falls to zero at max) or exponential
// (each doubling as probable as another). Every `cross`-th iteration it also allocates a parcel of
// 64 blocks for another thread's mailbox, which holds one; who finds a parcel there, receiver or
// next sender, frees it. Halfway the thread frees its slots and ends, and a new one does the other
// half.
#include <cmath>
#include <cstdlib>
#include <memory>
#include <vector>

#include "workloads/memory.hpp"
#include "workloads/random.hpp"
#include "workloads/synthetic/shared_slots.hpp"
#include "workloads/threads.hpp"
#include "workloads/workload.hpp"

namespace workloads {
namespace {

constexpr std::size_t kSlots = 1024;
constexpr std::size_t kStride = 509;  // prime
constexpr std::size_t kReplacementsPerIteration = 64;
constexpr std::size_t kParcelBlocks = 64;

enum class Sizes { kEven, kLinear, kExponential };

struct Parcel {
  std::size_t count;
  void* blocks[kParcelBlocks];
};

double draw_size(Random& random, Sizes sizes, double min, double max) {
  const double u = random.real();
  switch (sizes) {
    case Sizes::kEven:
      return min + u * (max + 1 - min);
    case Sizes::kLinear:
      return min + (1 - std::sqrt(1 - u)) * (max + 1 - min);
    case Sizes::kExponential:
      return min * std::pow(max / min, u);
  }
  return min;
}

class RptestLike : public Workload {
 public:
  explicit RptestLike(const Setup& setup)
      : threads_(static_cast<std::size_t>(setup.threads())),
        cross_(setup["cross"]),
        sizes_(kOtherDraws),
        parcels_(2 * threads_),
        mailboxes_(threads_, setup.threads()) {
    const auto min = static_cast<double>(setup["min"]);
    const auto max = std::max(min, static_cast<double>(setup["max"]));
    const auto sizes = static_cast<Sizes>(setup["sizes"]);
    Random random(setup.seed());
    for (std::uint32_t& size : sizes_) {
      size = static_cast<std::uint32_t>(draw_size(random, sizes, min, max));
    }
    for (std::size_t i = 0; i < threads_; ++i) {
      mailboxes_.exchange(i, &parcels_[threads_ + i]);
      slots_.emplace_back(kSlots);
    }
  }

  Tally run(int thread_index, Steps& steps) override {
    Life life{static_cast<std::size_t>(thread_index),
              Walk(sizes_, static_cast<std::size_t>(thread_index) * 2003),
              &parcels_[static_cast<std::size_t>(thread_index)],
              {}};
    Thread first([&] { live(life, steps, 0, steps.total() / 2); });
    first.join();
    Thread second([&] { live(life, steps, steps.total() / 2, steps.total() + 1); });
    second.join();
    mailboxes_.leave([&](void* parcel) { empty(*static_cast<Parcel*>(parcel), life.tally); });
    return life.tally;
  }

 private:
  // What a thread and its successor own.
  struct Life {
    std::size_t index;
    Walk<std::uint32_t> sizes;
    Parcel* spare;  // empty
    Tally tally;
  };

  // Does the iterations numbered from `from` to `to` - 1, or until there are no more.
  void live(Life& life, Steps& steps, std::int64_t from, std::int64_t to) {
    MappedArray<void*>& slots = slots_[life.index];
    std::size_t slot = 0;
    for (std::int64_t i = from; i < to && steps.next(); ++i) {
      for (std::size_t j = 0; j < kReplacementsPerIteration; ++j) {
        slot = (slot + kStride) % kSlots;
        drop_sealed(slots[slot], life.tally.checksum);
        slots[slot] = put(life);
      }
      if (i % cross_ == 0) {
        send(life, life.index + 1 + static_cast<std::size_t>(i / cross_));
      }
      receive(life);
    }
    for (void*& block : slots) {
      drop_sealed(std::exchange(block, nullptr), life.tally.checksum);
    }
  }

  static void* put(Life& life) {
    const std::size_t bytes = life.sizes.next();
    void* block = allocate(bytes);
    seal(block, bytes, tag_of(life.tally.operations++));
    return block;
  }

  void send(Life& life, std::size_t to) {
    for (void*& block : life.spare->blocks) {
      block = put(life);
    }
    life.spare->count = kParcelBlocks;
    swap_spare(life, to % threads_);
  }

  void receive(Life& life) { swap_spare(life, life.index); }

  // Leaves the spare parcel in a mailbox, and empties the one that was there, which becomes the
  // spare.
  void swap_spare(Life& life, std::size_t mailbox) {
    life.spare = static_cast<Parcel*>(mailboxes_.exchange(mailbox, life.spare));
    empty(*life.spare, life.tally);
  }

  static void empty(Parcel& parcel, Tally& tally) {
    for (std::size_t i = 0; i < parcel.count; ++i) {
      drop_sealed(parcel.blocks[i], tally.checksum);
    }
    parcel.count = 0;
  }

  std::size_t threads_;
  std::int64_t cross_;
  MappedArray<std::uint32_t> sizes_;
  MappedArray<Parcel> parcels_;  // one spare of each thread, one in each mailbox
  SharedSlots mailboxes_;        // of parcels; never null before the last thread leaves
  std::vector<MappedArray<void*>> slots_;
};

const Registration registration(
    {.name = "rptest-like",
     .question =
         "How does it do with wide sizes, a regular walk over slots, and parcels for others?",
     .origin = "rpmalloc's benchmark as its documentation describes it",
     .operation = "a malloc and a free",
     .threading = Threading::kAny,
     .parameters = {{"min", 16, "bytes", "smallest block", 8, 1 << 24},
                    {"max", 16000, "bytes", "largest block", 8, 1 << 24},
                    {"sizes", 0, "", "distribution", 0, 2, {"even", "linear", "exponential"}},
                    {"cross", 2, "iterations", "a parcel goes out every so many", 1, 1 << 20}},
     .smoke_iterations = 50,
     .threads_note =
         "threads:N is N threads at work at a time; those that run() is called on only wait",
     .profile = "live: level at 1,024 blocks and at most two parcels of 64 a thread (8.7 MB), to 0 "
                "halfway; lifetimes "
                "1,024 replacements, all equal; on two threads and more up to a third of the frees "
                "are remote"},
    [](const Setup& setup) { return std::make_unique<RptestLike>(setup); });

}  // namespace
}  // namespace workloads
