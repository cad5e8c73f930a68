#include "bench/allocators/adapters/families.hpp"

namespace allocators {
namespace {

using GetProperty = int(const char*, std::size_t*);

std::optional<std::uint64_t> property(GetProperty* get, const char* name) {
  std::size_t value = 0;
  return get(name, &value) != 0 ? std::optional<std::uint64_t>(value) : std::nullopt;
}

std::string version(const LoadedLibrary& library) {
  auto* tc_version = library.function<const char*(int*, int*, const char**)>("tc_version");
  if (tc_version == nullptr) {
    return "unknown";
  }
  int major = 0;
  int minor = 0;
  const char* patch = "";
  tc_version(&major, &minor, &patch);
  return std::to_string(major) + "." + std::to_string(minor) + patch;
}

std::optional<Stats> stats(const LoadedLibrary& library) {
  auto* get = library.function<GetProperty>("MallocExtension_GetNumericProperty");
  if (get == nullptr) {
    return std::nullopt;
  }
  const auto heap = property(get, "generic.heap_size");
  const auto unmapped = property(get, "tcmalloc.pageheap_unmapped_bytes");
  const auto free_pages = property(get, "tcmalloc.pageheap_free_bytes");
  Stats out;
  out.allocated_bytes = property(get, "generic.current_allocated_bytes");
  out.mapped_bytes = heap;
  if (heap && unmapped && free_pages) {
    out.resident_bytes = *heap - *unmapped;
    out.active_bytes = *heap - *unmapped - *free_pages;
  }
  return out;
}

bool purge(const LoadedLibrary& library) {
  auto* release = library.function<void()>("MallocExtension_ReleaseFreeMemory");
  return release != nullptr && (release(), true);
}

}  // namespace

const Adapter& tcmalloc_adapter() {
  static constexpr Adapter kAdapter{"MallocExtension_ReleaseFreeMemory", version, stats, purge};
  return kAdapter;
}

}  // namespace allocators
