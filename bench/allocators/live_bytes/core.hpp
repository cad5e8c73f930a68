// A core that counts: the C library allocates, a tag in front of each block holds the requested
// size.
//
//   base                       block = base + offset, offset = max(16, alignment)
//   | unused ... | size | tag | payload ...
//
// `tag` mixes the block's address with log2(offset), so a pointer without a tag (the C library's
// own block) is recognised and passed on. Thread-safe; counters are process-wide atomics, contended
// on purpose: only exactness matters here, this library serves counting runs that nobody times.
#pragma once

#include <cstddef>

#include "allocator/interpose/core_contract.hpp"

struct Core {
  static constexpr const char* kName = "live-bytes";

  static void* malloc(size_t size) noexcept;
  static void free(void* block) noexcept;
  static void* calloc(size_t count, size_t size) noexcept;
  static void* realloc(void* block, size_t size) noexcept;
  static void* aligned_alloc(size_t alignment, size_t size) noexcept;
  static size_t usable_size(const void* block) noexcept;
  static void free_sized(void* block, size_t) noexcept { free(block); }
  static void free_aligned_sized(void* block, size_t, size_t) noexcept { free(block); }
  // The C library's malloc_trim is hidden behind ours; a counting run gives nothing back early.
  static bool trim(size_t) noexcept { return false; }
  static void stats(interpose::Numbers& out) noexcept;
};
