#include "bench/allocators/adapters/families.hpp"

namespace allocators {
namespace {

using Mallctl = int(const char*, void*, std::size_t*, void*, std::size_t);

std::optional<std::uint64_t> read_size(Mallctl* mallctl, const char* name) {
  std::size_t value = 0;
  std::size_t length = sizeof value;
  return mallctl(name, &value, &length, nullptr, 0) == 0 ? std::optional<std::uint64_t>(value) : std::nullopt;
}

std::string version(const LoadedLibrary& library) {
  auto* mallctl = library.function<Mallctl>("mallctl");
  const char* text = nullptr;
  std::size_t length = sizeof text;
  if (mallctl == nullptr || mallctl("version", static_cast<void*>(&text), &length, nullptr, 0) != 0) {
    return "unknown";
  }
  const std::string full = text;
  return full.substr(0, full.find('-'));  // "5.3.0-0-g54eaed1" -> "5.3.0"
}

std::optional<Stats> stats(const LoadedLibrary& library) {
  auto* mallctl = library.function<Mallctl>("mallctl");
  std::uint64_t epoch = 1;
  // Writing the epoch makes jemalloc refresh the figures it reports.
  if (mallctl == nullptr || mallctl("epoch", nullptr, nullptr, &epoch, sizeof epoch) != 0) {
    return std::nullopt;
  }
  return Stats{.allocated_bytes = read_size(mallctl, "stats.allocated"),
               .active_bytes = read_size(mallctl, "stats.active"),
               .resident_bytes = read_size(mallctl, "stats.resident"),
               .mapped_bytes = read_size(mallctl, "stats.mapped")};
}

bool purge(const LoadedLibrary& library) {
  auto* mallctl = library.function<Mallctl>("mallctl");
  // 4096 is MALLCTL_ARENAS_ALL of jemalloc 5.
  return mallctl != nullptr && mallctl("arena.4096.purge", nullptr, nullptr, nullptr, 0) == 0;
}

}  // namespace

const Adapter& jemalloc_adapter() {
  static constexpr Adapter kAdapter{"mallctl", version, stats, purge};
  return kAdapter;
}

}  // namespace allocators
