// State of libosmem-altmem-malloc.so, and its leak report: with ALTMEM_LEAKS=1 only, since under
// every program the C library itself keeps blocks to the end.
#include "allocator/classic/drop_in/altmem.hpp"

#include <unistd.h>

#include <cstdlib>

#include "allocator/classic/leaks.hpp"

namespace classic {

constinit LockedHeap<ListHeap<AltmemPolicy<16>>> drop_in_heap;

[[gnu::constructor]] static void register_fork_handlers() { fork_with<drop_in_heap>(); }

[[gnu::destructor]] static void report_at_exit() {
  const char* wanted = secure_getenv("ALTMEM_LEAKS");
  if (wanted != nullptr && std::strcmp(wanted, "1") == 0) {
    drop_in_heap.inspect([](auto& list) { return report_leaks(list, "altmem", STDERR_FILENO); });
  }
}

}  // namespace classic
