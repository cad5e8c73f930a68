#include "allocator/osmem/api/foreign_blocks.hpp"

#include <atomic>
#include <cerrno>
#include <cstdint>
#include <cstring>

#include "allocator/interpose/foreign.hpp"
#include "allocator/osmem/api/options.hpp"
#include "allocator/osmem/base/check.hpp"
#include "allocator/osmem/os/os.hpp"
#include "allocator/osmem/slabs/region.hpp"

namespace osmem::foreign {
namespace {

constinit std::uintptr_t g_first_break = 0;  // the C library's own heap lies above it

// Entries are written and read without order: one that is missed makes the message less exact, and no more.
constexpr std::size_t kFreedKept = 64;
constinit std::atomic<std::uintptr_t> g_freed[kFreedKept];
constinit std::atomic<std::size_t> g_freed_count{0};

bool was_large(const void* ptr) {
  for (const auto& freed : g_freed) {
    if (freed.load(std::memory_order_relaxed) == reinterpret_cast<std::uintptr_t>(ptr)) return true;  // relaxed: see above
  }
  return false;
}

// The C library's threads have heaps of up to 64 MiB, aligned to that. At the start of each stands the address of its arena, which
// lies close behind the start of such a heap; each block there has a flag in the word before it.
bool is_in_c_library_arena(std::uintptr_t address) {
  constexpr std::uintptr_t kHeapBytes = std::uintptr_t{64} << 20;
  constexpr std::uint64_t kInArena = 4;
  const std::uintptr_t heap = address & ~(kHeapBytes - 1);
  if (heap == 0 || !os::is_readable(reinterpret_cast<void*>(address - 16))) return false;
  std::uint64_t size = 0;
  std::memcpy(&size, reinterpret_cast<const void*>(address - 8), sizeof size);
  if ((size & kInArena) == 0 || size >= kHeapBytes) return false;
  // What we have reserved is mapped, but not to be read.
  if (heap - g_heap_base < g_region.reserved_bytes() || !os::is_readable(reinterpret_cast<void*>(heap))) return false;
  std::uintptr_t arena = 0;
  std::memcpy(&arena, reinterpret_cast<const void*>(heap), sizeof arena);
  return arena != 0 && arena % kHeapBytes <= 64;
}

// The error line's words for a pointer that cannot be the C library's; null: it can.
const char* wrong_with(const void* ptr) {
  if (was_large(ptr)) return "freed before: it was a large block";
  return may_be_block(ptr) ? nullptr : "not a block of this allocator, nor of the C library";
}

bool refuses(const char* call, const void* ptr, bool can_forward) {
  const char* what = wrong_with(ptr);
  if (what == nullptr && !can_forward) what = "not a block of this allocator";
  if (what != nullptr) wrong_call({call, what, ptr});
  return what != nullptr;
}

}  // namespace

void note_break() {
  g_first_break = g_options.heap == HeapBackEnd::kRegion ? reinterpret_cast<std::uintptr_t>(os::break_address()) : g_heap_base;
}

bool may_be_block(const void* ptr) {
  const auto address = reinterpret_cast<std::uintptr_t>(ptr);
  if (address % 16 != 0) return false;
  if (address > g_first_break && address < reinterpret_cast<std::uintptr_t>(os::break_address())) return true;
  if (is_in_c_library_arena(address)) return true;
  // A mapping of the C library's: its size, with one flag, stands in front of it, at the start of a page.
  if (address % kPageBytes != 16 || !os::is_readable(reinterpret_cast<void*>(address - 16))) return false;
  std::uint64_t header[2];
  std::memcpy(header, reinterpret_cast<const void*>(address - 16), sizeof header);
  return header[0] == 0 && header[1] % kPageBytes == 2 && header[1] > kPageBytes;
}

void free(void* ptr) {
  if (!refuses("free", ptr, interpose_foreign_free != nullptr)) interpose_foreign_free(ptr);
}

void* reallocate(void* ptr, unsigned long size) {
  if (refuses("realloc", ptr, interpose_foreign_realloc != nullptr)) return errno = ENOMEM, nullptr;
  return interpose_foreign_realloc(ptr, size);
}

unsigned long usable_size(const void* ptr) {
  if (refuses("malloc_usable_size", ptr, interpose_foreign_usable_size != nullptr)) return 0;
  return interpose_foreign_usable_size(const_cast<void*>(ptr));
}

void note_freed(const void* large) {
  // Relaxed, both: see above.
  g_freed[g_freed_count.fetch_add(1, std::memory_order_relaxed) % kFreedKept].store(reinterpret_cast<std::uintptr_t>(large),
                                                                                     std::memory_order_relaxed);
}

}  // namespace osmem::foreign
