// Blocks that are mappings of their own, and the free pieces that they leave.
//
// A mapping is known by its address in a table of the module's own, so a pointer is looked up without touching what it
// points to. Its capacity may exceed what is handed out: a block that keeps growing gets address space ahead, which costs
// no memory until it is touched.
//
//   address                usable                    capacity
//   [ handed out           | not touched by us       )
//
// What is freed, or cut off by a block that shrinks, is an extent: it stays mapped until it has been free for too long or there
// is too much (store.hpp). Extents that touch are one. A request takes the front of the smallest that is large enough, and what is left
// stays an extent: nothing is unmapped for a smaller request that the next larger one would have to map and touch again. Where
// none is large enough, the largest is stretched by mremap. A block that grows goes on in the extent behind it.
//
// Thread-safe: one lock; system calls are made outside it.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>

namespace osmem::large {

// A block of at least `size` bytes aligned to `alignment` (a power of two); null with ENOMEM. With `zeroed`, all zero.
void* allocate(std::size_t size, std::size_t alignment, bool zeroed);

// False if the address is not that of a live mapping.
bool free(void* block);

// Bytes handed out at that address; 0 if it is not that of a live mapping.
std::size_t usable_bytes(const void* block);

// What a thread knows of the mapping that it resized last: while no mapping goes or changes its size, the table need not
// be asked again. Owner thread only.
class Resized {
 public:
  // Whether the block needs no change to hold `size` bytes. The caller owns the block, so whoever freed or resized it before
  // has counted that change, and the caller sees the count.
  [[nodiscard]] bool fits(const void* block, std::size_t size) const;

  void note(std::uintptr_t address, std::size_t usable_bytes);

 private:
  std::uintptr_t address_;
  std::size_t least_bytes_;
  std::size_t usable_bytes_;
  std::uint64_t changes_;
};

// Grows or keeps a live mapping that has room for `size` bytes, and notes it in `last`; false, and nothing happens, if it
// has not, if it is to shrink, or if the address is not that of a live mapping.
bool resize_in_place(void* block, std::size_t size, Resized& last);

// Resizes a live mapping, moving it if need be; null if it could not be done, and the block is as it was.
void* resize(void* block, std::size_t size);

// Gives back extents that were freed `age_ms` ago or earlier, the oldest first: `most_pages` or some more. Returns how many pages went.
std::size_t give_back(std::size_t most_pages, std::uint64_t age_ms);

struct Stats {
  std::size_t live_bytes = 0;      // usable bytes of live mappings
  std::size_t mapped_bytes = 0;    // capacity of live mappings
  std::size_t cached_bytes = 0;
  std::size_t live_count = 0;
};
Stats stats();

// Calls visit(address, usable bytes, context) for each live mapping, holding the lock.
void for_each(void (*visit)(void* address, std::size_t bytes, void* context), void* context);

// Smallest request that gets a mapping of its own. Grows, up to a limit, when mappings are freed that had not grown, so that repeated
// requests of that size are served from the heap; `pin` sets it for good.
std::size_t threshold_bytes();
void pin_threshold(std::size_t bytes);

// Pages of live mappings. A figure, without the lock.
std::size_t live_pages();

// Whether there are so many mappings that blocks which fit into the heap should come from there. A hint, without the lock.
bool crowded();

void recover_after_fork();

// How many live mappings have gone or changed their size. Written under the module's lock.
[[gnu::visibility("hidden")]] extern constinit std::atomic<std::uint64_t> g_changes;

// Relaxed: see above.
inline bool Resized::fits(const void* block, std::size_t size) const {
  return reinterpret_cast<std::uintptr_t>(block) == address_ && size >= least_bytes_ && size <= usable_bytes_ &&
         changes_ == g_changes.load(std::memory_order_relaxed);
}

}  // namespace osmem::large
