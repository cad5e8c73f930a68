// thread-tide: what do threads hold that fell idle?
//
// Origin: thread pools sized for the peak. All threads serve requests; then one in sixteen goes on and the others sleep, holding a sixteenth
// of their blocks; this `cycles` times. A request makes 16 blocks of 64 bytes to 32 KiB (log-uniform) and puts each in the place of a random
// older one. How many requests a thread serves in each part depends on its number only.
#include <memory>

#include "workloads/server/serving.hpp"

namespace workloads::server {
namespace {

constexpr std::size_t kBlocks = 16;
constexpr std::size_t kGoOn = 16;  // one thread in so many
constexpr double kLowBytes = 64;
constexpr double kHighBytes = 32768;

class ThreadTide : public Serving {
 public:
  explicit ThreadTide(const Setup& setup)
      : Serving(setup),
        cycles_(setup.count("cycles")),
        slots_(std::max<std::size_t>(kGoOn, static_cast<std::size_t>(static_cast<double>(bytes_each_) / log_uniform_mean(kLowBytes, kHighBytes)))) {
    for (std::size_t thread = 0; thread < threads_; ++thread) {
      blocks_.emplace_back(slots_);
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
    MappedArray<Block>& blocks = blocks_[thread];
    Random random = random_of(thread);
    Arrivals arrivals(interval_ns_, log_.of(thread));
    const std::uint64_t in_a_part = std::max<std::uint64_t>(1, requests_each_ / (2 * cycles_));
    for (std::uint64_t part = 0; part < 2 * cycles_; ++part) {
      const bool ebb = part % 2 == 1;
      if (ebb && thread % kGoOn != 0) {
        for (std::size_t i = 0; i < blocks.size(); ++i) {
          if (i % kGoOn != 0) {
            heap.drop(blocks[i]);
          }
        }
        mark_phase("idle");
        sleep_until(now_ns() + in_a_part * interval_ns_);
        arrivals.resume();
        continue;
      }
      for (std::uint64_t i = 0; i < in_a_part; ++i) {
        arrivals.begin();
        for (std::size_t j = 0; j < kBlocks; ++j) {
          heap.replace(blocks[random.below(blocks.size())], log_uniform(random, kLowBytes, kHighBytes));
        }
        heap.served();
        arrivals.end();
      }
    }
    for (Block& block : blocks) {
      heap.drop(block);
    }
  }

  std::uint64_t cycles_;
  std::size_t slots_;
  std::vector<MappedArray<Block>> blocks_;  // by thread
};

const Registration registration(
    {.name = "thread-tide",
     .question = "What do threads hold that fell idle?",
     .origin = "thread pools sized for the peak",
     .operation = "a request: 16 mallocs and frees",
     .kind = Kind::kServer,
     .threading = Threading::kAny,
     .parameters = parameters(256, 40, 8000, {{"cycles", 2, "", "times that threads fall idle", 1, 1000}}),
     .smoke_parameters = "megabytes=4,seconds=1,rate=1000,pace=none",
     .profile = "live: grows to megabytes, falls to an eighth while threads are idle, and returns; sizes 64 bytes to 32 KiB; no remote frees"},
    [](const Setup& setup) { return std::make_unique<ThreadTide>(setup); });

}  // namespace
}  // namespace workloads::server
