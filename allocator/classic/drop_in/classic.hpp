// The core of libosmem-classic-malloc.so.
#pragma once

#include "allocator/classic/drop_in/list_core.hpp"
#include "allocator/classic/osmem_classic.hpp"

namespace classic {
extern constinit LockedHeap<ListHeap<OsmemClassicPolicy<16>>> drop_in_heap;
}

struct Core : classic::DropIn<classic::drop_in_heap> {
  static constexpr const char* kName = "osmem-classic";
};
