// The decisions in which the list heaps differ. A heap is ListHeap<Policy>, and a Policy names one
// type or constant for each of them:
//
//   Source       where memory comes from                                     SystemMemory
//   Index        which blocks are linked, and how neighbours are found       AddressList,
//   BoundaryTags Fit          which free block serves a request                           BestFit,
//   FirstFit kCoalescing  when free neighbours become one block kBeforeSearch, kOnFree Growth how
//   far the break moves when nothing fits                   FirstThenExact, Steps Resizing     how
//   a block grows in place                                  ExtendThenMerge, MergeIfEnough Tuning
//   alignment and mapping thresholds                            FixedTuning, FreelistOptions
#pragma once

#include <algorithm>
#include <concepts>
#include <cstddef>

#include "allocator/classic/block.hpp"
#include "allocator/classic/system_memory.hpp"

namespace classic {

inline constexpr std::size_t kKiB = 1024;
inline constexpr std::size_t kPageBytes = 4096;

enum class Coalescing {
  kBeforeSearch,  // a pass over the whole list before each search; free itself only sets the status
  kOnFree,        // free merges with both neighbours: no two free blocks ever touch
};

// Fit: offered the free blocks in the index's order; choose() is told each that is large enough and
// says whether the search can stop.
class FirstFit {
 public:
  bool choose(Block* candidate) {
    chosen_ = candidate;
    return true;
  }
  [[nodiscard]] Block* chosen() const { return chosen_; }

 private:
  Block* chosen_ = nullptr;
};

// The smallest that is large enough; of equals, the first one offered.
class BestFit {
 public:
  bool choose(Block* candidate) {
    if (chosen_ == nullptr || candidate->size < chosen_->size) {
      chosen_ = candidate;
    }
    return false;
  }
  [[nodiscard]] Block* chosen() const { return chosen_; }

 private:
  Block* chosen_ = nullptr;
};

// Growth: the bytes by which the break moves, given what is missing. `is_first`: the heap is empty.
template <std::size_t kFirstBytes>
struct FirstThenExact {
  static std::size_t bytes(std::size_t missing_bytes, bool is_first) {
    return is_first ? std::max(missing_bytes, kFirstBytes) : missing_bytes;
  }
};

template <std::size_t kStepBytes>
struct Steps {
  static std::size_t bytes(std::size_t missing_bytes, bool /*is_first*/) {
    return round_up(missing_bytes, kStepBytes);
  }
};

// Resizing: true if `block`, in use, now holds `payload_bytes`; the heap splits off what is too
// much. First the break, then free neighbours one at a time, which stay merged even when they are
// too few.
struct ExtendThenMerge {
  template <class Heap>
  static bool grow(Heap& heap, Block* block, std::size_t payload_bytes) {
    if (heap.is_last(block) && heap.extend_last(payload_bytes)) {
      return true;
    }
    while (block->size < payload_bytes) {
      Block* next = heap.next_if_free(block);
      if (next == nullptr) {
        return false;
      }
      heap.absorb_next(block);
    }
    return true;
  }
};

// Takes the free neighbour only if that is enough, or becomes so by moving the break.
struct MergeIfEnough {
  template <class Heap>
  static bool grow(Heap& heap, Block* block, std::size_t payload_bytes) {
    if (heap.is_last(block)) {
      return heap.extend_last(payload_bytes);
    }
    Block* next = heap.next_if_free(block);
    if (next == nullptr) {
      return false;
    }
    const std::size_t together_bytes = block->size + kHeaderBytes + next->size;
    if (together_bytes < payload_bytes &&
        !(heap.is_last(next) && heap.extend_last(next->size + payload_bytes - together_bytes))) {
      return false;
    }
    heap.absorb_next(block);
    return true;
  }
};

// Tuning: read by the heap at every request. freed_mapping() is told the length of each mapping
// given back.
template <std::size_t kAlignment, std::size_t kMapThreshold,
          std::size_t kZeroedMapThreshold = kMapThreshold>
struct FixedTuning {
  static constexpr std::size_t alignment_bytes() { return kAlignment; }
  static constexpr std::size_t map_threshold_bytes() { return kMapThreshold; }
  static constexpr std::size_t zeroed_map_threshold_bytes() { return kZeroedMapThreshold; }
  static constexpr void freed_mapping(std::size_t /*bytes*/) {}
};

// What keeps the blocks of the heap. REQUIRES of the caller, in every call: blocks belong to this
// index.
//   last()                     the block that ends at the break, or null
//   append(at, bytes)          a free block of new memory behind the last; in a new stretch, the
//   first
//                              stretch_overhead_bytes(at) of it are the index's own
//   enlarge_last(bytes)        the last block's payload grew
//   split(block, bytes)        cuts a payload in use to `bytes`; what is cut off becomes a free
//   block absorb_next(block)         takes in the free block that follows in memory take, release
//   free -> allocated, allocated -> free next, previous_if_free     neighbours in memory; null at a
//   gap or the end find<Fit>(bytes)           a free block of at least `bytes`, or null
//   for_each(visit)            all blocks in order of address
//   broken_invariant()         the first equation that does not hold, or null
// clang-format off
template <class I>
concept BlockIndex = requires(I index, const I& seen, Block* block, std::size_t bytes, char* at) {
  { seen.last() } -> std::same_as<Block*>;
  { seen.stretch_overhead_bytes(at) } -> std::same_as<std::size_t>;
  { index.append(at, bytes) } -> std::same_as<Block*>;
  { index.enlarge_last(bytes) } -> std::same_as<void>;
  { index.split(block, bytes) } -> std::same_as<Block*>;
  { index.absorb_next(block) } -> std::same_as<void>;
  { index.take(block) } -> std::same_as<void>;
  { index.release(block) } -> std::same_as<void>;
  { index.next(block) } -> std::same_as<Block*>;
  { index.previous_if_free(block) } -> std::same_as<Block*>;
  { seen.template find<BestFit>(bytes) } -> std::same_as<Block*>;
  { seen.broken_invariant() } -> std::same_as<const char*>;
};
// clang-format on

}  // namespace classic
