// One function a family of allocators; each lives in a file of its own.
#pragma once

#include "bench/allocators/allocator.hpp"

namespace allocators {

const Adapter& osmem_adapter();     // os_stats, os_trim
const Adapter& jemalloc_adapter();  // mallctl
const Adapter& mimalloc_adapter();  // mi_*
const Adapter& tcmalloc_adapter();  // gperftools' MallocExtension, by its C names
const Adapter& malloc_h_adapter();  // mallinfo2, malloc_info and malloc_trim: glibc, our drop-ins, and any library that has them

}  // namespace allocators
