// State of libosmem-classic-malloc.so.
#include "allocator/classic/drop_in/classic.hpp"

namespace classic {

constinit LockedHeap<ListHeap<OsmemClassicPolicy<16>>> drop_in_heap;

[[gnu::constructor]] static void register_fork_handlers() { fork_with<drop_in_heap>(); }

}  // namespace classic
