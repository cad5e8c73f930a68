#include "allocator/osmem/pages/density.hpp"

#include "allocator/osmem/base/config.hpp"
#include "allocator/osmem/base/tuning.hpp"
#include "allocator/osmem/os/os.hpp"

namespace osmem {
namespace {

// Whether the page holds anything, by four of its lines.
bool holds_something(const std::byte* page) {
  constexpr std::size_t kLineWords = kCacheLineBytes / sizeof(std::uint64_t);
  for (std::size_t at = 0; at < kPageBytes; at += kPageBytes / 4) {
    const auto* words = reinterpret_cast<const std::uint64_t*>(page + at);
    std::uint64_t any = 0;
    for (std::size_t i = 0; i < kLineWords; ++i) any |= words[i];
    if (any != 0) return true;
  }
  return false;
}

}  // namespace

// Relaxed, all in this file: see the top of density.hpp.
bool Density::enough(const Kind& kind) {
  return kind.seen.load(std::memory_order_relaxed) >> kind.doublings.load(std::memory_order_relaxed) >= kDenseBlocks;
}

bool Density::certain(std::size_t bytes, bool zeroed) const {
  return bytes >= kHugePageBytes && os::page_bytes() == kPageBytes && enough(kinds_[zeroed ? 1 : 0]);
}

bool Density::look(const void* block, std::size_t bytes, bool zeroed, bool huge) {
  Kind& kind = kinds_[zeroed ? 1 : 0];
  // Relaxed, here and below: counts that steer a guess; one that another thread overwrites costs a look more or less.
  // Places that differ from one look to the next; fewer where much was seen.
  const std::uint32_t places = enough(kind) ? kPlacesWhereKnown : kPlacesLookedAt;
  // Relaxed, here and below: counts that guard no data.
  std::uint32_t random = looks_.fetch_add(1, std::memory_order_relaxed) * 0x9e3779b9U;
  const std::size_t stride = bytes / kPageBytes / places;
  for (std::uint32_t i = 0; i < places; ++i, random = random * 1664525U + 1013904223U) {
    const std::size_t page = i * stride + (random >> 8) % stride;
    if (holds_something(static_cast<const std::byte*>(block) + page * kPageBytes)) continue;
    // Relaxed, and below: guesses, which two threads may mix up.
    kind.seen.store(0, std::memory_order_relaxed);
    const std::uint32_t doublings = kind.doublings.load(std::memory_order_relaxed);
    if (huge && doublings < kMostDoublings) kind.doublings.store(doublings + 1, std::memory_order_relaxed);
    return false;
  }
  // Relaxed: as above.
  const std::uint32_t seen = kind.seen.load(std::memory_order_relaxed);
  if (seen < kDenseBlocks << kMostDoublings) kind.seen.store(seen + 1, std::memory_order_relaxed);
  return true;
}

}  // namespace osmem
