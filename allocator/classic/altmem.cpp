// libosmem-altmem.so: the C interface over the list heap, and the leak report at exit.
#include "allocator/classic/altmem.h"

#include <unistd.h>

#include "allocator/classic/altmem.hpp"
#include "allocator/classic/leaks.hpp"
#include "allocator/classic/locked_heap.hpp"

namespace {

constinit classic::LockedHeap<classic::ListHeap<classic::AltmemPolicy<8>>> heap;

[[gnu::constructor]] void register_fork_handlers() { classic::fork_with<heap>(); }

[[gnu::destructor]] void report_at_exit() { alt_check_leaks(); }

}  // namespace

extern "C" {

void* alt_malloc(size_t size) { return heap.allocate(size); }
void* alt_calloc(size_t nmemb, size_t size) { return heap.allocate_zeroed(nmemb, size); }
void alt_free(void* ptr) { heap.release(ptr); }
void* alt_realloc(void* ptr, size_t size) { return heap.resize(ptr, size); }

size_t alt_check_leaks(void) {
  return heap.inspect(
      [](auto& list) { return classic::report_leaks(list, "altmem", STDERR_FILENO); });
}

}  // extern "C"
