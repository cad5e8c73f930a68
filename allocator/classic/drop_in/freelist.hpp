// The core of libosmem-freelist-malloc.so.
#pragma once

#include "allocator/classic/drop_in/list_core.hpp"
#include "allocator/classic/freelist.hpp"

namespace classic {
extern constinit LockedHeap<FreelistHeap<>> drop_in_heap;
}

struct Core : classic::DropIn<classic::drop_in_heap> {
  static constexpr const char* kName = "freelist";
};
