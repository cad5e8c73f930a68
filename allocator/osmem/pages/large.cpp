#include "allocator/osmem/pages/large.hpp"

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cstring>

#include "allocator/osmem/base/config.hpp"
#include "allocator/osmem/base/figure.hpp"
#include "allocator/osmem/base/lock.hpp"
#include "allocator/osmem/base/tuning.hpp"
#include "allocator/osmem/os/os.hpp"
#include "allocator/osmem/pages/density.hpp"
#include "allocator/osmem/pages/mapping_table.hpp"
#include "allocator/osmem/pages/store.hpp"

namespace osmem::large {

constinit std::atomic<std::uint64_t> g_changes{0};

namespace {

// A free piece of a mapping, or of several that touch.
struct Extent {
  std::uintptr_t address = 0;  // 0: none
  std::size_t bytes = 0;
  std::uint64_t freed_ms = 0;
  bool huge = false;  // a part of it may have huge pages

  [[nodiscard]] std::uintptr_t end() const { return address + bytes; }
};

constinit Lock g_lock;
// Guarded by g_lock:
constinit MappingTable g_mappings;
constinit Extent g_extents[kMostExtents];  // [0, g_extent_count), in no order
constinit std::size_t g_extent_count = 0;
constinit std::size_t g_cached_bytes = 0;  // of all extents
constinit Figure<std::size_t> g_live_bytes;
constinit std::size_t g_mapped_bytes = 0;
constinit Figure<std::size_t> g_live_count;

constinit std::atomic<std::size_t> g_threshold{kDefaultMapThresholdBytes};
constinit bool g_threshold_pinned = false;  // set at start
constinit Density g_density;

std::size_t round_to_pages(std::size_t bytes) {
  const std::size_t mask = os::page_bytes() - 1;
  return (bytes + mask) & ~mask;
}

std::size_t alignment_for(bool huge) { return huge ? kHugePageBytes : os::page_bytes(); }

constexpr std::size_t pages_in(std::size_t bytes) { return bytes >> kPageShift; }

// Below: g_lock held.

void remove_extent(Extent& extent) {
  g_cached_bytes -= extent.bytes;
  extent = g_extents[--g_extent_count];
}

// What does not belong to the front `bytes` any more; the extent goes when nothing is left.
void cut_front(Extent& extent, std::size_t bytes) {
  if (bytes == extent.bytes) return remove_extent(extent);
  extent.address += bytes;
  extent.bytes -= bytes;
  g_cached_bytes -= bytes;
}

Extent* find_extent_at(std::uintptr_t address) {
  for (std::size_t i = 0; i < g_extent_count; ++i) {
    if (g_extents[i].address == address) return &g_extents[i];
  }
  return nullptr;
}

Extent* oldest_extent() {
  Extent* oldest = nullptr;
  for (std::size_t i = 0; i < g_extent_count; ++i) {
    if (oldest == nullptr || g_extents[i].freed_ms < oldest->freed_ms) oldest = &g_extents[i];
  }
  return oldest;
}

// The smallest extent that is large enough, else the largest; null without any.
Extent* best_extent(std::size_t bytes) {
  Extent* best = nullptr;
  for (std::size_t i = 0; i < g_extent_count; ++i) {
    Extent& candidate = g_extents[i];
    if (best == nullptr) {
      best = &candidate;
      continue;
    }
    const bool better = best->bytes >= bytes ? candidate.bytes >= bytes && candidate.bytes < best->bytes
                                             : candidate.bytes > best->bytes;
    if (better) best = &candidate;
  }
  return best;
}

// How much of the extent a request for `bytes` takes: all, where the rest would be too short for anybody.
std::size_t bytes_taken(const Extent& extent, std::size_t bytes) {
  return extent.bytes < bytes + kLeastExtentBytes ? extent.bytes : bytes;
}

// The piece joins the extents that it touches. Returns one that has to go for it, or an empty one; the caller unmaps that.
Extent add_extent(Extent piece) {
  g_cached_bytes += piece.bytes;
  for (std::size_t i = 0; i < g_extent_count;) {
    Extent& other = g_extents[i];
    if (other.end() != piece.address && piece.end() != other.address) {
      ++i;
      continue;
    }
    piece.address = std::min(piece.address, other.address);
    piece.bytes += other.bytes;
    piece.huge |= other.huge;
    other = g_extents[--g_extent_count];
  }
  Extent evicted;
  if (g_extent_count == kMostExtents) {
    evicted = *oldest_extent();
    remove_extent(*oldest_extent());
  }
  g_extents[g_extent_count++] = piece;
  return evicted;
}

// A live mapping enters, or leaves, the sums.
void count_in(const Mapping& mapping) {
  g_live_bytes += mapping.usable_bytes;
  g_mapped_bytes += mapping.capacity_bytes;
  g_live_count = g_mappings.size();
}
void count_out(const Mapping& mapping) {
  g_changes.store(g_changes.load(std::memory_order_relaxed) + 1, std::memory_order_relaxed);  // relaxed: see Resized::fits()
  g_live_bytes -= mapping.usable_bytes;
  g_mapped_bytes -= mapping.capacity_bytes;
  g_live_count = g_mappings.size();
}

// Below: without the lock.

void unmap(const Extent& extent) {
  if (extent.address == 0) return;
  os::unmap(reinterpret_cast<void*>(extent.address), extent.bytes);
  g_demand.gone(pages_in(extent.bytes));
}

// The piece waits for the next request.
void keep(const Extent& piece) {
  Extent evicted;
  {
    Guard guard(g_lock);
    evicted = add_extent(piece);
  }
  unmap(evicted);
}

bool remember(const Mapping& mapping) {
  Guard guard(g_lock);
  if (!g_mappings.insert(mapping)) return false;
  count_in(mapping);
  return true;
}

void raise_threshold(std::size_t freed_bytes) {
  if (g_threshold_pinned || freed_bytes >= kMaxMapThresholdBytes) return;
  // Relaxed: a hint; a smaller value written by another thread at the same time does no harm.
  if (freed_bytes >= g_threshold.load(std::memory_order_relaxed)) {
    g_threshold.store(freed_bytes + 1, std::memory_order_relaxed);
  }
}

// Memory for a block: `from_supply` bytes of it were free, and are dirty.
struct Piece {
  std::uintptr_t address = 0;  // 0: none
  std::size_t bytes = 0;
  std::size_t from_supply = 0;
  bool huge = false;  // a part of it may have huge pages
};

// Of an extent, stretched if it has half of what is wanted at least.
Piece reuse(std::size_t bytes, bool huge) {
  Extent taken;
  {
    Guard guard(g_lock);
    Extent* extent = best_extent(bytes);
    if (extent == nullptr || extent->bytes < bytes / 2) return {};
    taken = *extent;
    if (taken.bytes >= bytes) {
      taken.bytes = bytes_taken(taken, bytes);
      cut_front(*extent, taken.bytes);
      return {taken.address, taken.bytes, taken.bytes, taken.huge};
    }
    remove_extent(*extent);
  }
  void* moved = os::remap(reinterpret_cast<void*>(taken.address), taken.bytes, bytes, alignment_for(taken.huge || huge));
  if (moved == nullptr) {  // of several mappings, or there is no room
    keep(taken);
    return {};
  }
  return {reinterpret_cast<std::uintptr_t>(moved), bytes, taken.bytes, taken.huge};
}

Piece map_new(std::size_t bytes, std::size_t alignment) {
  return {reinterpret_cast<std::uintptr_t>(os::map(bytes, alignment)), bytes, 0, false};
}

// What is not resident of the piece shall be so by huge pages.
void make_huge(Piece& piece) {
  if (os::advise_huge(reinterpret_cast<void*>(piece.address), piece.bytes)) piece.huge = true;
}

// What of the piece may hold something reads as zero, and gets small pages. Pages go back rather than are cleared: of a large block that is asked for
// zeroed often only a part is touched, and clearing would touch all of it.
void clear(Piece& piece) {
  auto* start = reinterpret_cast<void*>(piece.address);
  const bool cleared = piece.huge ? os::map_over(start, piece.bytes) : os::purge(start, piece.from_supply);
  if (!cleared) return static_cast<void>(std::memset(start, 0, piece.from_supply));
  piece.huge = false;
}

// Whether the block was written whole, as far as can be told from what was fresh of it.
bool was_written(const Mapping& mapping) {
  if (mapping.usable_bytes < mapping.fresh_from_bytes + kLeastTellingBytes) return false;
  const std::uintptr_t fresh = mapping.address + mapping.fresh_from_bytes;
  return g_density.look(reinterpret_cast<const void*>(fresh), mapping.usable_bytes - mapping.fresh_from_bytes, mapping.zeroed,
                        mapping.huge);
}

}  // namespace

std::size_t threshold_bytes() { return g_threshold.load(std::memory_order_relaxed); }  // relaxed: a hint

std::size_t live_pages() { return pages_in(g_live_bytes); }

bool crowded() { return g_live_count >= kMostMappings; }

void pin_threshold(std::size_t bytes) {
  g_threshold_pinned = true;
  g_threshold.store(bytes, std::memory_order_relaxed);  // relaxed: at start
}

void* allocate(std::size_t size, std::size_t alignment, bool zeroed) {
  const std::size_t bytes = round_to_pages(size);
  Piece piece;
  const bool huge = g_density.certain(bytes, zeroed);
  if (alignment <= os::page_bytes()) piece = reuse(bytes, huge);
  if (piece.address == 0) piece = map_new(bytes, std::max(alignment, alignment_for(huge)));
  if (piece.address == 0) {
    give_back(SIZE_MAX, 0);
    piece = map_new(bytes, alignment);
  }
  if (piece.address == 0) {
    errno = ENOMEM;
    return nullptr;
  }
  if (zeroed && piece.from_supply != 0) clear(piece);
  if (huge && (zeroed || piece.from_supply < piece.bytes)) make_huge(piece);
  const std::size_t fresh_from = zeroed ? 0 : piece.from_supply;
  if (!remember({piece.address, piece.bytes, bytes, 0, fresh_from, zeroed, piece.huge})) {
    g_demand.gone(pages_in(piece.from_supply));
    os::unmap(reinterpret_cast<void*>(piece.address), piece.bytes);
    errno = ENOMEM;
    return nullptr;
  }
  g_demand.need(pages_in(bytes), pages_in(piece.from_supply));
  store::keep_within_bounds();
  return reinterpret_cast<void*>(piece.address);
}

bool free(void* block) {
  Mapping mapping;
  {
    Guard guard(g_lock);
    Mapping* found = g_mappings.find(reinterpret_cast<std::uintptr_t>(block));
    if (found == nullptr) return false;
    mapping = *found;
    g_mappings.erase(found);
    count_out(mapping);
  }
  was_written(mapping);
  // What the heap will serve next time is not worth keeping as a mapping. A block that had grown will grow again.
  if (mapping.growth_count == 0) raise_threshold(mapping.usable_bytes);
  if (mapping.capacity_bytes < threshold_bytes()) {
    g_demand.unneed(pages_in(mapping.usable_bytes), 0);
    os::unmap(block, mapping.capacity_bytes);
  } else {
    g_demand.unneed(pages_in(mapping.usable_bytes), pages_in(mapping.capacity_bytes));
    keep({mapping.address, mapping.capacity_bytes, os::now_ms(), mapping.huge});
    store::keep_within_bounds();
  }
  return true;
}

std::size_t usable_bytes(const void* block) {
  Guard guard(g_lock);
  const Mapping* found = g_mappings.find(reinterpret_cast<std::uintptr_t>(block));
  return found == nullptr ? 0 : found->usable_bytes;
}

namespace {

// While a mapping is resized it is in no table: once mremap has moved it, another thread may get the old address.
bool take_out(void* block, Mapping& mapping) {
  Guard guard(g_lock);
  Mapping* found = g_mappings.find(reinterpret_cast<std::uintptr_t>(block));
  if (found == nullptr) return false;
  mapping = *found;
  g_mappings.erase(found);
  return true;
}

void put_back(const Mapping& old, const Mapping& changed) {
  Guard guard(g_lock);
  g_mappings.reinsert(changed);
  count_out(old);
  count_in(changed);
}

// The mapping goes on in the extent behind it, if that is long enough. Changes `changed`; returns the bytes taken.
std::size_t extend_into_extent(Mapping& changed) {
  const std::size_t missing = changed.usable_bytes - changed.capacity_bytes;
  Guard guard(g_lock);
  Extent* behind = find_extent_at(changed.address + changed.capacity_bytes);
  if (behind == nullptr || behind->bytes < missing) return 0;
  const std::size_t taken = bytes_taken(*behind, missing);
  cut_front(*behind, taken);
  changed.capacity_bytes += taken;
  return taken;
}

// Extends the mapping to hold changed.usable_bytes; from the second time on with room ahead. Changes `changed`.
bool extend(const Mapping& old, Mapping& changed) {
  ++changed.growth_count;
  if (const std::size_t taken = extend_into_extent(changed); taken != 0) {
    g_demand.gone(pages_in(taken));
    changed.fresh_from_bytes = changed.capacity_bytes;
    return true;
  }
  const std::size_t bytes = changed.usable_bytes;
  const std::size_t ahead = changed.growth_count >= kGrowthsBeforeReserve ? round_to_pages(bytes / 4) : 0;
  auto* block = reinterpret_cast<void*>(old.address);
  // What was written up to its end goes on so. A part ahead of what is asked for may become resident by it.
  const bool huge = was_written(old) && bytes >= kLeastHugeGrowthBytes && os::page_bytes() == kPageBytes;
  const std::size_t alignment = alignment_for(huge || old.huge);
  changed.capacity_bytes = bytes + ahead;
  void* moved = os::remap(block, old.capacity_bytes, changed.capacity_bytes, alignment);
  if (moved == nullptr && ahead != 0) {
    changed.capacity_bytes = bytes;
    moved = os::remap(block, old.capacity_bytes, bytes, alignment);
  }
  if (moved != nullptr && huge && os::advise_huge(moved, changed.capacity_bytes)) changed.huge = true;
  changed.address = reinterpret_cast<std::uintptr_t>(moved);
  return moved != nullptr;
}

}  // namespace

void Resized::note(std::uintptr_t address, std::size_t usable_bytes) {
  address_ = address;
  least_bytes_ = usable_bytes - os::page_bytes() + 1;
  usable_bytes_ = usable_bytes;
  changes_ = g_changes.load(std::memory_order_relaxed);  // relaxed: under the lock
}

bool resize_in_place(void* block, std::size_t size, Resized& last) {
  const std::size_t bytes = round_to_pages(size);
  Guard guard(g_lock);
  Mapping* found = g_mappings.find(reinterpret_cast<std::uintptr_t>(block));
  if (found == nullptr || bytes < found->usable_bytes || bytes > found->capacity_bytes) return false;
  if (bytes != found->usable_bytes) {
    g_demand.need(pages_in(bytes - found->usable_bytes), 0);
    count_out(*found);
    found->usable_bytes = bytes;
    count_in(*found);
  }
  last.note(found->address, bytes);
  return true;
}

void* resize(void* block, std::size_t size) {
  const std::size_t bytes = round_to_pages(size);
  Mapping old;
  if (!take_out(block, old)) return nullptr;
  Mapping changed = old;
  changed.usable_bytes = bytes;
  const std::size_t tail_bytes = bytes < old.usable_bytes ? old.capacity_bytes - bytes : 0;
  if (bytes > old.capacity_bytes && !extend(old, changed)) {
    put_back(old, old);
    return nullptr;
  }
  if (tail_bytes >= kLeastExtentBytes) changed.capacity_bytes = bytes;
  put_back(old, changed);
  if (bytes >= old.usable_bytes) {
    g_demand.need(pages_in(bytes - old.usable_bytes), 0);
  } else {
    g_demand.unneed(pages_in(old.usable_bytes - bytes), tail_bytes >= kLeastExtentBytes ? pages_in(tail_bytes) : 0);
    if (tail_bytes >= kLeastExtentBytes) keep({changed.address + bytes, tail_bytes, os::now_ms(), changed.huge});
  }
  store::keep_within_bounds();
  return reinterpret_cast<void*>(changed.address);
}

std::size_t give_back(std::size_t most_pages, std::uint64_t age_ms) {
  const std::uint64_t now = os::now_ms();
  std::size_t gone = 0;
  while (gone < most_pages) {
    Extent victim;
    {
      Guard guard(g_lock);
      Extent* oldest = oldest_extent();
      if (oldest == nullptr || now < oldest->freed_ms + age_ms) break;
      victim = *oldest;
      // Of a long one no more than is asked for, from its end; huge pages whole.
      const std::size_t most_bytes = std::max(std::min(most_pages - gone, pages_in(victim.bytes)), kExtentPurgePages) << kPageShift;
      const std::uintptr_t cut = (victim.end() - std::min(most_bytes, victim.bytes)) & ~(kHugePageBytes - 1);
      if (cut > victim.address) {
        victim.bytes = victim.end() - cut;
        victim.address = cut;
        oldest->bytes -= victim.bytes;
        g_cached_bytes -= victim.bytes;
      } else {
        remove_extent(*oldest);
      }
    }
    unmap(victim);
    gone += pages_in(victim.bytes);
  }
  return gone;
}

Stats stats() {
  Guard guard(g_lock);
  return {g_live_bytes, g_mapped_bytes, g_cached_bytes, g_mappings.size()};
}

void for_each(void (*visit)(void* address, std::size_t bytes, void* context), void* context) {
  Guard guard(g_lock);
  g_mappings.for_each([&](const Mapping& mapping) {
    visit(reinterpret_cast<void*>(mapping.address), mapping.usable_bytes, context);
  });
}

void recover_after_fork() {
  if (!g_lock.recover_after_fork()) return;
  // Another thread was at work here. An extent may be half written: what they hold is given up.
  g_demand.gone(pages_in(g_cached_bytes));
  g_extent_count = 0;
  g_cached_bytes = 0;
  g_mappings.repair();
  g_live_bytes = 0;
  g_mapped_bytes = 0;
  g_mappings.for_each(count_in);
  g_changes.fetch_add(1, std::memory_order_relaxed);  // relaxed: one thread is left
}

}  // namespace osmem::large
