#include "bench/allocators/adapters/families.hpp"

namespace allocators {
namespace {

// mi_version() packs 2.0.9 as 209 and, since its minor numbers outgrew a digit, 3.1.12 as 30112.
std::string version(const LoadedLibrary& library) {
  auto* packed_version = library.function<int()>("mi_version");
  if (packed_version == nullptr) {
    return "unknown";
  }
  const int packed = packed_version();
  const int step = packed < 1000 ? 10 : 100;
  return std::to_string(packed / (step * step)) + "." + std::to_string(packed / step % step) + "." +
         std::to_string(packed % step);
}

std::optional<Stats> stats(const LoadedLibrary& library) {
  using ProcessInfo = void(std::size_t*, std::size_t*, std::size_t*, std::size_t*, std::size_t*, std::size_t*,
                           std::size_t*, std::size_t*);
  auto* process_info = library.function<ProcessInfo>("mi_process_info");
  if (process_info == nullptr) {
    return std::nullopt;
  }
  std::size_t resident = 0;
  std::size_t committed = 0;
  process_info(nullptr, nullptr, nullptr, &resident, nullptr, &committed, nullptr, nullptr);
  return Stats{.allocated_bytes = std::nullopt,
               .active_bytes = std::nullopt,
               .resident_bytes = resident,
               .mapped_bytes = committed};
}

bool purge(const LoadedLibrary& library) {
  auto* collect = library.function<void(bool)>("mi_collect");
  return collect != nullptr && (collect(true), true);
}

}  // namespace

const Adapter& mimalloc_adapter() {
  static constexpr Adapter kAdapter{"mi_version", version, stats, purge};
  return kAdapter;
}

}  // namespace allocators
