// batch: what do n blocks cost that are allocated in one go and freed in one go, and does a second
// thread change it?
//
// Origin: the question behind every thread cache: how many frees it holds before it has to give
// back, and in which order it hands them out again. Thread support itself may cost: a C library can
// skip its locks while the process has only ever had one thread. Parameters: n and size of the
// blocks; order, in which they are freed ("half": the first half first in first out, the second
// half last in first out); place: in the first thread while it is the only one, in a second thread,
// or in the first thread after another has come and gone.
#include <memory>

#include "workloads/synthetic/batches.hpp"
#include "workloads/threads.hpp"

namespace workloads {
namespace {

enum class Place { kMain, kSecond, kAgain };

class Batch : public Batches<TouchEnds> {
 public:
  explicit Batch(const Setup& setup)
      : Batches(setup, setup.count("n"), setup.count("size"),
                static_cast<FreeOrder>(setup["order"])),
        place_(static_cast<Place>(setup["place"])) {}

  Tally run(int thread_index, Steps& steps) override {
    Tally other;
    if (place_ != Place::kMain) {
      Steps once(1);
      Steps& elsewhere = place_ == Place::kSecond ? steps : once;
      Thread second([&] { other = Batches::run(thread_index, elsewhere); });
      second.join();
    }
    if (place_ == Place::kSecond) {
      return other;
    }
    const Tally own = Batches::run(thread_index, steps);
    return {other.operations + own.operations, other.checksum + own.checksum};
  }

 private:
  Place place_;
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
