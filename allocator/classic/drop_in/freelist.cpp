// State of libosmem-freelist-malloc.so.
#include "allocator/classic/drop_in/freelist.hpp"

namespace classic {

constinit LockedHeap<FreelistHeap<>> drop_in_heap;

[[gnu::constructor]] static void register_fork_handlers() { fork_with<drop_in_heap>(); }

}  // namespace classic
