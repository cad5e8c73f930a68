// xmalloc: what does it cost when one thread allocates and another frees, always?
//
// Origin: Lever and Boreham's malloc study (2000); the traffic of pipelines and of asynchronous
// I/O. Producers allocate batches of `batch` objects and put each batch on a list of at most `list`
// batches; consumers take batches and free them. Objects are of `size` bytes, or with sizes=mixed
// of 17 sizes from 8 to 2,048 bytes, two to a doubling, in random order; their ends are written by
// the producer and read by the consumer. Consumers start when the list has filled up, or all
// batches are made, so that the peak of live memory is the list's capacity whatever the threads'
// speeds.
#include <algorithm>
#include <cmath>
#include <condition_variable>
#include <cstdlib>
#include <memory>
#include <mutex>

#include "workloads/memory.hpp"
#include "workloads/random.hpp"
#include "workloads/threads.hpp"
#include "workloads/workload.hpp"

namespace workloads {
namespace {

constexpr std::size_t kMixedSizes = 17;

// A bounded first-in-first-out list of numbers of filled batches, and the numbers of the empty
// ones. Any thread may call.
class BatchList {
 public:
  BatchList(std::size_t capacity, std::size_t batches) : filled_(capacity), empty_(batches) {
    for (std::size_t i = 0; i < batches; ++i) empty_[i] = static_cast<std::uint32_t>(i);
    empty_count_ = batches;
  }

  // Never without one: there are as many batches as fit on the list and one for each producer and
  // consumer.
  std::uint32_t take_empty() {
    const std::scoped_lock lock(mutex_);
    return empty_[--empty_count_];
  }

  void put_empty(std::uint32_t batch) {
    const std::scoped_lock lock(mutex_);
    empty_[empty_count_++] = batch;
  }

  // `total` is how many batches will be put in all, by everyone.
  void put_filled(std::uint32_t batch, std::uint64_t total) {
    std::unique_lock lock(mutex_);
    room_.wait(lock, [&] { return count_ < filled_.size(); });
    filled_[(first_ + count_++) % filled_.size()] = batch;
    if (++put_ == total || count_ == filled_.size()) flowing_ = true;
    if (flowing_) more_.notify_all();
  }

  std::uint32_t take_filled() {
    std::unique_lock lock(mutex_);
    more_.wait(lock, [&] { return flowing_ && count_ > 0; });
    const std::uint32_t batch = filled_[first_];
    first_ = (first_ + 1) % filled_.size();
    --count_;
    room_.notify_one();
    return batch;
  }

 private:
  std::mutex mutex_;  // guards all below
  std::condition_variable room_;
  std::condition_variable more_;
  MappedArray<std::uint32_t> filled_;  // a ring
  MappedArray<std::uint32_t> empty_;   // a stack
  std::size_t first_ = 0;
  std::size_t count_ = 0;
  std::size_t empty_count_ = 0;
  std::uint64_t put_ = 0;
  bool flowing_ = false;  // consumers may take
};

class Xmalloc : public Workload {
 public:
  explicit Xmalloc(const Setup& setup)
      : threads_(static_cast<std::size_t>(setup.threads())),
        batch_(setup.count("batch")),
        sizes_(batch_),
        objects_(batch_ * (setup.count("list") + 2 * threads_)),
        list_(setup.count("list"), setup.count("list") + 2 * threads_) {
    Random random(setup.seed());
    const bool mixed = setup["sizes"] == 1;
    for (std::uint32_t& size : sizes_) {
      const double doublings = static_cast<double>(random.below(kMixedSizes)) / 2;
      size =
          static_cast<std::uint32_t>(mixed ? std::lround(8 * std::exp2(doublings)) : setup["size"]);
    }
  }

  Tally run(int /*thread_index*/, std::int64_t iterations) override {
    Tally tally;
    const auto batches = static_cast<std::uint64_t>(iterations);
    Thread consumer([&] {
      for (std::uint64_t i = 0; i < batches; ++i) consume(list_.take_filled(), tally);
    });
    for (std::uint64_t i = 0; i < batches; ++i) {
      const std::uint32_t batch = list_.take_empty();
      produce(batch);
      list_.put_filled(batch, batches * threads_);
    }
    consumer.join();
    return tally;
  }

 private:
  void produce(std::uint32_t batch) {
    void** objects = &objects_[batch * batch_];
    for (std::size_t i = 0; i < batch_; ++i) {
      objects[i] = allocate(sizes_[i]);
      touch_ends(objects[i], sizes_[i], tag_of(i));
    }
  }

  void consume(std::uint32_t batch, Tally& tally) {
    void* const* objects = &objects_[batch * batch_];
    std::uint64_t sum = 0;
    for (std::size_t i = 0; i < batch_; ++i) {
      sum += read_ends(objects[i], sizes_[i]);
      std::free(objects[i]);
    }
    tally.checksum += sum;
    tally.operations += batch_;
    list_.put_empty(batch);
  }

  std::size_t threads_;
  std::size_t batch_;
  MappedArray<std::uint32_t> sizes_;  // of the i-th object of every batch
  MappedArray<void*> objects_;        // all batches, one behind the other
  BatchList list_;
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
