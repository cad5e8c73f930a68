// expiring-store: does an in-memory store whose values expire, and whose sizes shift, keep to its memory?
//
// Origin: caches with times to live. Each thread has a share of the keys. A request reads ten random keys and writes one: a value of 16 bytes
// to 64 KiB (log-uniform) with a time to live of 1,000 requests to as many as fill the share. What has expired is freed before the write. Every
// fifth of the run sizes grow by a factor of 1.5 and fewer keys are used, so that the live bytes stay the same.
#include <memory>

#include "workloads/server/serving.hpp"

namespace workloads::server {
namespace {

constexpr double kLowBytes = 16;
constexpr double kHighBytes = 65536;
constexpr int kReads = 10;
constexpr std::uint64_t kShifts = 5;  // parts of the run with sizes of their own
constexpr double kGrowth = 1.5;
constexpr std::uint64_t kLeastLife = 1000;
constexpr std::uint32_t kNobody = UINT32_MAX;

struct Key {
  Block value;
  std::uint64_t expires;     // at that request
  std::uint32_t next;        // that expires at the same request
  std::uint32_t previous;
};

// The keys of one thread: a wheel of lists, one for each request to come, holds those with values.
class Store {
 public:
  Store(std::size_t keys, std::uint64_t longest_life) : keys_(keys), wheel_(longest_life + 1) {
    for (std::uint32_t& list : wheel_) {
      list = kNobody;
    }
  }

  void expire(std::uint64_t now, Heap& heap) {
    std::uint32_t& list = wheel_[now % wheel_.size()];
    while (list != kNobody) {
      clear(list, heap);
    }
  }
  void read(std::size_t key, Heap& heap) const {
    if (keys_[key].value.pointer != nullptr) {
      heap.read(keys_[key].value);
    }
  }
  void write(std::size_t key, std::size_t bytes, std::uint64_t expires, Heap& heap) {
    const auto index = static_cast<std::uint32_t>(key);
    clear(index, heap);
    std::uint32_t& list = wheel_[expires % wheel_.size()];
    keys_[key] = {heap.take(bytes), expires, list, kNobody};
    if (list != kNobody) {
      keys_[list].previous = index;
    }
    list = index;
  }
  void clear_all(Heap& heap) {
    for (std::uint32_t key = 0; key < keys_.size(); ++key) {
      clear(key, heap);
    }
  }
  [[nodiscard]] std::uint64_t longest_life() const { return wheel_.size() - 1; }
  [[nodiscard]] std::size_t size() const { return keys_.size(); }

 private:
  void clear(std::uint32_t index, Heap& heap) {
    Key& key = keys_[index];
    if (key.value.pointer == nullptr) {
      return;
    }
    (key.previous == kNobody ? wheel_[key.expires % wheel_.size()] : keys_[key.previous].next) = key.next;
    if (key.next != kNobody) {
      keys_[key.next].previous = key.previous;
    }
    heap.drop(key.value);
  }

  MappedArray<Key> keys_;
  MappedArray<std::uint32_t> wheel_;  // the first key of each list
};

class ExpiringStore : public Serving {
 public:
  explicit ExpiringStore(const Setup& setup) : Serving(setup) {
    // With lives uniform from `least` to `longest` and one write a request, half of (least + longest) keys are live, less what is overwritten.
    const double live = static_cast<double>(bytes_each_) / log_uniform_mean(kLowBytes, kHighBytes);
    const auto longest = std::max<std::uint64_t>(kLeastLife + 1, static_cast<std::uint64_t>(2 * live));
    for (std::size_t thread = 0; thread < threads_; ++thread) {
      stores_.push_back(std::make_unique<Store>(std::max<std::size_t>(64, static_cast<std::size_t>(2 * live)), longest));
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
    Store& store = *stores_[thread];
    Random random = random_of(thread);
    Arrivals arrivals(interval_ns_, log_.of(thread));
    for (std::uint64_t i = 0; i < requests_each_; ++i) {
      arrivals.begin();
      const double shift = std::pow(kGrowth, static_cast<double>(i * kShifts / requests_each_));
      const auto keys = std::max<std::size_t>(1, static_cast<std::size_t>(static_cast<double>(store.size()) / shift));
      store.expire(i, heap);
      for (int read = 0; read < kReads; ++read) {
        store.read(random.below(keys), heap);
      }
      const auto longest = std::max(kLeastLife + 1, static_cast<std::uint64_t>(static_cast<double>(store.longest_life()) / shift));
      const auto bytes = static_cast<std::size_t>(static_cast<double>(log_uniform(random, kLowBytes, kHighBytes)) * shift);
      store.write(random.below(keys), bytes, i + random.between(kLeastLife, longest - 1), heap);
      heap.served();
      arrivals.end();
    }
    store.clear_all(heap);
  }

  std::vector<std::unique_ptr<Store>> stores_;  // by thread
};

const Registration registration(
    {.name = "expiring-store",
     .question = "Does an in-memory store whose values expire, and whose sizes shift, keep to its memory?",
     .origin = "caches with times to live",
     .operation = "a request: ten reads, a malloc, and the frees of what expired",
     .kind = Kind::kServer,
     .threading = Threading::kAny,
     .parameters = parameters(512, 60, 4000),
     .smoke_parameters = "megabytes=4,seconds=1,pace=none",
     .profile = "live: grows to about three quarters of megabytes and stays; sizes 16 bytes to 64 KiB, in the end to 332 KiB; lifetimes "
                "uniform; no remote frees"},
    [](const Setup& setup) { return std::make_unique<ExpiringStore>(setup); });

}  // namespace
}  // namespace workloads::server
