// n-to-1: does an allocator keep up, and stay lean, when one thread frees what many allocate?
//
// Origin: logging, and writers that collect the work of others. `producers` threads allocate blocks
// of 16 to 512 bytes, uniform, 256 at a time (an iteration of each), and queue them; run()'s thread
// reads and frees them all. The freeing thread never allocates: what it caches, nobody gets. It
// starts when 16,384 blocks wait, so that the peak does not depend on how the threads are
// scheduled.
#include <cstdlib>
#include <memory>

#include "workloads/memory.hpp"
#include "workloads/random.hpp"
#include "workloads/synthetic/queue.hpp"
#include "workloads/threads.hpp"
#include "workloads/workload.hpp"

namespace workloads {
namespace {

constexpr std::size_t kHandful = 256;
constexpr std::size_t kQueuedBlocks = 16384;
constexpr std::uint64_t kSmallestBytes = 16;
constexpr std::uint64_t kLargestBytes = 512;

class NToOne : public Workload {
 public:
  explicit NToOne(const Setup& setup)
      : producers_(setup.count("producers")),
        sizes_(kOtherDraws),
        queue_(kQueuedBlocks, Flow::kWhenFull) {
    Random random(setup.seed());
    for (std::uint32_t& size : sizes_) {
      size = static_cast<std::uint32_t>(random.between(kSmallestBytes, kLargestBytes));
    }
  }

  Tally run(int /*thread_index*/, Steps& steps) override {
    const std::uint64_t total = producers_ * kHandful * static_cast<std::uint64_t>(steps.total());
    queue_.expect(total);
    CrewSteps crew_steps(steps, producers_);
    Crew producers(producers_, [&](std::size_t i) { produce(i, CrewSteps::Member(crew_steps)); });
    Tally tally;
    void* blocks[kHandful];
    while (tally.operations < total) {
      const std::size_t count = queue_.take(blocks);
      for (std::size_t i = 0; i < count; ++i) {
        tally.checksum += read_sealed(blocks[i]);
        std::free(blocks[i]);
      }
      tally.operations += count;
    }
    producers.join();
    return tally;
  }

 private:
  void produce(std::size_t index, CrewSteps::Member steps) {
    Walk sizes(sizes_, index * 2003);
    void* blocks[kHandful];
    for (std::int64_t i = 0; steps.next(); ++i) {
      for (std::size_t j = 0; j < kHandful; ++j) {
        const std::size_t bytes = sizes.next();
        blocks[j] = allocate(bytes);
        seal(blocks[j], bytes, tag_of(static_cast<std::uint64_t>(i) + j));
      }
      queue_.put(blocks);
    }
  }

  std::size_t producers_;
  MappedArray<std::uint32_t> sizes_;
  Queue<void*> queue_;
};

const Registration registration(
    {.name = "n-to-1",
     .question = "Does it keep up, and stay lean, when one thread frees what many allocate?",
     .origin = "logging, and writers that collect the work of others",
     .operation = "a malloc on one of many threads, the free on one",
     .threading = Threading::kSingle,
     .parameters = {{"producers", 8, "threads", "threads that allocate", 1, 256}},
     .smoke_iterations = 10,
     .threads_note = "threads:1 is one thread that frees and all producers (8) besides",
     .profile = "live: up to 16,384 blocks waiting and 256 a thread in hand (5 MB), reached by "
                "waiting; 16-512 bytes; "
                "first in, first out; every free is remote"},
    [](const Setup& setup) { return std::make_unique<NToOne>(setup); });

}  // namespace
}  // namespace workloads
