// batch: what do n blocks cost that are allocated in one go and freed in one go, and does a second
// thread change it?
//
// Origin: the question behind every thread cache: how many frees it holds before it has to give
// back, and in which order it hands them out again. Thread support itself may cost: a C library can
// skip its locks while the process has only ever had one thread. Parameters: n and size of the
// blocks; order, in which they are freed ("half": the first half first in first out, the second
// half last in first out); place: in the first thread while it is the only one, in a second thread,
// or in the first thread after another has come and gone.
#include <cstdlib>
#include <memory>

#include "workloads/memory.hpp"
#include "workloads/threads.hpp"
#include "workloads/workload.hpp"

namespace workloads {
namespace {

enum class Order { kFifo, kLifo, kHalf };
enum class Place { kMain, kSecond, kAgain };

class Batch : public Workload {
 public:
  explicit Batch(const Setup& setup)
      : size_(setup.count("size")),
        place_(static_cast<Place>(setup["place"])),
        blocks_(setup.count("n")),
        free_order_(setup.count("n")) {
    const auto order = static_cast<Order>(setup["order"]);
    const std::size_t n = free_order_.size();
    const std::size_t turn = order == Order::kFifo ? n : order == Order::kLifo ? 0 : n / 2;
    for (std::size_t i = 0; i < turn; ++i) free_order_[i] = static_cast<std::uint32_t>(i);
    for (std::size_t i = turn; i < n; ++i) {
      free_order_[i] = static_cast<std::uint32_t>(n - 1 - (i - turn));
    }
  }

  Tally run(int /*thread_index*/, std::int64_t iterations) override {
    Tally tally;
    if (place_ == Place::kSecond) {
      Thread second([&] { tally = repeat(iterations); });
      second.join();
      return tally;
    }
    if (place_ == Place::kAgain) {
      Thread before([&] { tally = repeat(1); });
      before.join();
    }
    const Tally own = repeat(iterations);
    return {tally.operations + own.operations, tally.checksum + own.checksum};
  }

 private:
  Tally repeat(std::int64_t iterations) {
    Tally tally;
    tally.operations = static_cast<std::uint64_t>(iterations) * blocks_.size();
    for (std::int64_t i = 0; i < iterations; ++i) {
      auto tag = tag_of(static_cast<std::uint64_t>(i));
      for (void*& block : blocks_) {
        block = allocate(size_);
        touch_ends(block, size_, ++tag);
      }
      for (const std::uint32_t index : free_order_) {
        void* block = blocks_[index];
        tally.checksum += read_ends(block, size_);
        std::free(block);
      }
    }
    return tally;
  }

  std::size_t size_;
  Place place_;
  MappedArray<void*> blocks_;
  MappedArray<std::uint32_t> free_order_;
};

const Registration registration(
    {.name = "batch",
     .question = "What do n blocks cost, allocated in one go and freed in one go, alone or beside "
                 "a thread?",
     .origin =
         "the depth of thread caches, and the C library's shortcut for processes of one thread",
     .operation = "a malloc and a free",
     .threading = Threading::kSingle,
     .parameters = {{"n", 400, "blocks", "blocks live at a time", 1, 1 << 24},
                    {"size", 32, "bytes", "size of each block", 1, 1 << 24},
                    {"order", 0, "", "order of the frees", 0, 2, {"fifo", "lifo", "half"}},
                    {"place", 0, "", "thread that works", 0, 2, {"main", "second", "again"}}},
     .smoke_iterations = 20,
     .profile = "live: a sawtooth from 0 to n blocks each iteration; a lifetime is n mallocs; no "
                "remote frees"},
    [](const Setup& setup) { return std::make_unique<Batch>(setup); });

}  // namespace
}  // namespace workloads
