// L4: blocks on a page of their own between pages that cannot be touched: OSMEM_GUARD_SAMPLE.
//
//   [ no access | zeroes ...... block | no access | ... | no access ]      16 places, at most 8 of them in use
//
// Now and then a refill of a thread's list hands out such a block instead. It ends where the page ends, so a write or read behind it faults at
// once, and so does any access after its free: its page has gone back, and the place is the last to be used again. A handler of SIGSEGV
// prints which fault it was, the block, and the stacks of its allocation and its free; then it calls the handler that stood before.
//
// Thread-safe. Nothing here allocates. A block is as large as its size class.
#pragma once

#include <cstddef>
#include <cstdint>

#include "allocator/osmem/threads/thread_heap.hpp"

namespace osmem::guarded {

// One refill in so many bytes of refills hands out a guarded block; 0: none does. Written once, at start.
[[gnu::visibility("hidden")]] extern constinit std::size_t g_sample_bytes;
// Where the places lie. Written once.
[[gnu::visibility("hidden")]] extern constinit std::uintptr_t g_start;
inline constexpr std::size_t kMostAreaBytes = std::size_t{33} << 16;  // with system pages of 64 KiB

// When the library is loaded, if the option asks for it: reserves the places, looks for an unwinder, and sets the handler.
void start();

// A block of the class instead of a refill; null: go on with the refill.
[[gnu::noinline]] void* allocate(Heap& heap, std::uint32_t size_class);

// Whether a pointer that is not of the heap may be one of these blocks.
inline bool is_near(const void* ptr) {
  return g_sample_bytes != 0 && reinterpret_cast<std::uintptr_t>(ptr) - g_start < kMostAreaBytes;
}

// The call's block, of which is_near() holds. False: the pointer lies beside the places, and is somebody else's. A wrong one is reported.
bool free(void* ptr);
// Bytes of the block that `call` names; 0 and reported if there is none; SIZE_MAX beside the places.
std::size_t usable_bytes(const char* call, const void* ptr);

void recover_after_fork();

}  // namespace osmem::guarded
