// L3: a closer look at some frees of the thread's own small blocks, off the hit path.
//
// The hit path of free has no room for a look. But a bin whose budget is used up comes to the slow path, so a bin can be *armed*:
// its limit is made the length that its list has, and each free of it is looked at, until `looks_left` of them were. A new heap's bins are armed
// for their first frees, and all bins are armed again for a few each time the heap is looked through (process.cpp): so a thread that frees
// seldom has every free looked at, and what a busy one pays is bounded by the clock.
//
// A heap that another thread had before is armed for the few. limit - budget is the length of the list at all times. Owner thread only.
#pragma once

#include <cstddef>
#include <cstdint>

#include "allocator/osmem/threads/thread_heap.hpp"

namespace osmem {

// Frees of a class that are looked at: first of all in a heap, and after each time it is looked through. None in the hardened build,
// whose own checks stand above.
inline constexpr std::uint8_t kFirstLooks = kHardened ? 0 : 64;
inline constexpr std::uint8_t kLaterLooks = kHardened ? 0 : 4;

// What a caller that told nothing has told of a block's size.
inline constexpr std::size_t kNoSizeTold = SIZE_MAX;

inline void arm(Bin& bin, std::uint8_t looks) {
  if (looks == 0) return;
  if (bin.looks_left < looks) bin.looks_left = looks;
  if (bin.budget <= 0) return;
  bin.limit -= bin.budget;
  bin.budget = 0;
}

// The block that was just put in front of the bin's list of freed blocks: does it start there, is it free already, is its size the one that was
// told? False, and the program was told so and lives on: the list is without it. O(1): some steps in each list.
bool look_at_freed(Heap& heap, Bin& bin, std::size_t told_bytes);

// Beside a size: the block was perhaps asked for with an alignment that made it any larger.
inline constexpr std::size_t kPerhapsAligned = ~(SIZE_MAX >> 1);

// Whether a block of so many usable bytes can be one that was asked for with that size. How much larger it may be has no bound: a borrowed
// block may be lent on by the class that borrowed it.
constexpr bool may_be_size(std::size_t usable_bytes, std::size_t told_bytes) {
  return (told_bytes & ~kPerhapsAligned) <= usable_bytes;
}

// A link in a list of the bin's freed blocks that malloc is about to follow. Aborts if it leads out of the bin's slabs, or back.
inline void check_link(const Bin& bin, const Block* block) {
  const Block* next = block->next;
  if (next == nullptr) return;
  const std::size_t slice = g_region.slice_of(next);
  // Relaxed: an overwritten link may lead to another thread's slab.
  const bool sound = next != block && g_region.contains(slice) && g_region.bin(slice).load(std::memory_order_relaxed) == &bin;
  if (!sound) [[unlikely]] bad_link(bin, block);
}

}  // namespace osmem
