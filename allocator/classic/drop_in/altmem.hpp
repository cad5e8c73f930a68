// The core of libosmem-altmem-malloc.so.
#pragma once

#include "allocator/classic/altmem.hpp"
#include "allocator/classic/drop_in/list_core.hpp"

namespace classic {
extern constinit LockedHeap<ListHeap<AltmemPolicy<16>>> drop_in_heap;
}

struct Core : classic::DropIn<classic::drop_in_heap> {
  static constexpr const char* kName = "altmem";
};
