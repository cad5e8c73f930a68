#include "bench/allocators/adapters/adapters.hpp"

#include <array>

#include "bench/allocators/adapters/families.hpp"

namespace allocators {

std::span<const Known> known_allocators() {
  static const std::array<Known, 11> kKnown = {{
      {"osmem", Role::kOurs, "thread heaps, slabs and a best-fit page heap; built here", {"libosmem.so"}, ""},
      {"osmem-hardened", Role::kOurs, "osmem with checks on every free", {"libosmem-hardened.so"}, ""},
      {"glibc", Role::kProduction, "ptmalloc2, the C library's own", {}, "libc6"},
      {"jemalloc", Role::kProduction, "arenas, extents and decay", {"libjemalloc.so.2", "libjemalloc.so"}, "libjemalloc2"},
      {"mimalloc", Role::kProduction, "free lists sharded by page",
       {"libmimalloc.so.3", "libmimalloc.so.2", "libmimalloc.so.2.0", "libmimalloc.so"}, "libmimalloc2.0"},
      {"tcmalloc", Role::kProduction, "gperftools: thread caches over central lists",
       {"libtcmalloc_minimal.so.4", "libtcmalloc_minimal.so"}, "libtcmalloc-minimal4"},
      {"limit", Role::kFloor, "least possible work; no allocator to use", {"libosmem-limit.so"}, ""},
      {"osmem-classic", Role::kTextbook, "best-fit list on sbrk", {"libosmem-classic-malloc.so"}, ""},
      {"freelist", Role::kTextbook, "explicit free list", {"libosmem-freelist-malloc.so"}, ""},
      {"altmem", Role::kTextbook, "altmem, an alternative textbook heap", {"libosmem-altmem-malloc.so"}, ""},
      {"live-bytes", Role::kInstrument, "counts requested live bytes; for measuring, not for use",
       {"libosmem-live-bytes.so"}, ""},
  }};
  return kKnown;
}

const Adapter& adapter_for(const LoadedLibrary& library) {
  for (const Adapter* adapter : {&osmem_adapter(), &jemalloc_adapter(), &mimalloc_adapter(), &tcmalloc_adapter()}) {
    if (library.defines(adapter->detect)) {
      return *adapter;
    }
  }
  return malloc_h_adapter();
}

Allocator loaded_allocator(const std::filesystem::path& library) {
  LoadedLibrary loaded(library);
  const Adapter& adapter = adapter_for(loaded);
  return {std::move(loaded), adapter};
}

}  // namespace allocators
