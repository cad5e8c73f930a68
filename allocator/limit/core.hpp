// The reference floor: about the least work that malloc and free can do. Not an allocator to use;
// see README.md.
//
//   base (16k + 8)      block = base + 8, 16-byte aligned
//   | header | payload ... |          stride of a class: multiple of 16, header included
//
// header: the class of the block, or for a block of an aligned request (which starts inside a
// larger block) its distance from that block in bytes, plus kMovedBase. While a block is free its
// first word links the list.
//
// Thread-safe without locks: each thread owns its lists; chains of freed blocks travel between
// threads through one lock-free stack a class. A block belongs to whoever frees it.
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>

#include "allocator/interpose/core_contract.hpp"

namespace limit {

inline constexpr size_t kHeaderBytes = 8;
inline constexpr size_t kGranuleBytes = 16;
// Classes 1..64 have a stride of 16 * class; above, eight classes divide each doubling up to 2^47.
inline constexpr size_t kSmallClasses = 64;
inline constexpr size_t kSmallLargest = kSmallClasses * kGranuleBytes - kHeaderBytes;
inline constexpr size_t kFirstDoublingLog2 = 10;
inline constexpr size_t kLastDoublingLog2 = 47;
inline constexpr size_t kStepsPerDoubling = 8;
inline constexpr size_t kClasses =
    kSmallClasses + 1 + (kLastDoublingLog2 - kFirstDoublingLog2) * kStepsPerDoubling;
// Blocks up to here are carved from a thread's chunk and kept in its lists; larger ones have a
// mapping of their own and are shared at once.
inline constexpr size_t kCarvedLargest = size_t{256} * 1024;
inline constexpr uint64_t kMovedBase = 4096;
static_assert(kClasses < kMovedBase);

// A chain on the shared stack keeps the link to the chain below it in its first block's header
// word.
struct FreeBlock {
  FreeBlock* next;  // in its list or chain
};

constexpr size_t large_class_of(size_t stride) noexcept {
  const size_t log2 =
      static_cast<size_t>(std::bit_width(stride - 1)) - 1;  // 2^log2 < stride <= 2^(log2+1)
  const size_t step = (stride - 1 - (size_t{1} << log2)) >> (log2 - 3);
  return kSmallClasses + 1 + (log2 - kFirstDoublingLog2) * kStepsPerDoubling + step;
}

// The bytes from one block of the class to the next.
constexpr size_t stride_of(size_t size_class) noexcept {
  if (size_class <= kSmallClasses) {
    return size_class * kGranuleBytes;
  }
  const size_t index = size_class - kSmallClasses - 1;
  const size_t base = size_t{1} << (kFirstDoublingLog2 + index / kStepsPerDoubling);
  return base + base / kStepsPerDoubling * (index % kStepsPerDoubling + 1);
}

static_assert(stride_of(large_class_of(1040)) == 1152 && stride_of(large_class_of(2048)) == 2048);
static_assert(large_class_of(size_t{1} << kLastDoublingLog2) == kClasses - 1);

inline constexpr size_t kLocalClasses = large_class_of(kCarvedLargest) + 1;

// Of one thread. Zero-initialised: an empty list leads to the slow path by itself. A countdown of 0
// makes the first free take the slow path, which registers the thread's end.
struct ThreadLists {
  FreeBlock* heads[kLocalClasses];
  uint32_t frees_until_handover;
};
extern constinit thread_local ThreadLists lists;

inline uint64_t& header_of(void* block) noexcept { return static_cast<uint64_t*>(block)[-1]; }

void* malloc_slow(size_t size) noexcept;
void free_slow(void* block) noexcept;

}  // namespace limit

struct Core {
  static constexpr const char* kName = "limit";

  // The hit path alone: null if the list of the size's class is empty.
  static void* try_malloc(size_t size) noexcept {
    if (size <= limit::kSmallLargest) [[likely]] {
      const size_t size_class =
          (size + limit::kHeaderBytes + limit::kGranuleBytes - 1) / limit::kGranuleBytes;
      limit::FreeBlock*& head = limit::lists.heads[size_class];
      limit::FreeBlock* const block = head;
      if (block != nullptr) [[likely]] {
        head = block->next;
        return block;
      }
    }
    return nullptr;
  }

  static void* malloc(size_t size) noexcept {
    void* const block = try_malloc(size);
    return block != nullptr ? block : limit::malloc_slow(size);
  }

  static void free(void* block) noexcept {
    if (block == nullptr) {
      return;
    }
    const uint64_t size_class = limit::header_of(block);
    if (size_class >= limit::kLocalClasses || limit::lists.frees_until_handover == 0) [[unlikely]] {
      return limit::free_slow(block);
    }
    limit::lists.frees_until_handover--;
    auto* const freed = static_cast<limit::FreeBlock*>(block);
    freed->next = limit::lists.heads[size_class];
    limit::lists.heads[size_class] = freed;
  }

  static void* calloc(size_t count, size_t size) noexcept;
  static void* realloc(void* block, size_t size) noexcept;
  static void* aligned_alloc(size_t alignment, size_t size) noexcept;
  static size_t usable_size(const void* block) noexcept;
  static void free_sized(void* block, size_t) noexcept { free(block); }
  static void free_aligned_sized(void* block, size_t, size_t) noexcept { free(block); }
  static bool trim(size_t) noexcept { return false; }  // nothing is ever given back
  static void stats(interpose::Numbers& out) noexcept;
};
