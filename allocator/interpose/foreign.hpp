// Blocks that this allocator did not hand out: those of the C library's own malloc, which reach us
// through libraries opened with RTLD_DEEPBIND or allocators called by their internal names.
//
// The declarations are weak, so that a core may be linked without the entry points (its tests do):
// there the addresses are null, and the core treats a foreign pointer as the caller's error. All
// may be called from any thread, but never with a lock of the core held: the first call asks the
// dynamic linker.
#pragma once

#include <cstddef>

#define INTERPOSE_HOOK __attribute__((weak, visibility("hidden")))

extern "C" {
// The C library's free; it aborts with its own message if the pointer is not its own either.
INTERPOSE_HOOK void interpose_foreign_free(void* block) noexcept;
// The C library's realloc: the block stays in its heap.
INTERPOSE_HOOK void* interpose_foreign_realloc(void* block, size_t size) noexcept;
// The C library's malloc_usable_size.
INTERPOSE_HOOK size_t interpose_foreign_usable_size(void* block) noexcept;
}
