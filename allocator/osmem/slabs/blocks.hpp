// L4: what the allocation functions share: what a pointer that comes back is, and whether it may be; failure; rounding to pages.
#pragma once

#include <cerrno>
#include <cstddef>
#include <cstdint>

#include "allocator/osmem/base/check.hpp"
#include "allocator/osmem/slabs/region.hpp"
#include "allocator/osmem/slabs/size_classes.hpp"
#include "allocator/osmem/slabs/slab.hpp"

namespace osmem {

inline void* out_of_memory() {
  errno = ENOMEM;
  return nullptr;
}

constexpr std::size_t pages_for(std::size_t bytes) { return (bytes + kPageBytes - 1) >> kPageShift; }

// Aborts unless `ptr` is the start of a block that the slab, which starts at that slice, has handed out at some time.
[[gnu::always_inline]] inline void check_block(const Slab* slab, std::size_t first_slice, const void* ptr) {
  const auto offset = static_cast<std::uint32_t>(reinterpret_cast<std::uintptr_t>(ptr) - g_region.slice_start(first_slice));
  const std::uint32_t index = block_index(slab->size_class, offset);
  check(index * slab->block_bytes == offset, "free or realloc of a pointer inside a block", ptr);
  check(index < slab->capacity, "free or realloc of a pointer that is no block", ptr);
}

// Whether the address lies in the heap's range and is not of the part of it that other code has taken.
inline bool in_heap(const void* ptr, std::size_t slice) {
  if (!g_region.contains(slice)) return false;
  return g_region.slabs[slice].kind != SliceKind::kNone || !g_page_heap.absent(g_region.page_of(ptr));
}

// The books of the run that starts at `ptr`; aborts if none does.
inline Slab& run_at(const void* ptr, std::size_t slice, const char* reason) {
  Slab& run = g_region.slabs[slice];
  const std::uintptr_t start = g_region.slice_start(slice) + (std::uintptr_t{run.head_offset} << kPageShift);
  check(run.kind == SliceKind::kRun && reinterpret_cast<std::uintptr_t>(ptr) == start, reason, ptr);
  return run;
}

}  // namespace osmem
