// lru-cache: does a cache that fills up with entries of another size keep to its memory limit?
//
// Origin: the experiment on Redis with which Mesh and Redis's own defragmenter are shown. A cache
// of at most `megabytes` MiB of requested bytes: 7,000 entries of 240 bytes for each of these MiB
// are inserted, then 1,700 of 492 bytes for each, then nothing happens for `idle` ms. Each
// insertion reads a random entry before, which makes that one the most recently used, and evicts
// the least recently used ones while the cache is over its limit; so what goes lies scattered.
// Entries are written whole. An iteration is the whole story, with the cache emptied at its end.
#include <time.h>

#include <cstdlib>
#include <memory>

#include "workloads/memory.hpp"
#include "workloads/random.hpp"
#include "workloads/workload.hpp"

namespace workloads {
namespace {

constexpr std::size_t kFirstBytes = 240;
constexpr std::size_t kSecondBytes = 492;
constexpr std::size_t kFirstPerMebibyte = 7000;
constexpr std::size_t kSecondPerMebibyte = 1700;
constexpr std::uint32_t kNone = UINT32_MAX;

// Entries in order of use, as a doubly linked list by index. Entries below high_water_ that are not
// live have a null block and are linked, through `older`, from free_.
class Cache {
 public:
  Cache(std::size_t limit_bytes, std::size_t smallest_bytes)
      : limit_bytes_(limit_bytes), entries_(limit_bytes / smallest_bytes + 2) {}

  void insert(std::size_t bytes, Tally& tally) {
    const std::uint32_t index = free_ == kNone ? high_water_++ : free_;
    Entry& entry = entries_[index];
    if (index == free_) {
      free_ = entry.older;
    }
    entry.block = {allocate(bytes), bytes};
    touch_whole(entry.block.pointer, bytes, tag_of(tally.operations++));
    live_bytes_ += bytes;
    link_newest(index);
    while (live_bytes_ > limit_bytes_) {
      evict(tally);
    }
  }

  // `fraction` / 2^32 of the way through the entries; one that is not live is not found.
  void look_up(std::uint32_t fraction, Tally& tally) {
    const auto index = static_cast<std::uint32_t>((std::uint64_t{fraction} * high_water_) >> 32);
    if (index >= high_water_ || entries_[index].block.pointer == nullptr) {
      return;
    }
    tally.checksum += read_ends(entries_[index].block.pointer, entries_[index].block.bytes);
    unlink(index);
    link_newest(index);
  }

  void clear(Tally& tally) {
    while (oldest_ != kNone) {
      evict(tally);
    }
    free_ = kNone;
    high_water_ = 0;
  }

 private:
  struct Entry {
    Block block;
    std::uint32_t older;
    std::uint32_t newer;
  };

  void evict(Tally& tally) {
    const std::uint32_t index = oldest_;
    Entry& entry = entries_[index];
    unlink(index);
    live_bytes_ -= entry.block.bytes;
    tally.checksum += read_ends(entry.block.pointer, entry.block.bytes);
    std::free(std::exchange(entry.block.pointer, nullptr));
    entry.older = std::exchange(free_, index);
  }

  void link_newest(std::uint32_t index) {
    entries_[index].older = newest_;
    entries_[index].newer = kNone;
    (newest_ == kNone ? oldest_ : entries_[newest_].newer) = index;
    newest_ = index;
  }

  void unlink(std::uint32_t index) {
    const Entry& entry = entries_[index];
    (entry.older == kNone ? oldest_ : entries_[entry.older].newer) = entry.newer;
    (entry.newer == kNone ? newest_ : entries_[entry.newer].older) = entry.older;
  }

  std::size_t limit_bytes_;
  std::size_t live_bytes_ = 0;
  MappedArray<Entry> entries_;
  std::uint32_t newest_ = kNone;
  std::uint32_t oldest_ = kNone;
  std::uint32_t free_ = kNone;
  std::uint32_t high_water_ = 0;  // entries used so far
};

class LruCache : public Workload {
 public:
  explicit LruCache(const Setup& setup)
      : first_(setup.count("megabytes") * kFirstPerMebibyte),
        second_(setup.count("megabytes") * kSecondPerMebibyte),
        idle_ms_(setup["idle"]),
        fractions_(first_ + second_),
        cache_(setup.count("megabytes") * 1048576, kFirstBytes) {
    Random random(setup.seed());
    for (std::uint32_t& fraction : fractions_) {
      fraction = static_cast<std::uint32_t>(random.next());
    }
  }

  Tally run(int /*thread_index*/, Steps& steps) override {
    Tally tally;
    while (steps.next()) {
      Walk fractions(fractions_);
      insert(first_, kFirstBytes, fractions, tally);
      mark_phase("first");
      insert(second_, kSecondBytes, fractions, tally);
      mark_phase("second");
      const timespec duration{idle_ms_ / 1000, idle_ms_ % 1000 * 1000000};
      nanosleep(&duration, nullptr);
      mark_phase("idled");
      cache_.clear(tally);
    }
    return tally;
  }

 private:
  void insert(std::size_t count, std::size_t bytes, Walk<std::uint32_t>& fractions, Tally& tally) {
    for (std::size_t i = 0; i < count; ++i) {
      cache_.look_up(fractions.next(), tally);
      cache_.insert(bytes, tally);
    }
  }

  std::size_t first_;
  std::size_t second_;
  std::int64_t idle_ms_;
  MappedArray<std::uint32_t> fractions_;
  Cache cache_;
};

const Registration registration(
    {.name = "lru-cache",
     .question = "Does a cache that fills up with entries of another size keep to its limit?",
     .origin = "the Redis experiment with which Mesh is shown (Powers et al., 2019)",
     .operation = "an insertion: a lookup, a malloc, and frees while over the limit",
     .threading = Threading::kSingle,
     .parameters = {{"megabytes", 100, "MiB", "limit of the cache", 1, 1 << 14},
                    {"idle", 100, "ms", "sleep at the end", 0, 600000}},
     .smoke_iterations = 1,
     .smoke_parameters = "megabytes=2,idle=1",
     .profile = "live: up to megabytes and level, each iteration; 240 bytes, then 492 bytes push "
                "four fifths of those out; "
                "no remote frees"},
    [](const Setup& setup) { return std::make_unique<LruCache>(setup); });

}  // namespace
}  // namespace workloads
