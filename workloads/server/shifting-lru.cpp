// shifting-lru: does a cache with a limit in bytes keep to it while the sizes of its entries drift?
//
// Origin: caches in front of databases. Each thread's share of `megabytes` is the limit of its cache. A request looks one random entry up,
// which makes it the most recently used, and puts one in; the least recently used ones go until the limit holds. Sizes are log-uniform over a
// doubling that drifts from 128 bytes up to 16 KiB and back, once in a run. The whole cache is freed at the end.
#include <memory>

#include "workloads/server/serving.hpp"

namespace workloads::server {
namespace {

constexpr double kLeastBytes = 128;
constexpr double kDoublings = 7;  // of drift
constexpr std::uint32_t kNone = UINT32_MAX;

// Entries in order of use, as a doubly linked list by index; free ones are linked through `older`.
class Cache {
 public:
  explicit Cache(std::size_t limit_bytes) : limit_bytes_(limit_bytes), entries_(limit_bytes / static_cast<std::size_t>(kLeastBytes) + 2) {}

  void put(std::size_t bytes, Heap& heap) {
    const std::uint32_t index = free_ == kNone ? used_++ : free_;
    if (index == free_) {
      free_ = entries_[index].older;
    }
    entries_[index].block = heap.take(bytes);
    live_bytes_ += bytes;
    link(index);
    while (live_bytes_ > limit_bytes_) {
      evict(heap);
    }
  }
  void look_up(std::uint64_t drawn, Heap& heap) {
    const auto index = static_cast<std::uint32_t>(((drawn >> 32) * used_) >> 32);
    if (index >= used_ || entries_[index].block.pointer == nullptr) {
      return;
    }
    heap.read(entries_[index].block);
    unlink(index);
    link(index);
  }
  void clear(Heap& heap) {
    while (oldest_ != kNone) {
      evict(heap);
    }
    free_ = kNone;
    used_ = 0;
  }

 private:
  struct Entry {
    Block block;
    std::uint32_t older;
    std::uint32_t newer;
  };

  void evict(Heap& heap) {
    const std::uint32_t index = oldest_;
    unlink(index);
    live_bytes_ -= entries_[index].block.bytes;
    heap.drop(entries_[index].block);
    entries_[index].older = std::exchange(free_, index);
  }
  void link(std::uint32_t index) {
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
  std::uint32_t used_ = 0;  // entries so far
};

class ShiftingLru : public Serving {
 public:
  explicit ShiftingLru(const Setup& setup) : Serving(setup) {
    for (std::size_t thread = 0; thread < threads_; ++thread) {
      caches_.push_back(std::make_unique<Cache>(bytes_each_));
    }
  }

  Tally run(int thread_index, Steps& steps) override {
    const auto thread = static_cast<std::size_t>(thread_index);
    Tally tally;
    while (steps.next()) {
      serve(thread, Heap(log_.of(thread), tally));
    }
    return tally;
  }

 private:
  void serve(std::size_t thread, Heap heap) {
    Cache& cache = *caches_[thread];
    Random random = random_of(thread);
    Arrivals arrivals(interval_ns_, log_.of(thread));
    for (std::uint64_t i = 0; i < requests_each_; ++i) {
      arrivals.begin();
      const double done = static_cast<double>(i) / static_cast<double>(requests_each_);
      const double low = kLeastBytes * std::exp2((kDoublings - 1) * (1 - std::fabs(2 * done - 1)));
      cache.look_up(random.next(), heap);
      cache.put(log_uniform(random, low, 2 * low), heap);
      heap.served();
      arrivals.end();
    }
    cache.clear(heap);
  }

  std::vector<std::unique_ptr<Cache>> caches_;  // by thread
};

const Registration registration(
    {.name = "shifting-lru",
     .question = "Does a cache with a limit in bytes keep to it while the sizes of its entries drift?",
     .origin = "caches in front of databases",
     .operation = "a request: a lookup, a malloc, and frees while over the limit",
     .kind = Kind::kServer,
     .threading = Threading::kAny,
     .parameters = parameters(256, 30, 16000),
     .smoke_parameters = "megabytes=2,seconds=1,rate=4000,pace=none",
     .profile = "live: grows to megabytes and stays; sizes drift from 128 bytes to 16 KiB and back; least recently used go first; no remote "
                "frees"},
    [](const Setup& setup) { return std::make_unique<ShiftingLru>(setup); });

}  // namespace
}  // namespace workloads::server
