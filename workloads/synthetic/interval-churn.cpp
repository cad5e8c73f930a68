// interval-churn: how does an allocator do when births, deaths and resizes mix and live memory
// grows meanwhile?
//
// Origin: programs that build a structure and throw parts of it away, such as compilers. An
// iteration is an episode of `steps` steps, then all is freed. A step allocates a block of 10 to
// 1,024 bytes (10 + 1,014 u^2, u uniform: small ones most) and writes to ten places of it; with
// probability 1/2 it then frees a random earlier block, and of the other steps a quarter reallocate
// a random earlier block to another such size. Every thread plays its own episode.
#include <cstdlib>
#include <memory>
#include <vector>

#include "workloads/memory.hpp"
#include "workloads/random.hpp"
#include "workloads/workload.hpp"

namespace workloads {
namespace {

constexpr std::uint64_t kSmallestBytes = 10;
constexpr double kSpreadBytes = 1014;
constexpr std::size_t kTouches = 10;

enum class Then : std::uint32_t { kNothing, kFree, kReallocate };

struct Step {
  std::uint32_t bytes;  // of the new block
  Then then;
  std::uint32_t victim;     // index among the live blocks, the new one last
  std::uint32_t new_bytes;  // of the victim, kReallocate
};

std::uint32_t draw_size(Random& random) {
  const double u = random.real();
  return static_cast<std::uint32_t>(kSmallestBytes +
                                    static_cast<std::uint64_t>(kSpreadBytes * u * u));
}

class IntervalChurn : public Workload {
 public:
  explicit IntervalChurn(const Setup& setup) : steps_(setup.count("steps")) {
    Random random(setup.seed());
    std::uint64_t live = 0;
    for (Step& step : steps_) {
      ++live;
      step.bytes = draw_size(random);
      step.new_bytes = draw_size(random);
      step.victim = static_cast<std::uint32_t>(live > 1 ? random.below(live - 1) : 0);
      step.then = random.chance(1, 2)   ? Then::kFree
                  : random.chance(1, 4) ? Then::kReallocate
                                        : Then::kNothing;
      if (step.then == Then::kFree) {
        --live;
      }
    }
    for (int i = 0; i < setup.threads(); ++i) {
      tables_.emplace_back(steps_.size());
    }
  }

  Tally run(int thread_index, Steps& steps) override {
    Tally tally;
    while (steps.next()) {
      episode(tables_[static_cast<std::size_t>(thread_index)], tally);
    }
    return tally;
  }

 private:
  void episode(MappedArray<Block>& live, Tally& tally) const {
    std::size_t count = 0;
    for (const Step& step : steps_) {
      live[count++] = put(std::malloc(step.bytes), step.bytes, tally);
      Block& victim = live[step.victim];
      if (step.then == Then::kFree) {
        drop(victim, tally);
        victim = live[--count];
      } else if (step.then == Then::kReallocate) {
        tally.checksum += static_cast<const std::uint8_t*>(victim.pointer)[0];
        victim = put(std::realloc(victim.pointer, step.new_bytes), step.new_bytes, tally);
      }
    }
    for (std::size_t i = 0; i < count; ++i) {
      drop(live[i], tally);
    }
  }

  static Block put(void* pointer, std::size_t bytes, Tally& tally) {
    allocated(pointer, bytes);
    touch_each(pointer, bytes, bytes / kTouches, tag_of(tally.operations++));
    return {pointer, bytes};
  }

  static void drop(const Block& block, Tally& tally) {
    tally.checksum += read_ends(block.pointer, block.bytes);
    std::free(block.pointer);
  }

  MappedArray<Step> steps_;  // of every episode
  std::vector<MappedArray<Block>> tables_;
};

const Registration registration(
    {.name = "interval-churn",
     .question = "How does it do when births, deaths and resizes mix and live memory grows?",
     .origin = "programs that build a structure and throw parts of it away",
     .operation = "a malloc and its free, or a realloc",
     .threading = Threading::kAny,
     .parameters = {{"steps", 10000, "steps", "of an episode", 1, 1 << 24}},
     .smoke_iterations = 2,
     .profile = "live: a ramp from 0 to steps / 2 blocks (1.7 MB) each iteration; sizes 10-1,024 "
                "bytes, mean 348; no "
                "remote frees"},
    [](const Setup& setup) { return std::make_unique<IntervalChurn>(setup); });

}  // namespace
}  // namespace workloads
