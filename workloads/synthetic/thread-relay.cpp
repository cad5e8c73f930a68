// thread-relay: is what a thread leaves behind at hand for the next one, or given back and taken anew?
//
// Origin: public reports of thread-per-request servers and build tools. An iteration is the life of one thread beside each of run()'s: it
// allocates `megabytes` in blocks of 16 bytes to 16 KiB (log-uniform), writes a byte a page, frees them in order and ends; the next one begins
// when it has ended. With more threads so many relays run side by side.
#include <cmath>
#include <cstdlib>
#include <memory>
#include <vector>

#include "workloads/memory.hpp"
#include "workloads/random.hpp"
#include "workloads/threads.hpp"
#include "workloads/workload.hpp"

namespace workloads {
namespace {

constexpr double kLowBytes = 16;
constexpr double kHighBytes = 16384;

class ThreadRelay : public Workload {
 public:
  explicit ThreadRelay(const Setup& setup) {
    const double mean = (kHighBytes - kLowBytes) / std::log(kHighBytes / kLowBytes);
    sizes_ = MappedArray<std::uint32_t>(static_cast<std::size_t>(static_cast<double>(setup["megabytes"]) * 1048576.0 / mean) + 1);
    Random random(setup.seed());
    for (std::uint32_t& size : sizes_) {
      size = static_cast<std::uint32_t>(kLowBytes * std::pow(kHighBytes / kLowBytes, random.real()));
    }
    for (int i = 0; i < setup.threads(); ++i) {
      blocks_.emplace_back(sizes_.size());
    }
  }

  Tally run(int thread_index, Steps& steps) override {
    Tally tally;
    while (steps.next()) {
      Thread runner([&] { live(blocks_[static_cast<std::size_t>(thread_index)], tally); });
      runner.join();
    }
    return tally;
  }

 private:
  void live(MappedArray<void*>& blocks, Tally& tally) const {
    for (std::size_t i = 0; i < sizes_.size(); ++i) {
      blocks[i] = allocate(sizes_[i]);
      touch_pages(blocks[i], sizes_[i], tag_of(tally.operations++));
    }
    for (std::size_t i = 0; i < sizes_.size(); ++i) {
      tally.checksum += read_ends(blocks[i], sizes_[i]);
      std::free(blocks[i]);
    }
  }

  MappedArray<std::uint32_t> sizes_;
  std::vector<MappedArray<void*>> blocks_;  // by relay
};

const Registration registration(
    {.name = "thread-relay",
     .question = "Is what a thread leaves behind at hand for the next one?",
     .origin = "public reports of servers with a thread a request",
     .operation = "a malloc and a free",
     .threading = Threading::kAny,
     .parameters = {{"megabytes", 10, "MiB", "live memory of a thread", 1, 1 << 16}},
     .smoke_iterations = 2,
     .smoke_parameters = "megabytes=1",
     .threads_note = "threads:N is N threads at work at a time; the threads that run() is called on only wait",
     .profile = "live: 0 to megabytes and back in each thread's life; sizes 16 bytes to 16 KiB; first in, first out; no remote frees"},
    [](const Setup& setup) { return std::make_unique<ThreadRelay>(setup); });

}  // namespace
}  // namespace workloads
