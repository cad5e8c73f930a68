// survivors-idle: what is given back when one block in twenty survives, scattered, and then nothing is called for ten seconds?
//
// Origin: services after a peak, and the public reports of memory that stays. Each thread allocates its share of `megabytes` in blocks of 512,
// 1,024 and 2,048 bytes, each size in turn, and frees all but one in `keep`, drawn at random. Then it sleeps `idle` ms: only threads of the
// allocator's own, or of the kernel's, can act. At the end the survivors go. A request is 64 allocations or frees, one after the other at full speed.
#include <memory>

#include "workloads/server/serving.hpp"

namespace workloads::server {
namespace {

constexpr std::size_t kSizes[] = {512, 1024, 2048};
constexpr double kMeanBytes = (512.0 + 1024.0 + 2048.0) / 3;
constexpr std::size_t kOfARequest = 64;

class SurvivorsIdle : public Serving {
 public:
  explicit SurvivorsIdle(const Setup& setup)
      : Serving(setup, 0, 0, 0), keep_(setup.count("keep")), idle_ms_(setup.count("idle")), count_(static_cast<std::size_t>(static_cast<double>(bytes_each_) / kMeanBytes) + 1) {
    for (std::size_t thread = 0; thread < threads_; ++thread) {
      blocks_.emplace_back(count_);
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
  // `act` on each block, timed 64 at a time.
  template <typename Act>
  void each(MappedArray<Block>& blocks, Arrivals& arrivals, Heap& heap, Act act) {
    for (std::size_t i = 0; i < blocks.size(); i += kOfARequest) {
      arrivals.begin();
      for (std::size_t j = i; j < std::min(i + kOfARequest, blocks.size()); ++j) {
        act(j);
      }
      heap.served();
      arrivals.end();
    }
  }

  void serve(std::size_t thread, Heap heap) {
    MappedArray<Block>& blocks = blocks_[thread];
    Random random = random_of(thread);
    Arrivals arrivals(0, log_.of(thread));
    each(blocks, arrivals, heap, [&](std::size_t i) { blocks[i] = heap.take(kSizes[i % 3]); });
    mark_phase("filled");
    each(blocks, arrivals, heap, [&](std::size_t i) {
      if (!random.chance(1, keep_)) {
        heap.drop(blocks[i]);
      }
    });
    mark_phase("freed");
    sleep_until(now_ns() + idle_ms_ * 1'000'000U);
    mark_phase("idled");
    for (Block& block : blocks) {
      heap.drop(block);
    }
  }

  std::uint64_t keep_;
  std::uint64_t idle_ms_;
  std::size_t count_;
  std::vector<MappedArray<Block>> blocks_;  // by thread
};

const Registration registration(
    {.name = "survivors-idle",
     .question = "What is given back when one block in twenty survives and then nothing is called?",
     .origin = "services after a peak",
     .operation = "64 mallocs or frees",
     .kind = Kind::kServer,
     .threading = Threading::kAny,
     .parameters = {{"megabytes", 300, "MiB", "live memory of all threads together, before most of it is freed", 1, 1 << 20},
                    {"idle", 10000, "ms", "sleep with the survivors", 0, 86'400'000},
                    {"keep", 20, "blocks", "one in so many survives", 2, 1 << 30}},
     .smoke_parameters = "megabytes=4,idle=5",
     .profile = "live: megabytes, then a twentieth, scattered, for idle ms; sizes 512, 1,024 and 2,048 bytes; no remote frees"},
    [](const Setup& setup) { return std::make_unique<SurvivorsIdle>(setup); });

}  // namespace
}  // namespace workloads::server
