// osmem as a drop-in: the contract of allocator/interpose over the functions of this folder.
#pragma once

#include "allocator/interpose/core_contract.hpp"
#include "allocator/osmem/api/alloc.hpp"
#include "allocator/osmem/api/report.hpp"
#include "allocator/osmem/threads/free_checks.hpp"
#include "allocator/osmem/threads/thread_cache.hpp"

struct Core {
  static constexpr const char* kName = "osmem";

  [[gnu::always_inline]] static void* malloc(size_t size) noexcept { return osmem::fast_malloc(size); }
  [[gnu::always_inline]] static void free(void* block) noexcept { osmem::fast_free(block); }
  static void* try_malloc(size_t size) noexcept {
    const size_t index = (size + 15) >> 4;
    return index <= osmem::kLinearClasses ? osmem::pop(index) : nullptr;
  }
  static void* calloc(size_t count, size_t size) noexcept { return osmem::allocate_zeroed(count, size); }
  static void* realloc(void* block, size_t size) noexcept { return osmem::reallocate(block, size); }
  static void* aligned_alloc(size_t alignment, size_t size) noexcept {
    return osmem::allocate_aligned(alignment, size);
  }
  static size_t usable_size(const void* block) noexcept { return osmem::usable_size(block); }
  [[gnu::always_inline]] static void free_sized(void* block, size_t size) noexcept { osmem::fast_free(block, size); }
  static void free_sized_perhaps_aligned(void* block, size_t size) noexcept {
    osmem::fast_free(block, size | osmem::kPerhapsAligned);
  }
  static void free_aligned_sized(void* block, size_t alignment, size_t size) noexcept {
    osmem::free_aligned(block, alignment, size);
  }
  static size_t trim_bytes(size_t keep_bytes) noexcept { return osmem::trim(keep_bytes); }
  static bool trim(size_t keep_bytes) noexcept { return osmem::trim(keep_bytes) != 0; }
  static void stats(interpose::Numbers& out) noexcept { osmem::fill_numbers(out); }
};
