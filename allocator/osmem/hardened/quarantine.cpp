#include "allocator/osmem/hardened/quarantine.hpp"

#include <algorithm>
#include <cstring>

#include "allocator/osmem/base/check.hpp"
#include "allocator/osmem/base/lock.hpp"
#include "allocator/osmem/hardened/blocks.hpp"
#include "allocator/osmem/threads/thread_cache.hpp"

namespace osmem::hardened {

constinit Policy g_policy;

namespace {

constexpr std::size_t kShards = 8;
constexpr std::size_t kEntries = 512;

struct Entry {
  void* block;
  std::size_t size;
  std::size_t room_bytes;  // as found when it was freed
};

struct Shard {
  Lock lock;
  // Guarded by lock:
  std::size_t count = 0;
  std::size_t bytes = 0;
  std::uint64_t random = 0;
  Entry entries[kEntries] = {};

  std::size_t random_below(std::size_t limit) {
    random ^= random << 13;
    random ^= random >> 7;
    random ^= random << 17;
    return (random >> 11) % limit;
  }
  Entry take(std::size_t place) {
    const Entry taken = entries[place];
    entries[place] = entries[--count];
    bytes -= taken.size;
    return taken;
  }
};
constinit Shard g_shards[kShards];

Shard& own_shard() { return g_shards[(thread_pointer() >> 12) * 0x9e3779b97f4a7c15U >> 61]; }
static_assert(kShards == 8, "three bits choose one");

bool is_empty(const void* block, std::size_t size) {
  const auto* bytes = static_cast<const unsigned char*>(block);
  // Byte by byte against its neighbour: memcmp is fast, and all are 0 if the first is.
  return size == 0 || (bytes[0] == 0 && std::memcmp(bytes, bytes + 1, size - 1) == 0);
}

// Whether nobody has written into the block since it ended.
bool is_untouched(const Entry& entry) {
  Asked asked;
  const Place place{Kind::kBlock, reinterpret_cast<std::uintptr_t>(entry.block), entry.room_bytes, 0};
  const bool whole = !g_policy.canary || (read_trailer(place, asked) && asked.size == entry.size);
  return whole && (!g_policy.zero || is_empty(entry.block, entry.size));
}

void look_at(const Entry& entry) {
  if (is_untouched(entry)) return;
  wrong_call({"free", "the block was written into after this free, or behind its end before", entry.block, entry.size});
}

}  // namespace

void put_in_quarantine(const Place& place, std::size_t size) {
  void* block = reinterpret_cast<void*>(place.start);
  const std::size_t most_bytes = g_policy.quarantine_bytes / kShards;
  Entry leaving[8];
  std::size_t leaving_count = 0;
  if (size > most_bytes / 2) return fast_free(block);
  Shard& shard = own_shard();
  {
    const Guard guard(shard.lock);
    while (shard.count != 0 && leaving_count < std::size(leaving) &&
           (shard.count == kEntries || shard.bytes + size > most_bytes)) {
      leaving[leaving_count++] = shard.take(shard.random_below(shard.count));
    }
    if (shard.count < kEntries) {
      shard.entries[shard.count++] = {block, size, place.room_bytes};
      shard.bytes += size;
      block = nullptr;
    }
  }
  for (std::size_t i = 0; i < leaving_count; ++i) {
    look_at(leaving[i]);
    fast_free(leaving[i].block);
  }
  if (block != nullptr) fast_free(block);
}

void empty_quarantine() {
  for (Shard& shard : g_shards) {
    for (;;) {
      Entry entry;
      {
        const Guard guard(shard.lock);
        if (shard.count == 0) break;
        entry = shard.take(shard.count - 1);
      }
      look_at(entry);
      fast_free(entry.block);
    }
  }
}

void look_at_quarantine() {
  for (Shard& shard : g_shards) {
    const Guard guard(shard.lock);
    for (std::size_t i = 0; i < shard.count; ++i) look_at(shard.entries[i]);
  }
}

void start_quarantine() {
  for (std::size_t i = 0; i < kShards; ++i) g_shards[i].random = secret() * (2 * i + 1) | 1;
}

void recover_quarantine_after_fork() {
  for (Shard& shard : g_shards) {
    if (!shard.lock.recover_after_fork()) continue;
    shard.count = 0;  // half written: what waited there is lost to this process
    shard.bytes = 0;
  }
}

}  // namespace osmem::hardened
