// busy-owners: what does it cost a thread that never stops when others free, and so give back, what it owns?
//
// Origin: servers whose worker threads allocate and whose clean-up threads free. A lane is two threads. The owner serves requests: 64 blocks
// of 64 to 4,096 bytes (log-uniform), of which it frees half itself at once; the others it keeps in a ring, the lane's share of `megabytes`,
// and what falls out of the ring goes to the cleaner. The cleaner collects a quarter of the ring and frees it in one go, while the owner works on.
#include <array>
#include <memory>

#include "workloads/server/serving.hpp"
#include "workloads/synthetic/queue.hpp"
#include "workloads/threads.hpp"

namespace workloads::server {
namespace {

constexpr std::size_t kBlocks = 64;  // of a request
constexpr std::size_t kKept = kBlocks / 2;
constexpr double kLowBytes = 64;
constexpr double kHighBytes = 4096;
constexpr std::size_t kPassedAtOnce = kKept;

class BusyOwners : public Serving {
 public:
  explicit BusyOwners(const Setup& setup)
      : Serving(setup, 2 * static_cast<std::size_t>(setup.threads())),
        ring_blocks_(std::max<std::size_t>(4, static_cast<std::size_t>(static_cast<double>(bytes_each_) / log_uniform_mean(kLowBytes, kHighBytes)) / kKept) * kKept) {
    for (std::size_t lane = 0; lane < threads_; ++lane) {
      rings_.emplace_back(ring_blocks_);
      heaps_to_free_.emplace_back(ring_blocks_ / 4 + kPassedAtOnce);
    }
  }

  Tally run(int thread_index, Steps& steps) override {
    const auto lane = static_cast<std::size_t>(thread_index);
    Tally all;
    while (steps.next()) {
      Queue<Block> passed(2 * ring_blocks_, Flow::kAtOnce);
      Tally cleaned;
      Thread cleaner([&] { clean(lane, passed, Heap(log_.of(threads_ + lane), cleaned)); });
      own(lane, passed, Heap(log_.of(lane), all));
      cleaner.join();
      all.checksum += cleaned.checksum;
    }
    return all;
  }

 private:
  void own(std::size_t lane, Queue<Block>& passed, Heap heap) {
    MappedArray<Block>& ring = rings_[lane];
    Random random = random_of(lane);
    std::size_t next = 0;
    Arrivals arrivals(interval_ns_, log_.of(lane));
    for (std::uint64_t i = 0; i < requests_each_; ++i) {
      arrivals.begin();
      std::array<Block, kKept> brief{};
      for (Block& block : brief) {
        block = heap.take(log_uniform(random, kLowBytes, kHighBytes));
      }
      if (ring[next].pointer != nullptr) {
        passed.put({&ring[next], kKept});
      }
      for (std::size_t j = 0; j < kKept; ++j) {
        ring[next + j] = heap.take(log_uniform(random, kLowBytes, kHighBytes));
      }
      next = next + kKept < ring.size() ? next + kKept : 0;
      for (Block& block : brief) {
        heap.drop(block);
      }
      heap.served();
      arrivals.end();
    }
    passed.close();
    for (Block& block : ring) {
      heap.drop(block);
    }
  }

  void clean(std::size_t lane, Queue<Block>& passed, Heap heap) {
    MappedArray<Block>& collected = heaps_to_free_[lane];
    std::size_t count = 0;
    const auto free_all = [&] {
      for (std::size_t i = 0; i < count; ++i) {
        heap.drop(collected[i]);
      }
      count = 0;
    };
    for (std::size_t more = 0; (more = passed.take({collected.begin() + count, kPassedAtOnce})) > 0;) {
      count += more;
      if (count + kPassedAtOnce > collected.size()) {
        free_all();
      }
    }
    free_all();
  }

  std::size_t ring_blocks_;
  std::vector<MappedArray<Block>> rings_;          // by lane
  std::vector<MappedArray<Block>> heaps_to_free_;  // by lane: what its cleaner has collected
};

const Registration registration(
    {.name = "busy-owners",
     .question = "What does it cost a thread that never stops when others free what it owns?",
     .origin = "servers whose workers allocate and whose clean-up threads free",
     .operation = "a request: 64 mallocs and frees, half of the frees remote, in bursts",
     .kind = Kind::kServer,
     .threading = Threading::kAny,
     .parameters = parameters(256, 30, 6000),
     .smoke_parameters = "megabytes=4,seconds=1,rate=1000,pace=none",
     .threads_note = "threads:N is N lanes of two threads",
     .profile = "live: grows to megabytes and a quarter and goes up and down by a quarter; sizes 64 bytes to 4 KiB; first in, first out; "
                "half of the frees remote"},
    [](const Setup& setup) { return std::make_unique<BusyOwners>(setup); });

}  // namespace
}  // namespace workloads::server
