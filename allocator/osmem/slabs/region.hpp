// The address space of the heap and the tables beside it, indexed by slice.
//
//   heap:       [ slice 0 | slice 1 | ... | slice_count: end_bytes ) ... ahead_bytes: reserved, not yet usable ... )
//   owners[i]   thread pointer of the thread that may free into slice i without atomics; 0 for nobody
//   bins[i]     where that thread puts the blocks freed in slice i; kBinTableOffset behind owners[i], so that one base
//               address serves both tables on the fast path
//   slabs[i]    books of the slab that begins in slice i
//   chunks[c]   books of the page heap
//
// Two back ends grow the same linear heap: a reserved region (made usable step by step; where it was reserved small and
// something lies behind it, it goes on behind that) and the data segment (sbrk, which other code may move in between).
// Gaps stay absent. The tables only ever grow. Written under the page heap's lock or at start; read by everyone. Each
// write leaves the fields such that a fork may come after it (see grow_region).
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>

#include "allocator/osmem/base/config.hpp"
#include "allocator/osmem/pages/store.hpp"
#include "allocator/osmem/slabs/slab.hpp"

namespace osmem {

struct Bin;

inline constexpr std::size_t kOwnerTableBytes = std::size_t{kMaxSlices} * sizeof(std::uintptr_t);
inline constexpr std::size_t kBinTableOffset = kOwnerTableBytes;

// What every free reads, on one cache line; variables of their own, so that each is one operand of an instruction.
[[gnu::visibility("hidden")]] extern constinit std::uintptr_t g_heap_base;
[[gnu::visibility("hidden")]] extern constinit std::atomic<std::size_t> g_slice_count;  // slices whose tables may be read
[[gnu::visibility("hidden")]] extern constinit std::byte* g_owners;  // of std::atomic<std::uintptr_t>, then at kBinTableOffset of Bin*

struct Region {
  Slab* slabs = nullptr;
  Chunk* chunks = nullptr;
  std::size_t end_bytes = 0;                // the heap's usable part ends here: offset from the base
  std::size_t ahead_bytes = 0;              // reserved right behind it, not usable yet
  std::size_t committed_bytes = 0;          // usable; less than end_bytes where there are gaps
  std::size_t max_slices = 0;               // what the tables have room for
  std::size_t metadata_bytes = 0;           // of the tables, usable

  [[nodiscard]] std::size_t reserved_bytes() const { return end_bytes + ahead_bytes; }
  [[nodiscard]] std::atomic<std::uintptr_t>& owner(std::size_t slice) const {
    return reinterpret_cast<std::atomic<std::uintptr_t>*>(g_owners)[slice];
  }
  // Written by the slab's owner, or under the pool's lock where its heap has no thread; read by any thread that frees into it. A stale
  // one names a bin of another heap than the caller's chain, which remote_class() refuses.
  [[nodiscard]] std::atomic<Bin*>& bin(std::size_t slice) const {
    return reinterpret_cast<std::atomic<Bin*>*>(g_owners)[slice + kBinTableOffset / sizeof(Bin*)];
  }
  // The same for the slab's owner, whose reads race with nobody's writes: a plain load, since gcc 12 spends an instruction more on the
  // address of an atomic one.
  [[nodiscard]] Bin* own_bin(std::size_t slice) const {
    return reinterpret_cast<Bin**>(g_owners)[slice + kBinTableOffset / sizeof(Bin*)];
  }
  [[nodiscard]] std::size_t slice_of(const void* pointer) const {
    return (reinterpret_cast<std::uintptr_t>(pointer) - g_heap_base) >> kSliceShift;
  }
  // Relaxed: whoever asks about a block learnt of it after its slice was counted.
  [[nodiscard]] bool contains(std::size_t slice) const {
    return slice < g_slice_count.load(std::memory_order_relaxed);
  }
  [[nodiscard]] std::uintptr_t slice_start(std::size_t slice) const {
    return g_heap_base + (slice << kSliceShift);
  }
  [[nodiscard]] void* page_start(std::size_t page) const {
    return reinterpret_cast<void*>(g_heap_base + (page << kPageShift));
  }
  [[nodiscard]] std::uint32_t page_of(const void* pointer) const {
    return static_cast<std::uint32_t>((reinterpret_cast<std::uintptr_t>(pointer) - g_heap_base) >> kPageShift);
  }
  [[nodiscard]] std::uint32_t index_of(const Slab* slab) const {
    return static_cast<std::uint32_t>(slab - slabs);
  }
};

[[gnu::visibility("hidden")]] extern constinit Region g_region;

enum class HeapBackEnd { kRegion, kBreak };

// Reserves the region and its tables; false if not even the smallest can be had. Called once, before any other use.
bool start_region(HeapBackEnd back_end);

// Where a limit on address space rules out a heap as large as reserved, as one that the program has set since the start: gives back
// what is reserved beyond it. False if there is no such limit, or nothing to give. From then on the heap obeys that limit. Takes the page heap's lock.
bool fit_reservation_to_limit();

// Zeroed memory for osmem's own records, never given back; null on failure. Thread-safe, O(1).
void* allocate_metadata(std::size_t bytes);

// Bytes of allocate_metadata() so far; the tables are counted in Region::metadata_bytes.
std::size_t metadata_bytes();

// After fork, in the child.
void recover_metadata_after_fork();

}  // namespace osmem
