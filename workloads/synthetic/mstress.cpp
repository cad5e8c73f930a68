// mstress: does an allocator stay sound and lean when threads come and go and leave blocks behind?
//
// Origin: stress tests of allocators, where most blocks are small, few are huge, and a share
// changes hands. Each round (an iteration) is the life of one thread, which makes `steps` steps on
// its own slots and then frees them all and ends. A step allocates a block of 8-128 bytes (2 % are
// 100 times as large, 0.1 % 1,000 times, 0.01 % 10,000 times), writes it whole and puts it into a
// random slot, whose block it frees (three steps of four; every eighth such block is instead
// retained until the round's end); or it exchanges a random slot of its own with a random one of
// `shared` slots that all threads use (one step of four). What is in the shared slots outlives its
// thread; the last thread empties them.
#include <algorithm>
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

constexpr std::uint32_t kLocalSlots = 1024;
constexpr std::uint64_t kRetainedOf = 8;

enum class Act : std::uint32_t { kReplace, kRetain, kSwap };

struct Step {
  Act act;
  std::uint32_t local;   // slot of the thread
  std::uint32_t shared;  // kSwap: slot of all threads
  std::uint32_t bytes;   // otherwise
};

std::uint32_t draw_size(Random& random) {
  const std::uint64_t kind = random.below(10000);
  const std::uint64_t factor = kind < 1 ? 10000 : kind < 11 ? 1000 : kind < 211 ? 100 : 1;
  return static_cast<std::uint32_t>(random.between(8, 128) * factor);
}

class Mstress : public Workload {
 public:
  explicit Mstress(const Setup& setup)
      : shared_(setup.count("shared"), setup.threads()), steps_(setup.count("steps")) {
    Random random(setup.seed());
    for (Step& step : steps_) {
      step.act = random.chance(1, 4)             ? Act::kSwap
                 : random.chance(1, kRetainedOf) ? Act::kRetain
                                                 : Act::kReplace;
      step.local = static_cast<std::uint32_t>(random.below(kLocalSlots));
      step.shared = static_cast<std::uint32_t>(random.below(shared_.size()));
      step.bytes = draw_size(random);
    }
    for (int i = 0; i < setup.threads(); ++i) {
      local_.emplace_back(kLocalSlots);
      retained_.emplace_back(steps_.size());
    }
  }

  Tally run(int thread_index, Steps& steps) override {
    const auto index = static_cast<std::size_t>(thread_index);
    Tally tally;
    while (steps.next()) {
      Thread mortal([&] { round(local_[index], retained_[index], tally); });
      mortal.join();
    }
    shared_.leave([&](void* block) { drop_sealed(block, tally.checksum); });
    return tally;
  }

 private:
  void round(MappedArray<void*>& local, MappedArray<void*>& retained, Tally& tally) {
    std::size_t retained_count = 0;
    for (const Step& step : steps_) {
      void*& mine = local[step.local];
      if (step.act == Act::kSwap) {
        mine = shared_.exchange(step.shared, mine);
        continue;
      }
      void* block = allocate(step.bytes);
      const std::uint8_t tag = tag_of(tally.operations++);
      touch_whole(block, step.bytes, tag);
      seal(block, step.bytes, tag);
      if (step.act == Act::kRetain) {
        retained[retained_count++] = block;
      } else {
        drop_sealed(std::exchange(mine, block), tally.checksum);
      }
    }
    for (void*& mine : local) {
      drop_sealed(std::exchange(mine, nullptr), tally.checksum);
    }
    for (std::size_t i = 0; i < retained_count; ++i) {
      drop_sealed(retained[i], tally.checksum);
    }
  }

  SharedSlots shared_;
  MappedArray<Step> steps_;  // every round's
  std::vector<MappedArray<void*>> local_;
  std::vector<MappedArray<void*>> retained_;
};

const Registration registration(
    {.name = "mstress",
     .question = "Does it stay sound and lean when threads come and go and leave blocks behind?",
     .origin = "stress tests of allocators: mostly small, rarely huge blocks, a share of which "
               "changes hands",
     .operation = "a malloc and a free",
     .threading = Threading::kAny,
     .parameters = {{"steps", 10000, "steps", "steps of a thread's life", 1, 1 << 24},
                    {"shared", 1000, "slots", "slots through which threads exchange blocks", 1,
                     1 << 24}},
     .smoke_iterations = 5,
     .threads_note =
         "threads:N is N threads at work at a time; the threads that run() is called on only wait",
     .profile = "live: a sawtooth each round, at the defaults about 0.7 MB a thread, twice that "
                "with a rare huge block, and 0.3 MB in "
                "the shared slots; sizes "
                "8-128 bytes, 2 % x 100, 0.1 % x 1,000, 0.01 % x 10,000; a tenth of the frees are "
                "remote or of a dead "
                "thread's blocks"},
    [](const Setup& setup) { return std::make_unique<Mstress>(setup); });

}  // namespace
}  // namespace workloads
