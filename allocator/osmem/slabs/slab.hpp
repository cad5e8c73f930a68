// L2: a slab is one to four slices that hold blocks of one size class.
//
// Its books are one cache line in a table beside the heap, indexed by slice, so that no block has a header and a wild
// pointer is looked up without touching what it points to. Blocks are carved lazily, in order of address:
//
//   slab start                                                              capacity
//   [ live | free | live | in a thread's list | free | ... carved ][ never touched ... ]
//
//   carved_count = live + in lists of the owner thread + on their way home from other threads + free_count + gone_count
//
// Pages that hold no block in use go back in part: those behind the last block (the tail), and those inside a slab that has become
// sparse. Any thread may do that; how it and the owner keep apart is in threads/offers.hpp.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>

#include "allocator/osmem/base/check.hpp"
#include "allocator/osmem/base/config.hpp"

namespace osmem {

struct Heap;

// Of the smallest class, whose slabs have one slice; larger ones have fewer in any number of slices.
inline constexpr std::uint32_t kMostSlabBlocks = kSliceBytes / 16;

// A free block: its first word links it to the next.
struct Block {
  Block* next;
};

enum class SliceKind : std::uint8_t {
  kNone = 0,   // no block starts here: free, or the inside of a run
  kSlab = 1,   // first slice of a slab
  kInner = 2,  // another slice of a slab, `head_offset` behind its first
  kRun = 3,    // a run that is a block of its own starts here; see Slab::run_pages()
};

constexpr bool is_slab(SliceKind kind) { return kind == SliceKind::kSlab || kind == SliceKind::kInner; }

// Which of its heap's lists a slab is in.
enum class SlabList : std::uint8_t {
  kNone = 0,     // nothing to take from its free list; it may be the one that its bin carves from
  kPartial = 1,  // has free blocks
  kFull = 2,     // all its blocks are handed out
  kOffered = 3,  // sparse, or with pages that went back: another thread may be at it, see Heap::reclaim()
  kLost = 4,     // a fork came while another thread was at it: nothing is taken from it, or put back
};

// Who may change a slab's free list, and what became of its pages.
enum class Offer : std::uint8_t {
  kHeld = 0,     // its owner; nothing is gone
  kOffered = 1,  // whoever takes it first
  kTaken = 2,    // who took it, for a moment
  kPurging = 3,  // its owner, but the gone pages are on their way back to the system
  kPurged = 4,   // its owner; the gone pages read as zero
  kRefused = 5,  // its owner; the system did not take them
  kLost = 6,
};

struct alignas(kCacheLineBytes) Slab {
  // Owner thread (or the holder of the pool's lock, for a heap without a thread):
  Block* free;                        // blocks given back, last in first out
  std::uint32_t free_count;           // length of `free`
  std::uint32_t carved_count;         // blocks [0, carved_count) have been handed out at least once
  std::uint32_t next;                 // neighbours in the list: slice + 1, 0 for none
  std::uint32_t previous;
  SlabList list;
  std::uint32_t look_at;              // when so many lie in `free`, the owner looks: all of them, or enough to be sparse
  std::uint16_t gone_pages;           // bit i: page i went back, with the free blocks that reach into it
  std::uint16_t gone_count;           // of these blocks
  // Fixed while the slab exists:
  SliceKind kind;
  std::uint8_t size_class;
  std::uint8_t head_offset;           // of an inner slice: slices back to the first; of a run: its first page in the slice
  std::uint16_t capacity;             // blocks; of a run: pages
  std::uint16_t touched_pages;        // bit i: page i of its run may hold something
  std::uint32_t block_bytes;
  // Written by the owner, or under the pool's lock; read by any thread:
  std::atomic<Heap*> heap;
  // Any thread:
  std::atomic<std::uint32_t> since_ms;  // when it was offered, or its tail was
  std::atomic<Offer> offer;
  std::atomic<std::uint8_t> tail;       // see threads/offers.hpp

  // Takes `count` blocks back, linked from `first` to `last`. True: the slab's place among its heap's lists may have changed.
  // Aborts if that would be more blocks than were handed out.
  bool put_back(Block* first, Block* last, std::uint32_t count) {
    last->next = free;
    free = first;
    free_count += count;
    if (free_count >= look_at) [[unlikely]] {
      check(free_count + gone_count <= carved_count, "free of a block that was freed before", first);
      return true;
    }
    return list != SlabList::kPartial;
  }

  // The pages that the first `blocks` blocks reach into.
  [[nodiscard]] std::uint32_t pages_of(std::uint32_t blocks) const {
    return static_cast<std::uint32_t>((std::size_t{blocks} * block_bytes + kPageBytes - 1) >> kPageShift);
  }

  [[nodiscard]] bool is_fully_carved() const { return carved_count == capacity; }

  // The pages that `bytes` from `offset` on reach into, a bit for each.
  static std::uint32_t page_bits(std::size_t offset, std::size_t bytes) {
    const std::size_t first = offset >> kPageShift;
    const std::size_t last = (offset + bytes - 1) >> kPageShift;
    return ((2U << (last - first)) - 1) << first;
  }
  // Whether the block went back with its pages.
  [[nodiscard]] bool is_gone(std::uint32_t block) const {
    return gone_pages != 0 && (page_bits(std::size_t{block} * block_bytes, block_bytes) & gone_pages) != 0;
  }

  // A run that is a block has at least a slice's pages, so no two of them start in one slice, and the books of the slice
  // where it starts are its own. Written by whoever allocates, resizes or frees it.
  void start_run(std::uint32_t page_in_slice, std::uint32_t pages) {
    kind = SliceKind::kRun;
    head_offset = static_cast<std::uint8_t>(page_in_slice);
    capacity = static_cast<std::uint16_t>(pages);
  }
  [[nodiscard]] std::uint32_t run_pages() const { return capacity; }
  void end_run() {
    kind = SliceKind::kNone;
    head_offset = 0;
  }
};
static_assert(sizeof(Slab) == kCacheLineBytes, "one line a slice");

}  // namespace osmem
