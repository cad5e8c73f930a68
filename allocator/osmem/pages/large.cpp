#include "allocator/osmem/pages/large.hpp"

#include <atomic>
#include <cerrno>
#include <cstring>

#include "allocator/osmem/base/config.hpp"
#include "allocator/osmem/base/lock.hpp"
#include "allocator/osmem/pages/mapping_table.hpp"
#include "allocator/osmem/os/os.hpp"

namespace osmem::large {

constinit std::atomic<std::uint64_t> g_changes{0};

namespace {

constexpr std::size_t kCacheSlots = 16;
// The cache may hold this much, or an eighth of what is live, whichever is more.
constexpr std::size_t kCacheBytes = std::size_t{32} << 20;
// A cached mapping that is larger than needed by at most 1/8 is handed out as it is.
constexpr std::size_t kOvershootShift = 3;
// From this extension on, a growing block gets a quarter more than it asked for.
constexpr std::size_t kGrowthsBeforeReserve = 2;

struct Cached {
  std::uintptr_t address = 0;
  std::size_t bytes = 0;
  std::uint64_t freed_ms = 0;
  bool had_grown = false;  // by realloc
};

constinit Lock g_lock;
// Guarded by g_lock:
constinit MappingTable g_mappings;
constinit Cached g_cache[kCacheSlots];
constinit std::size_t g_cache_count = 0;
constinit std::size_t g_cached_bytes = 0;
constinit std::atomic<std::uint32_t> g_cached_grown{0};  // cached mappings that had grown; written under g_lock
constinit std::size_t g_live_bytes = 0;
constinit std::size_t g_mapped_bytes = 0;
constinit std::size_t g_idle_bytes = 0;  // of live mappings' tails

constinit std::atomic<std::size_t> g_threshold{kDefaultMapThresholdBytes};
constinit bool g_threshold_pinned = false;  // set at start

std::size_t round_to_pages(std::size_t bytes) {
  const std::size_t mask = os::page_bytes() - 1;
  return (bytes + mask) & ~mask;
}

void count_cached_grown(std::uint32_t change) {
  g_cached_grown.store(g_cached_grown.load(std::memory_order_relaxed) + change, std::memory_order_relaxed);  // relaxed: a hint
}

Cached remove_cached(std::size_t index) {
  const Cached taken = g_cache[index];
  g_cache[index] = g_cache[--g_cache_count];
  g_cached_bytes -= taken.bytes;
  if (taken.had_grown) count_cached_grown(-1U);
  return taken;
}

// Removes the cached mapping that suits best: the smallest that is large enough, else the largest.
Cached take_cached(std::size_t bytes) {
  Guard guard(g_lock);
  std::size_t best = kCacheSlots;
  for (std::size_t i = 0; i < g_cache_count; ++i) {
    if (best == kCacheSlots) {
      best = i;
      continue;
    }
    const std::size_t candidate = g_cache[i].bytes;
    const std::size_t chosen = g_cache[best].bytes;
    const bool better = chosen >= bytes ? candidate >= bytes && candidate < chosen : candidate > chosen;
    if (better) best = i;
  }
  return best == kCacheSlots ? Cached{} : remove_cached(best);
}

// Whether so much more may lie in the cache and in idle tails. g_lock held.
bool may_keep(std::size_t bytes) {
  const std::size_t share = g_mapped_bytes / 8;
  return g_cached_bytes + g_idle_bytes + bytes <= (share > kCacheBytes ? share : kCacheBytes);
}

// Keeps a mapping for later. False: the caller unmaps it.
bool put_cached(const Mapping& mapping) {
  const std::uint64_t now = os::now_ms();
  Guard guard(g_lock);
  if (g_cache_count == kCacheSlots || !may_keep(mapping.capacity_bytes)) return false;
  g_cache[g_cache_count++] = {mapping.address, mapping.capacity_bytes, now, mapping.growth_count != 0};
  g_cached_bytes += mapping.capacity_bytes;
  if (mapping.growth_count != 0) count_cached_grown(1);
  return true;
}

// A cached mapping made to fit `bytes`; dirty_bytes says how much of its front holds old contents.
struct Reused {
  void* address = nullptr;
  std::size_t capacity_bytes = 0;
  std::size_t dirty_bytes = 0;
  bool keeps_tail = false;
};

Reused reuse(std::size_t bytes) {
  Cached cached = take_cached(bytes);
  if (cached.address == 0) return {};
  auto* address = reinterpret_cast<void*>(cached.address);
  if (cached.bytes > bytes && cached.had_grown) return {address, cached.bytes, bytes, true};
  if (cached.bytes > bytes + (bytes >> kOvershootShift)) {
    os::unmap(reinterpret_cast<void*>(cached.address + bytes), cached.bytes - bytes);
    return {address, bytes, bytes};
  }
  if (cached.bytes >= bytes) return {address, cached.bytes, cached.bytes};
  void* moved = os::remap(address, cached.bytes, bytes);
  if (moved == nullptr) {
    os::unmap(address, cached.bytes);
    return {};
  }
  return {moved, bytes, cached.bytes};
}

std::size_t idle_bytes(const Mapping& mapping) {
  return mapping.idle_since_ms == 0 ? 0 : mapping.capacity_bytes - mapping.usable_bytes;
}

// A mapping enters, or leaves, the sums. g_lock held.
void count_in(const Mapping& mapping) {
  g_live_bytes += mapping.usable_bytes;
  g_mapped_bytes += mapping.capacity_bytes;
  g_idle_bytes += idle_bytes(mapping);
}
void count_out(const Mapping& mapping) {
  g_changes.store(g_changes.load(std::memory_order_relaxed) + 1, std::memory_order_relaxed);  // relaxed: see Resized::fits()
  g_live_bytes -= mapping.usable_bytes;
  g_mapped_bytes -= mapping.capacity_bytes;
  g_idle_bytes -= idle_bytes(mapping);
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

}  // namespace

std::size_t threshold_bytes() { return g_threshold.load(std::memory_order_relaxed); }  // relaxed: a hint

bool has_cached_grown() {
  return !g_threshold_pinned && g_cached_grown.load(std::memory_order_relaxed) != 0;  // relaxed: a hint
}

void pin_threshold(std::size_t bytes) {
  g_threshold_pinned = true;
  g_threshold.store(bytes, std::memory_order_relaxed);  // relaxed: at start
}

void* allocate(std::size_t size, std::size_t alignment, bool zeroed) {
  const std::size_t bytes = round_to_pages(size);
  Reused reused;
  if (alignment <= os::page_bytes()) reused = reuse(bytes);
  if (reused.address == nullptr) {
    reused.address = os::map(bytes, alignment);
    reused.capacity_bytes = bytes;
  }
  if (reused.address == nullptr) {
    trim(UINT64_MAX);
    reused.address = os::map(bytes, alignment);
  }
  if (reused.address == nullptr) {
    errno = ENOMEM;
    return nullptr;
  }
  const auto address = reinterpret_cast<std::uintptr_t>(reused.address);
  const std::uint64_t idle_since = reused.keeps_tail ? os::now_ms() : 0;
  if (!remember({address, reused.capacity_bytes, bytes, idle_since, reused.keeps_tail ? 1U : 0U})) {
    os::unmap(reused.address, reused.capacity_bytes);
    errno = ENOMEM;
    return nullptr;
  }
  if (zeroed && reused.dirty_bytes != 0) {
    std::memset(reused.address, 0, reused.dirty_bytes < bytes ? reused.dirty_bytes : bytes);
  }
  return reused.address;
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
  // What the heap will serve next time is not worth keeping as a mapping.
  raise_threshold(mapping.usable_bytes);
  if (mapping.capacity_bytes < threshold_bytes() || !put_cached(mapping)) {
    os::unmap(block, mapping.capacity_bytes);
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

bool may_keep_tail(std::size_t bytes) {
  Guard guard(g_lock);
  return may_keep(bytes);
}

// Extends the mapping to hold changed.usable_bytes; from the second time on with room ahead. Changes `changed`.
bool extend(const Mapping& old, Mapping& changed) {
  ++changed.growth_count;
  changed.idle_since_ms = 0;
  const std::size_t bytes = changed.usable_bytes;
  const std::size_t ahead = changed.growth_count >= kGrowthsBeforeReserve ? round_to_pages(bytes / 4) : 0;
  auto* block = reinterpret_cast<void*>(old.address);
  changed.capacity_bytes = bytes + ahead;
  void* moved = os::remap(block, old.capacity_bytes, changed.capacity_bytes);
  if (moved == nullptr && ahead != 0) {
    changed.capacity_bytes = bytes;
    moved = os::remap(block, old.capacity_bytes, bytes);
  }
  changed.address = reinterpret_cast<std::uintptr_t>(moved);
  return moved != nullptr;
}

// The block needs less: its tail waits for the block to grow again, or goes.
void cut(const Mapping& old, Mapping& changed) {
  const std::size_t tail_bytes = old.capacity_bytes - changed.usable_bytes;
  // A block that grew is likely to grow again.
  if (old.growth_count != 0 && may_keep_tail(tail_bytes - idle_bytes(old))) {
    changed.idle_since_ms = os::now_ms();
    return;
  }
  os::unmap(reinterpret_cast<void*>(old.address + changed.usable_bytes), tail_bytes);
  changed.capacity_bytes = changed.usable_bytes;
  changed.idle_since_ms = 0;
}

// Takes an idle tail that has waited for long enough from its mapping.
Cached take_idle_tail(std::uint64_t older_than_ms) {
  Guard guard(g_lock);
  if (g_idle_bytes == 0) return {};
  Mapping* found = g_mappings.find_if([older_than_ms](const Mapping& mapping) {
    return idle_bytes(mapping) != 0 && mapping.idle_since_ms < older_than_ms;
  });
  if (found == nullptr) return {};
  const Cached tail{found->address + found->usable_bytes, idle_bytes(*found), 0, false};
  g_idle_bytes -= tail.bytes;
  g_mapped_bytes -= tail.bytes;
  found->capacity_bytes = found->usable_bytes;
  found->idle_since_ms = 0;
  return tail;
}

// The same for a cached mapping.
Cached take_aged(std::uint64_t older_than_ms) {
  Guard guard(g_lock);
  std::size_t i = 0;
  while (i < g_cache_count && g_cache[i].freed_ms >= older_than_ms) ++i;
  return i == g_cache_count ? Cached{} : remove_cached(i);
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
  if (bytes > old.capacity_bytes) {
    if (!extend(old, changed)) {
      put_back(old, old);
      return nullptr;
    }
  } else if (bytes < old.usable_bytes) {
    cut(old, changed);
  }
  put_back(old, changed);
  return reinterpret_cast<void*>(changed.address);
}

std::size_t trim(std::uint64_t older_than_ms) {
  std::size_t trimmed = 0;
  for (Cached (*take)(std::uint64_t) : {take_aged, take_idle_tail}) {
    for (Cached victim = take(older_than_ms); victim.address != 0; victim = take(older_than_ms)) {
      os::unmap(reinterpret_cast<void*>(victim.address), victim.bytes);
      trimmed += victim.bytes;
    }
  }
  return trimmed;
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
  // Another thread was at work here. An entry of the cache may be half written: what the cache holds is given up.
  g_cache_count = 0;
  g_cached_bytes = 0;
  g_cached_grown.store(0, std::memory_order_relaxed);  // relaxed: one thread is left
  g_mappings.repair();
  g_live_bytes = 0;
  g_mapped_bytes = 0;
  g_idle_bytes = 0;
  g_mappings.for_each(count_in);
  g_changes.fetch_add(1, std::memory_order_relaxed);  // relaxed: one thread is left
}

}  // namespace osmem::large
