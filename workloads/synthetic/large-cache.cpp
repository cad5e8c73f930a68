// large-cache: what do values of megabytes cost in a cache that evicts?
//
// Origin: public reports of object and image caches. An iteration puts a value of `min` to `max` KiB (log-uniform) in, written whole, and the
// oldest ones go until the cache holds at most `megabytes`.
#include <cmath>
#include <cstdlib>
#include <memory>

#include "workloads/memory.hpp"
#include "workloads/random.hpp"
#include "workloads/workload.hpp"

namespace workloads {
namespace {

class LargeCache : public Workload {
 public:
  explicit LargeCache(const Setup& setup)
      : limit_bytes_(setup.count("megabytes") << 20), sizes_(kOtherDraws), values_((limit_bytes_ >> 10) / setup.count("min") + 2) {
    const double low = static_cast<double>(setup["min"]) * 1024;
    const double high = std::max(low, static_cast<double>(setup["max"]) * 1024);
    Random random(setup.seed());
    for (std::size_t& size : sizes_) {
      size = static_cast<std::size_t>(low * std::pow(high / low, random.real()));
    }
  }

  Tally run(int /*thread_index*/, Steps& steps) override {
    Tally tally;
    Walk<std::size_t> sizes(sizes_);
    while (steps.next()) {
      const std::size_t bytes = sizes.next();
      while (count_ > 0 && live_bytes_ + bytes > limit_bytes_) {
        evict(tally);
      }
      Block& value = values_[(first_ + count_++) % values_.size()];
      value = {allocate(bytes), bytes};
      live_bytes_ += bytes;
      touch_whole(value.pointer, bytes, tag_of(tally.operations++));
    }
    while (count_ > 0) {
      evict(tally);
    }
    return tally;
  }

 private:
  void evict(Tally& tally) {
    Block& value = values_[first_];
    tally.checksum += read_ends(value.pointer, value.bytes);
    std::free(value.pointer);
    live_bytes_ -= value.bytes;
    first_ = (first_ + 1) % values_.size();
    --count_;
  }

  std::size_t limit_bytes_;
  MappedArray<std::size_t> sizes_;
  MappedArray<Block> values_;  // a ring: count_ values from first_
  std::size_t first_ = 0;
  std::size_t count_ = 0;
  std::size_t live_bytes_ = 0;
};

const Registration registration(
    {.name = "large-cache",
     .question = "What do values of megabytes cost in a cache that evicts?",
     .origin = "public reports of object and image caches",
     .operation = "a malloc, and frees while over the limit",
     .threading = Threading::kSingle,
     .parameters = {{"megabytes", 256, "MiB", "limit of the cache", 1, 1 << 20},
                    {"min", 1024, "KiB", "smallest value", 1, 1 << 20},
                    {"max", 8192, "KiB", "largest value", 1, 1 << 20}},
     .smoke_iterations = 8,
     .smoke_parameters = "megabytes=16",
     .profile = "live: grows to megabytes and stays; sizes 1 to 8 MiB; first in, first out; no remote frees"},
    [](const Setup& setup) { return std::make_unique<LargeCache>(setup); });

}  // namespace
}  // namespace workloads
