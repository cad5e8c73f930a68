// xmalloc: what does it cost when one thread allocates and another frees, always?
//
// Origin: Lever and Boreham's malloc study (2000); the traffic of pipelines and of asynchronous
// I/O. Producers allocate batches of `batch` objects and put each batch on a list of at most `list`
// batches; consumers take batches and free them. Objects are of `size` bytes, or with sizes=mixed
// of 17 sizes from 8 to 2,048 bytes, two to a doubling, in random order; their ends are written by
// the producer and read by the consumer. Consumers start when the list has filled up, or all
// batches are made, so that the peak of live memory is the list's capacity whatever the threads'
// speeds.
#include <cmath>
#include <cstdlib>
#include <memory>

#include "workloads/memory.hpp"
#include "workloads/random.hpp"
#include "workloads/synthetic/queue.hpp"
#include "workloads/threads.hpp"
#include "workloads/workload.hpp"

namespace workloads {
namespace {

constexpr std::size_t kMixedSizes = 17;

class Xmalloc : public Workload {
 public:
  explicit Xmalloc(const Setup& setup)
      : threads_(static_cast<std::size_t>(setup.threads())),
        batch_(setup.count("batch")),
        sizes_(batch_),
        objects_(batch_ * (setup.count("list") + 2 * threads_)),
        list_(setup.count("list"), Flow::kWhenFull),
        empty_(setup.count("list") + 2 * threads_, Flow::kAtOnce) {
    for (std::uint32_t i = 0; i < setup.count("list") + 2 * threads_; ++i) {
      empty_.put({&i, 1});
    }
    Random random(setup.seed());
    const bool mixed = setup["sizes"] == 1;
    for (std::uint32_t& size : sizes_) {
      const double doublings = static_cast<double>(random.below(kMixedSizes)) / 2;
      size =
          static_cast<std::uint32_t>(mixed ? std::lround(8 * std::exp2(doublings)) : setup["size"]);
    }
  }

  Tally run(int /*thread_index*/, Steps& steps) override {
    Tally tally;
    const auto batches = static_cast<std::uint64_t>(steps.total());
    list_.expect(batches * threads_);
    Thread consumer([&] {
      for (std::uint64_t i = 0; i < batches; ++i) {
        consume(tally);
      }
    });
    while (steps.next()) {
      produce();
    }
    consumer.join();
    return tally;
  }

 private:
  void produce() {
    std::uint32_t batch = 0;
    empty_.take({&batch, 1});
    void** objects = &objects_[batch * batch_];
    for (std::size_t i = 0; i < batch_; ++i) {
      objects[i] = allocate(sizes_[i]);
      touch_ends(objects[i], sizes_[i], tag_of(i));
    }
    list_.put({&batch, 1});
  }

  void consume(Tally& tally) {
    std::uint32_t batch = 0;
    list_.take({&batch, 1});
    void* const* objects = &objects_[batch * batch_];
    std::uint64_t sum = 0;
    for (std::size_t i = 0; i < batch_; ++i) {
      sum += read_ends(objects[i], sizes_[i]);
      std::free(objects[i]);
    }
    tally.checksum += sum;
    tally.operations += batch_;
    empty_.put({&batch, 1});
  }

  std::size_t threads_;
  std::size_t batch_;
  MappedArray<std::uint32_t> sizes_;  // of the i-th object of every batch
  MappedArray<void*> objects_;        // all batches, one behind the other
  Queue<std::uint32_t> list_;         // numbers of filled batches
  Queue<std::uint32_t> empty_;        // of those that wait to be filled: never none for long
};

const Registration registration(
    {.name = "xmalloc",
     .question = "What does it cost when one thread allocates and another frees, always?",
     .origin = "Lever and Boreham's study of malloc in multithreaded servers, 2000",
     .operation = "a malloc on one thread and the free on another",
     .threading = Threading::kAny,
     .parameters =
         {{"batch", 4096, "objects", "objects in a batch", 1, 1 << 20},
          {"list", 100, "batches", "batches that may wait", 1, 1 << 16},
          {"sizes", 0, "", "one size, or 17 sizes from 8 to 2,048 bytes", 0, 1, {"one", "mixed"}},
          {"size", 64, "bytes", "sizes=one: size of each object", 1, 1 << 24}},
     .smoke_iterations = 20,
     .smoke_parameters = "batch=512,list=8",
     .threads_note = "threads:N is N producers and N consumers, 2 N threads in all",
     .profile = "live: up to (list + 2 N) x batch objects (26 MB), reached once by waiting; first "
                "in, first out; every "
                "free is remote"},
    [](const Setup& setup) { return std::make_unique<Xmalloc>(setup); });

}  // namespace
}  // namespace workloads
