// os_stats is the name of a type and of a function, as stat is in POSIX; C++ warns of one hiding the other.
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wshadow"
#include "allocator/osmem/api/osmem.h"
#pragma GCC diagnostic pop

#include "bench/allocators/adapters/families.hpp"

namespace allocators {
namespace {

std::optional<Stats> stats(const LoadedLibrary& library) {
  struct os_stats now{};
  auto* read = library.function<bool(struct os_stats*)>("os_stats");
  if (read == nullptr || !read(&now)) {
    return std::nullopt;
  }
  return Stats{.allocated_bytes = now.allocated_bytes,
               .active_bytes = now.active_bytes,
               .resident_bytes = now.committed_bytes + now.mapped_bytes,
               .mapped_bytes = now.reserved_bytes + now.mapped_bytes};
}

bool purge(const LoadedLibrary& library) {
  auto* trim = library.function<std::size_t(std::size_t)>("os_trim");
  return trim != nullptr && (trim(0), true);
}

// osmem.h is compiled in, so the version is that of the interface this program was built with.
std::string version(const LoadedLibrary&) { return OSMEM_VERSION; }

}  // namespace

const Adapter& osmem_adapter() {
  static constexpr Adapter kAdapter{"os_stats", version, stats, purge};
  return kAdapter;
}

}  // namespace allocators
