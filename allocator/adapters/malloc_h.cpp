#include <malloc.h>

#include "allocator/adapters/families.hpp"

namespace allocators {
namespace {

std::string version(const LoadedLibrary& library) {
  auto* glibc_version = library.function<const char*()>("gnu_get_libc_version");
  return glibc_version != nullptr ? glibc_version() : "unknown";
}

std::optional<Stats> stats(const LoadedLibrary& library) {
  auto* info = library.function<struct mallinfo2()>("mallinfo2");
  if (info == nullptr) {
    return std::nullopt;
  }
  const auto now = info();
  Stats out;
  out.allocated_bytes = now.uordblks + now.hblkhd;
  out.mapped_bytes = now.arena + now.hblkhd;
  return out;
}

bool purge(const LoadedLibrary& library) {
  auto* trim = library.function<int(std::size_t)>("malloc_trim");
  return trim != nullptr && (trim(0), true);
}

}  // namespace

const Adapter& malloc_h_adapter() {
  static constexpr Adapter kAdapter{"malloc", version, stats, purge};
  return kAdapter;
}

}  // namespace allocators
