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

// Whether `ptr` is the start of a block of the slab, which starts at that slice. If not, the program is told so.
[[gnu::always_inline]] inline bool check_block(const char* call, const Slab* slab, std::size_t first_slice, const void* ptr) {
  const auto offset = static_cast<std::uint32_t>(reinterpret_cast<std::uintptr_t>(ptr) - g_region.slice_start(first_slice));
  const std::uint32_t index = block_index(slab->size_class, offset);
  if (index * slab->block_bytes == offset && index < slab->capacity) [[likely]] return true;
  const char* what = index < slab->capacity ? "a pointer into a block, not to its start" : "not a block: no block fits there";
  wrong_call({call, what, ptr, slab->block_bytes});
  return false;
}

// Whether the address lies in the heap's range and is not of the part of it that other code has taken.
inline bool in_heap(const void* ptr, std::size_t slice) {
  if (!g_region.contains(slice)) return false;
  return g_region.slabs[slice].kind != SliceKind::kNone || !g_page_heap.absent(g_region.page_of(ptr));
}

// The books of the run that starts at `ptr`; null, and the program is told so, if none does.
inline Slab* run_at(const char* call, const void* ptr, std::size_t slice) {
  Slab* run = &g_region.slabs[slice];
  const std::uintptr_t start = g_region.slice_start(slice) + (std::uintptr_t{run->head_offset} << kPageShift);
  if (run->kind == SliceKind::kRun && reinterpret_cast<std::uintptr_t>(ptr) == start) [[likely]] return run;
  const bool inside = run->kind == SliceKind::kRun && reinterpret_cast<std::uintptr_t>(ptr) > start;
  wrong_call({call, inside ? "a pointer into a block, not to its start" : "not a block, or freed before", ptr});
  return nullptr;
}

}  // namespace osmem
