// osmem-hardened as a drop-in: the contract of allocator/interpose over the checks of this folder.
#pragma once

#include "allocator/interpose/core_contract.hpp"
#include "allocator/osmem/api/report.hpp"
#include "allocator/osmem/hardened/hardened.hpp"

struct Core {
  static constexpr const char* kName = "osmem-hardened";

  static void* malloc(size_t size) noexcept { return osmem::hardened::allocate(size); }
  static void free(void* block) noexcept { osmem::hardened::release(block, {.call = "free"}); }
  static void* calloc(size_t count, size_t size) noexcept { return osmem::hardened::allocate_zeroed(count, size); }
  static void* realloc(void* block, size_t size) noexcept { return osmem::hardened::reallocate(block, size); }
  static void* aligned_alloc(size_t alignment, size_t size) noexcept {
    return osmem::hardened::allocate_aligned(alignment, size);
  }
  static size_t usable_size(const void* block) noexcept { return osmem::hardened::usable_size(block); }
  static void free_sized(void* block, size_t size) noexcept { osmem::hardened::release(block, {.call = "free_sized", .size = size}); }
  static void free_sized_perhaps_aligned(void* block, size_t size) noexcept { free_sized(block, size); }
  static void free_aligned_sized(void* block, size_t alignment, size_t size) noexcept {
    osmem::hardened::release(block, {.call = "free_aligned_sized", .size = size, .alignment = alignment});
  }
  // The operators: which one comes is kept with the block.
  using Family = interpose::Family;
  static const char* name_of(Family family) noexcept { return family == Family::kNewArray ? "delete[]" : "delete"; }
  static void* malloc_for(Family family, size_t size) noexcept { return osmem::hardened::allocate(size, family); }
  static void* aligned_alloc_for(Family family, size_t alignment, size_t size) noexcept {
    return osmem::hardened::allocate_aligned(alignment, size, family);
  }
  static void claim_for(Family family, void* block) noexcept { osmem::hardened::claim(block, family); }
  static void free_for(Family family, void* block) noexcept {
    osmem::hardened::release(block, {.call = name_of(family), .family = family});
  }
  static void free_sized_for(Family family, void* block, size_t size) noexcept {
    osmem::hardened::release(block, {.call = name_of(family), .size = size, .family = family});
  }
  static void free_aligned_sized_for(Family family, void* block, size_t alignment, size_t size) noexcept {
    osmem::hardened::release(block, {.call = name_of(family), .size = size, .alignment = alignment, .family = family});
  }

  static size_t trim_bytes(size_t keep_bytes) noexcept { return osmem::hardened::trim(keep_bytes); }
  static bool trim(size_t keep_bytes) noexcept { return osmem::hardened::trim(keep_bytes) != 0; }
  static void stats(interpose::Numbers& out) noexcept { osmem::fill_numbers(out); }
};
