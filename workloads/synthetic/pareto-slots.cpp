// pareto-slots: how does an allocator do when few places of a large table change all the time and
// most hardly ever?
//
// Origin: the 80/20 rule of caches and sessions. A table of `slots` slots, a random half of them
// filled. An operation visits a slot: an occupied one is read whole and freed, an empty one gets a
// new block, written whole. Popularity: 80 % of the visits go to 20 % of the slots, of those again
// 80 % to 20 %, six times nested; the popular slots lie scattered. Sizes: at most 1 KiB, from 8,
// each doubling half as probable as the one before, uniform inside. Every thread has a table of its
// own.
#include <cstdlib>
#include <memory>
#include <vector>

#include "workloads/memory.hpp"
#include "workloads/random.hpp"
#include "workloads/workload.hpp"

namespace workloads {
namespace {

constexpr std::uint64_t kVisitsPerIteration = 64;
constexpr int kNesting = 6;
constexpr std::uint64_t kSmallestBytes = 8;
constexpr std::uint64_t kLargestBytes = 1024;

// Rank of a slot by popularity, 0 the most visited.
std::uint64_t draw_rank(Random& random, std::uint64_t slots) {
  std::uint64_t hot = slots;
  for (int i = 0; i < kNesting; ++i) {
    const std::uint64_t hotter = hot / 5;
    if (hotter == 0) {
      break;
    }
    if (!random.chance(80, 100)) {
      return hotter + random.below(hot - hotter);
    }
    hot = hotter;
  }
  return random.below(hot);
}

std::uint64_t draw_size(Random& random) {
  std::uint64_t low = kSmallestBytes;
  while (low < kLargestBytes / 2 && random.chance(1, 2)) {
    low *= 2;
  }
  return random.between(low, 2 * low);
}

class ParetoSlots : public Workload {
 public:
  explicit ParetoSlots(const Setup& setup)
      : slot_count_(setup.count("slots")),
        visits_(std::max(kDraws, 4 * slot_count_)),
        sizes_(kOtherDraws) {
    Random random(setup.seed());
    MappedArray<std::uint32_t> slot_of_rank(slot_count_);
    for (std::size_t i = 0; i < slot_count_; ++i) {
      slot_of_rank[i] = static_cast<std::uint32_t>(i);
    }
    random.shuffle(slot_of_rank);
    for (std::uint32_t& slot : visits_) {
      slot = slot_of_rank[draw_rank(random, slot_count_)];
    }
    for (std::uint32_t& size : sizes_) {
      size = static_cast<std::uint32_t>(draw_size(random));
    }
    for (int i = 0; i < setup.threads(); ++i) {
      tables_.emplace_back(slot_count_);
    }
    filled_at_first_ = MappedArray<std::uint32_t>(slot_count_ / 2);
    random.shuffle(slot_of_rank);
    for (std::size_t i = 0; i < filled_at_first_.size(); ++i) {
      filled_at_first_[i] = slot_of_rank[i];
    }
  }

  Tally run(int thread_index, Steps& steps) override {
    const auto index = static_cast<std::size_t>(thread_index);
    MappedArray<Block>& table = tables_[index];
    Walk visits(visits_, index * 1000003);
    Walk sizes(sizes_, index * 2003);
    Tally tally;
    for (const std::uint32_t slot : filled_at_first_) {
      visit(table[slot], sizes, tally);
    }
    mark_phase("filled");
    while (steps.next()) {
      for (std::uint64_t i = 0; i < kVisitsPerIteration; ++i) {
        visit(table[visits.next()], sizes, tally);
      }
    }
    for (Block& block : table) {
      if (block.pointer != nullptr) {
        visit(block, sizes, tally);
      }
    }
    return tally;
  }

 private:
  static void visit(Block& block, Walk<std::uint32_t>& sizes, Tally& tally) {
    ++tally.operations;
    if (block.pointer != nullptr) {
      tally.checksum += read_whole(block.pointer, block.bytes);
      std::free(std::exchange(block.pointer, nullptr));
      return;
    }
    block.bytes = sizes.next();
    block.pointer = allocate(block.bytes);
    touch_whole(block.pointer, block.bytes, tag_of(tally.operations));
  }

  std::size_t slot_count_;
  MappedArray<std::uint32_t> visits_;
  MappedArray<std::uint32_t> sizes_;
  MappedArray<std::uint32_t> filled_at_first_;
  std::vector<MappedArray<Block>> tables_;
};

const Registration registration(
    {.name = "pareto-slots",
     .question =
         "How does it do when few places of a large table change often and most hardly ever?",
     .origin = "the 80/20 rule of caches and sessions",
     .operation = "a visit: a free of an occupied slot, or a malloc for an empty one",
     .threading = Threading::kAny,
     .parameters = {{"slots", 1 << 18, "slots", "size of each thread's table", 2, 1 << 24}},
     .smoke_iterations = 100,
     .smoke_parameters = "slots=4096",
     .profile =
         "live: about slots / 2 blocks a thread (131,072, 6 MB), level; sizes 8-1,024 bytes, half "
         "below 16; lifetimes "
         "from a few visits to the whole run; no remote frees"},
    [](const Setup& setup) { return std::make_unique<ParetoSlots>(setup); });

}  // namespace
}  // namespace workloads
