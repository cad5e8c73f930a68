// start-together: what does it cost when all threads make their first call at once?
//
// Origin: servers that start their pool when they start. A round starts a thread beside each of run()'s, releases all of them together, and
// each allocates its share of `megabytes` in blocks of 16 to 1,024 bytes (log-uniform), waits until all have, frees them and ends. A request
// is a thread's first block.
#include <barrier>
#include <memory>

#include "workloads/server/serving.hpp"
#include "workloads/threads.hpp"

namespace workloads::server {
namespace {

constexpr double kLowBytes = 16;
constexpr double kHighBytes = 1024;

class StartTogether : public Serving {
 public:
  explicit StartTogether(const Setup& setup)
      : Serving(setup, 0, 0, 0), rounds_(setup.count("rounds")), blocks_each_(static_cast<std::size_t>(static_cast<double>(bytes_each_) / log_uniform_mean(kLowBytes, kHighBytes)) + 1),
        together_(setup.threads()) {
    for (std::size_t thread = 0; thread < threads_; ++thread) {
      blocks_.emplace_back(blocks_each_);
    }
  }

  Tally run(int thread_index, Steps& steps) override {
    const auto thread = static_cast<std::size_t>(thread_index);
    Tally tally;
    Random random = random_of(thread);
    while (steps.next()) {
      for (std::uint64_t round = 0; round < rounds_; ++round) {
        Thread mortal([&] { live(thread, random, Heap(log_.of(thread), tally)); });
        mortal.join();
      }
    }
    return tally;
  }

 private:
  void live(std::size_t thread, Random& random, Heap heap) {
    MappedArray<Block>& blocks = blocks_[thread];
    together_.arrive_and_wait();
    Arrivals arrival(0, log_.of(thread));
    arrival.begin();
    blocks[0] = heap.take(log_uniform(random, kLowBytes, kHighBytes));
    arrival.end();
    heap.served();
    for (std::size_t i = 1; i < blocks.size(); ++i) {
      blocks[i] = heap.take(log_uniform(random, kLowBytes, kHighBytes));
    }
    together_.arrive_and_wait();
    for (Block& block : blocks) {
      heap.drop(block);
    }
  }

  std::uint64_t rounds_;
  std::size_t blocks_each_;
  std::barrier<> together_;  // the threads of a round
  std::vector<MappedArray<Block>> blocks_;  // by thread
};

const Registration registration(
    {.name = "start-together",
     .question = "What does it cost when all threads make their first call at once?",
     .origin = "servers that start their pool when they start",
     .operation = "the life of a thread; its first malloc is the request",
     .kind = Kind::kServer,
     .threading = Threading::kAny,
     .parameters = {{"megabytes", 1, "MiB", "live memory of all threads together", 1, 1 << 20},
                    {"rounds", 1000, "", "times that all threads start", 1, 1'000'000'000}},
     .smoke_parameters = "rounds=5",
     .profile = "live: 0 to megabytes and back each round; sizes 16 to 1,024 bytes; no remote frees"},
    [](const Setup& setup) { return std::make_unique<StartTogether>(setup); });

}  // namespace
}  // namespace workloads::server
