// libosmem-classic.so: the C interface over the list heap.
#include "allocator/classic/osmem_classic.h"

#include "allocator/classic/locked_heap.hpp"
#include "allocator/classic/osmem_classic.hpp"

namespace {

constinit classic::LockedHeap<classic::ListHeap<classic::OsmemClassicPolicy<8>>> heap;

[[gnu::constructor]] void register_fork_handlers() { classic::fork_with<heap>(); }

}  // namespace

extern "C" {

void* os_malloc(size_t size) { return heap.allocate(size); }
void* os_calloc(size_t nmemb, size_t size) { return heap.allocate_zeroed(nmemb, size); }
void os_free(void* ptr) { heap.release(ptr); }
void* os_realloc(void* ptr, size_t size) { return heap.resize(ptr, size); }

}  // extern "C"
