// shbench-like: how does an allocator do with batches of mixed small sizes of which some survive?
//
// Origin: the commercial SmartHeap benchmark as papers describe it. Each thread appends blocks to a
// table of `slots` until it is full (an iteration). Then one fifth survives, each time the next of
// the five; of the others the first half is freed first in first out, the second half last in first
// out. Sizes from 8 bytes: each doubling half as probable as the one before, uniform inside, `max`
// at most. Blocks are written whole, their ends read. Run it on 1 to 2 x CPUs threads.
#include <algorithm>
#include <cstdlib>
#include <memory>
#include <vector>

#include "workloads/memory.hpp"
#include "workloads/random.hpp"
#include "workloads/workload.hpp"

namespace workloads {
namespace {

constexpr std::size_t kParts = 5;
constexpr std::uint64_t kSmallestBytes = 8;

std::uint64_t draw_size(Random& random, std::uint64_t max) {
  std::uint64_t low = kSmallestBytes;
  while (2 * low < max && random.chance(1, 2)) {
    low *= 2;
  }
  return std::min(max, random.between(low, 2 * low - 1));
}

class ShbenchLike : public Workload {
 public:
  explicit ShbenchLike(const Setup& setup)
      : part_(setup.count("slots") / kParts), sizes_(kOtherDraws) {
    Random random(setup.seed());
    for (std::uint32_t& size : sizes_) {
      size = static_cast<std::uint32_t>(draw_size(random, setup.count("max")));
    }
    for (int i = 0; i < setup.threads(); ++i) {
      tables_.emplace_back(part_ * kParts);
    }
  }

  Tally run(int thread_index, Steps& steps) override {
    const auto index = static_cast<std::size_t>(thread_index);
    MappedArray<Block>& table = tables_[index];
    Walk sizes(sizes_, index * 2003);
    Tally tally;
    std::size_t filled = 0;
    for (std::int64_t i = 0; steps.next(); ++i) {
      for (; filled < table.size(); ++filled) {
        put(table[filled], sizes.next(), tally);
      }
      overflow(table, static_cast<std::size_t>(i) % kParts, tally);
      filled = part_;
    }
    for (std::size_t i = 0; i < filled; ++i) {
      drop(table[i], tally);
    }
    return tally;
  }

 private:
  // Frees all of a full table but the given part, which moves to the front.
  void overflow(MappedArray<Block>& table, std::size_t survivor, Tally& tally) const {
    Block* const kept = &table[survivor * part_];
    std::swap_ranges(kept, kept + part_, table.begin());
    const std::size_t turn = part_ + (table.size() - part_) / 2;
    for (std::size_t i = part_; i < turn; ++i) {
      drop(table[i], tally);
    }
    for (std::size_t i = table.size(); i > turn; --i) {
      drop(table[i - 1], tally);
    }
  }

  static void put(Block& block, std::size_t bytes, Tally& tally) {
    block = {allocate(bytes), bytes};
    touch_whole(block.pointer, bytes, tag_of(tally.operations++));
  }

  static void drop(const Block& block, Tally& tally) {
    tally.checksum += read_ends(block.pointer, block.bytes);
    std::free(block.pointer);
  }

  std::size_t part_;
  MappedArray<std::uint32_t> sizes_;
  std::vector<MappedArray<Block>> tables_;
};

const Registration registration(
    {.name = "shbench-like",
     .question = "How does it do with batches of mixed small sizes of which some survive?",
     .origin = "MicroQuill's SmartHeap benchmark, as papers describe it",
     .operation = "a malloc and a free",
     .threading = Threading::kAny,
     .parameters = {{"slots", 1000, "blocks", "blocks live at a time on each thread", 5, 1 << 24},
                    {"max", 1000, "bytes", "largest block", 8, 1 << 24}},
     .smoke_iterations = 20,
     .profile = "live: a sawtooth from slots / 5 to slots blocks (about 50 kB) a thread; sizes "
                "halve in probability per "
                "doubling; no remote frees"},
    [](const Setup& setup) { return std::make_unique<ShbenchLike>(setup); });

}  // namespace
}  // namespace workloads
