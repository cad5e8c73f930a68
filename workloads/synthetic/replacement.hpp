// What the workloads share that hold a fixed number of blocks and replace one of them again and
// again.
//
// Which slot and which size comes next is drawn beforehand, in two tables of coprime lengths that
// all threads read, each from a place of its own; the slots themselves belong to one thread.
#pragma once

#include <cstdlib>
#include <vector>

#include "workloads/memory.hpp"
#include "workloads/random.hpp"
#include "workloads/workload.hpp"

namespace workloads {

// How a block is used: written after its allocation, read before its free.
struct TouchEnds {
  static void write(const Block& block, std::uint8_t tag) {
    touch_ends(block.pointer, block.bytes, tag);
  }
  static std::uint64_t read(const Block& block) { return read_ends(block.pointer, block.bytes); }
};

struct TouchWhole {
  static void write(const Block& block, std::uint8_t tag) {
    touch_whole(block.pointer, block.bytes, tag);
  }
  static std::uint64_t read(const Block& block) { return read_ends(block.pointer, block.bytes); }
};

struct TouchPages {
  static void write(const Block& block, std::uint8_t tag) {
    touch_pages(block.pointer, block.bytes, tag);
  }
  static std::uint64_t read(const Block& block) {
    return read_each(block.pointer, block.bytes, kPageBytes);
  }
};

// Immutable once drawn; shared by all threads.
struct ReplacementDraws {
  MappedArray<std::uint32_t> slots;
  MappedArray<std::uint32_t> sizes;

  // `draw_size` gives one size from a Random.
  template <typename DrawSize>
  static ReplacementDraws draw(const Setup& setup, std::size_t slot_count, DrawSize draw_size) {
    ReplacementDraws draws{MappedArray<std::uint32_t>(kDraws),
                           MappedArray<std::uint32_t>(kOtherDraws)};
    Random random(setup.seed());
    for (std::uint32_t& slot : draws.slots) {
      slot = static_cast<std::uint32_t>(random.below(slot_count));
    }
    for (std::uint32_t& size : draws.sizes) {
      size = static_cast<std::uint32_t>(draw_size(random));
    }
    return draws;
  }
};

// One thread's slots and where it stands in the draws. Full between fill() and drain(). The loops
// work on copies of the positions: a local stays in a register over a call of malloc, a member does
// not.
template <typename Touch>
class Replacer {
 public:
  Replacer(const ReplacementDraws& draws, std::size_t slot_count, int thread_index)
      : slots_(draws.slots, static_cast<std::size_t>(thread_index) * 1009),
        sizes_(draws.sizes, static_cast<std::size_t>(thread_index) * 2003),
        blocks_(slot_count) {}

  void fill() {
    for (Block& block : blocks_) {
      block = put(sizes_.next(), allocated_++);
    }
  }

  void replace(std::uint64_t count) {
    Walk<std::uint32_t> slots = slots_;
    Walk<std::uint32_t> sizes = sizes_;
    Block* const blocks = blocks_.begin();
    std::uint64_t checksum = checksum_;
    const std::uint64_t end = allocated_ + count;
    for (std::uint64_t number = allocated_; number < end; ++number) {
      Block& block = blocks[slots.next()];
      checksum += drop(block);
      block = put(sizes.next(), number);
    }
    slots_ = slots;
    sizes_ = sizes;
    checksum_ = checksum;
    allocated_ = end;
  }

  void drain() {
    for (const Block& block : blocks_) {
      checksum_ += drop(block);
    }
  }

  // One operation is a malloc and a free; those of fill and drain pair up.
  [[nodiscard]] Tally tally() const { return {allocated_, checksum_}; }

 private:
  static Block put(std::size_t bytes, std::uint64_t number) {
    const Block block{allocate(bytes), bytes};
    Touch::write(block, tag_of(number));
    return block;
  }

  // Gives what was read, and the size.
  static std::uint64_t drop(const Block& block) {
    const std::uint64_t seen = Touch::read(block) + block.bytes;
    std::free(block.pointer);
    return seen;
  }

  Walk<std::uint32_t> slots_;
  Walk<std::uint32_t> sizes_;
  MappedArray<Block> blocks_;
  std::uint64_t allocated_ = 0;
  std::uint64_t checksum_ = 0;
};

// Fills the slots, replaces `replacements_per_iteration` of them each iteration, drains them; every
// thread has its own.
template <typename Touch>
class Replacement : public Workload {
 public:
  template <typename DrawSize>
  Replacement(const Setup& setup, std::size_t slot_count, std::uint64_t replacements_per_iteration,
              DrawSize draw_size)
      : draws_(ReplacementDraws::draw(setup, slot_count, draw_size)),
        replacements_per_iteration_(replacements_per_iteration) {
    for (int i = 0; i < setup.threads(); ++i) {
      replacers_.emplace_back(draws_, slot_count, i);
    }
  }

  Tally run(int thread_index, Steps& steps) override {
    Replacer<Touch> replacer = std::move(replacers_[static_cast<std::size_t>(thread_index)]);
    replacer.fill();
    mark_phase("filled");
    while (steps.next()) {
      replacer.replace(replacements_per_iteration_);
    }
    mark_phase("replaced");
    replacer.drain();
    return replacer.tally();
  }

 private:
  ReplacementDraws draws_;
  std::uint64_t replacements_per_iteration_;
  std::vector<Replacer<Touch>> replacers_;
};

}  // namespace workloads
