// msgpass: how does an allocator do when small messages pass through several threads and die far
// from home?
//
// Origin: actor systems and message brokers. `producers` threads allocate messages of 48 to 128
// bytes, uniform, in bursts of 1 to 16; `forwarders` read them and pass them on; `consumers` read
// and free them. Two queues, before and after the forwarders, hold at most 2,048 messages each,
// 4,096 in all. An iteration is one burst of each producer.
#include <cstdlib>
#include <memory>
#include <vector>

#include "workloads/memory.hpp"
#include "workloads/random.hpp"
#include "workloads/synthetic/queue.hpp"
#include "workloads/threads.hpp"
#include "workloads/workload.hpp"

namespace workloads {
namespace {

constexpr std::size_t kLongestBurst = 16;
constexpr std::size_t kQueuedMessages = 2048;
constexpr std::uint64_t kSmallestBytes = 48;
constexpr std::uint64_t kLargestBytes = 128;
constexpr std::size_t kHopMark = 8;  // the byte behind the seal's word

class Msgpass : public Workload {
 public:
  explicit Msgpass(const Setup& setup)
      : producers_(setup.count("producers")),
        forwarders_(setup.count("forwarders")),
        consumers_(setup.count("consumers")),
        bursts_(kDraws),
        sizes_(kOtherDraws),
        tallies_(consumers_),
        sent_(kQueuedMessages, Flow::kAtOnce),
        forwarded_(kQueuedMessages, Flow::kAtOnce) {
    Random random(setup.seed());
    for (std::uint32_t& burst : bursts_) {
      burst = static_cast<std::uint32_t>(random.between(1, kLongestBurst));
    }
    for (std::uint32_t& size : sizes_) {
      size = static_cast<std::uint32_t>(random.between(kSmallestBytes, kLargestBytes));
    }
  }

  Tally run(int /*thread_index*/, Steps& steps) override {
    Crew consumers(consumers_, [&](std::size_t i) { tallies_[i] = consume(); });
    Crew forwarders(forwarders_, [&](std::size_t) { forward(); });
    CrewSteps crew_steps(steps, producers_);
    Crew producers(producers_, [&](std::size_t i) { produce(i, CrewSteps::Member(crew_steps)); });
    producers.join();
    sent_.close();
    forwarders.join();
    forwarded_.close();
    consumers.join();
    Tally sum;
    for (const Tally& tally : tallies_) {
      sum.operations += tally.operations;
      sum.checksum += tally.checksum;
    }
    return sum;
  }

 private:
  void produce(std::size_t index, CrewSteps::Member steps) {
    Walk bursts(bursts_, index * 1009);
    Walk sizes(sizes_, index * 2003);
    void* messages[kLongestBurst];
    for (std::int64_t i = 0; steps.next(); ++i) {
      const std::size_t burst = bursts.next();
      for (std::size_t j = 0; j < burst; ++j) {
        const std::size_t bytes = sizes.next();
        messages[j] = allocate(bytes);
        seal(messages[j], bytes, tag_of(static_cast<std::uint64_t>(i) + j));
      }
      sent_.put({messages, burst});
    }
  }

  void forward() {
    void* messages[kLongestBurst];
    while (const std::size_t count = sent_.take(messages)) {
      for (std::size_t i = 0; i < count; ++i) {
        // The mark of this hop is what was read: the consumer adds it to the checksum.
        const std::uint64_t seen = read_sealed(messages[i]);
        static_cast<std::uint8_t*>(messages[i])[kHopMark] = static_cast<std::uint8_t>(seen);
      }
      forwarded_.put({messages, count});
    }
  }

  Tally consume() {
    Tally tally;
    void* messages[kLongestBurst];
    while (const std::size_t count = forwarded_.take(messages)) {
      for (std::size_t i = 0; i < count; ++i) {
        tally.checksum +=
            read_sealed(messages[i]) + static_cast<const std::uint8_t*>(messages[i])[kHopMark];
        std::free(messages[i]);
      }
      tally.operations += count;
    }
    return tally;
  }

  std::size_t producers_;
  std::size_t forwarders_;
  std::size_t consumers_;
  MappedArray<std::uint32_t> bursts_;
  MappedArray<std::uint32_t> sizes_;
  MappedArray<Tally> tallies_;
  Queue<void*> sent_;
  Queue<void*> forwarded_;
};

const Registration registration(
    {.name = "msgpass",
     .question = "How does it do when small messages pass through threads and die far from home?",
     .origin = "actor systems and message brokers",
     .operation = "a message: a malloc on one thread, the free on another",
     .threading = Threading::kSingle,
     .parameters = {{"producers", 3, "threads", "threads that allocate", 1, 64},
                    {"forwarders", 2, "threads", "threads that pass on", 1, 64},
                    {"consumers", 3, "threads", "threads that free", 1, 64}},
     .smoke_iterations = 200,
     .threads_note =
         "threads:1 is all producers, forwarders and consumers together (8); run() waits",
     .profile = "live: at most 4,096 messages waiting and 16 a thread in hand (0.4 MB); 48-128 "
                "bytes; first in, first "
                "out; every free is remote"},
    [](const Setup& setup) { return std::make_unique<Msgpass>(setup); });

}  // namespace
}  // namespace workloads
