// linux-scalability: do pairs of malloc and free on every processor at once cost more than on one?
//
// Origin: Lever and Boreham (2000), who found that they did. After a barrier each thread allocates
// a block of `size` bytes and frees it, 64 times an iteration; only the first byte is written and
// read, so nothing but the allocator can make threads wait for each other. Compare operations a
// second and thread over 1, 2, 4, ... 2 x CPUs threads.
#include <barrier>
#include <cstdlib>
#include <memory>

#include "workloads/memory.hpp"
#include "workloads/workload.hpp"

namespace workloads {
namespace {

constexpr std::uint64_t kPairsPerIteration = 64;

class LinuxScalability : public Workload {
 public:
  explicit LinuxScalability(const Setup& setup)
      : size_(setup.count("size")), released_(setup.threads()) {}

  Tally run(int /*thread_index*/, Steps& steps) override {
    Tally tally;
    released_.arrive_and_wait();
    while (steps.next()) {
      for (const std::uint64_t end = tally.operations + kPairsPerIteration; tally.operations < end; ++tally.operations) {
        auto* block = static_cast<std::uint8_t*>(allocate(size_));
        *block = tag_of(tally.operations);
        escape(block);
        tally.checksum += *block;
        std::free(block);
      }
    }
    return tally;
  }

 private:
  std::size_t size_;
  std::barrier<> released_;
};

const Registration registration(
    {.name = "linux-scalability",
     .question = "Do pairs of malloc and free on every processor at once cost more than on one?",
     .origin =
         "Lever and Boreham's malloc() performance in a multithreaded Linux environment, 2000",
     .operation = "a malloc and a free",
     .threading = Threading::kAny,
     .parameters = {{"size", 512, "bytes", "size of each block", 1, 1 << 30}},
     .smoke_iterations = 100,
     .profile = "live: at most one block a thread; no remote frees"},
    [](const Setup& setup) { return std::make_unique<LinuxScalability>(setup); });

}  // namespace
}  // namespace workloads
