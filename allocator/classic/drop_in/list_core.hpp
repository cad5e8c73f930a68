// A list heap as a drop-in malloc: what allocator/interpose asks of a core, over one LockedHeap.
//
// Differences to the libraries with an interface of their own, all because of what programs expect
// of malloc: blocks are 16-byte aligned, size 0 gives a block, and a pointer that is not ours goes
// to the C library. In a program with a drop-in nobody else moves the break, so the heap is one
// stretch.
#pragma once

#include "allocator/classic/locked_heap.hpp"
#include "allocator/interpose/core_contract.hpp"
#include "allocator/interpose/foreign.hpp"

namespace classic {

inline std::size_t at_least_one(std::size_t size) { return size == 0 ? 1 : size; }

// `heap` is a LockedHeap with static storage.
template <auto& heap>
struct DropIn {
  static void* malloc(std::size_t size) noexcept { return heap.allocate(at_least_one(size)); }

  static void free(void* ptr) noexcept {
    if (ptr != nullptr && !heap.release_if_owned(ptr) && interpose_foreign_free != nullptr) {
      interpose_foreign_free(ptr);
    }
  }

  static void* calloc(std::size_t count, std::size_t size) noexcept {
    return count == 0 || size == 0 ? malloc(0) : heap.allocate_zeroed(count, size);
  }

  static void* realloc(void* ptr, std::size_t size) noexcept {
    if (ptr == nullptr) {
      return malloc(size);
    }
    if (!heap.owns(ptr)) {
      return interpose_foreign_realloc == nullptr ? nullptr : interpose_foreign_realloc(ptr, size);
    }
    return heap.resize(ptr, size);
  }

  static void* aligned_alloc(std::size_t alignment, std::size_t size) noexcept {
    return heap.allocate_aligned(alignment, at_least_one(size));
  }

  static std::size_t usable_size(const void* ptr) noexcept {
    if (ptr == nullptr) {
      return 0;
    }
    const std::size_t bytes = heap.usable_bytes(ptr);  // never 0 for a block of ours
    return bytes != 0 || interpose_foreign_usable_size == nullptr
               ? bytes
               : interpose_foreign_usable_size(const_cast<void*>(ptr));
  }

  static void free_sized(void* ptr, std::size_t /*size*/) noexcept { free(ptr); }
  static void free_aligned_sized(void* ptr, std::size_t /*alignment*/,
                                 std::size_t /*size*/) noexcept {
    free(ptr);
  }

  // The heap never shrinks, and freed mappings are gone already.
  static bool trim(std::size_t /*keep_bytes*/) noexcept { return false; }

  static void stats(interpose::Numbers& out) noexcept {
    heap.inspect([&](auto& list) {
      out.heap_bytes = list.heap_bytes();
      out.mapped_bytes = list.mapped_bytes();
      list.for_each_mapping([&](Block*) { ++out.mapped_count; });
      list.for_each_block([&](Block* block) {
        (is_free(block) ? out.free_bytes : out.allocated_bytes) += block->size;
      });
      out.allocated_bytes += out.mapped_bytes - out.mapped_count * kHeaderBytes;
    });
  }
};

}  // namespace classic
