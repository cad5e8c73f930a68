// cache-scratch: does an allocator hand out memory of a cache line that another thread is writing
// to?
//
// Origin: Berger's Hoard (2000), passive false sharing. The constructor's thread allocates one
// object of `size` bytes for each thread, next to each other. Each thread frees its object, then,
// each iteration, allocates one, increments every byte `writes` times, and frees it. If the freed
// neighbours go to the threads that freed them, their lines bounce between processors for the rest
// of the run. On one thread it is the cost of the writes alone.
#include <cstdlib>
#include <memory>

#include "workloads/synthetic/false_sharing.hpp"

namespace workloads {
namespace {

// Frees what the constructor's thread allocated for it before it begins.
class CacheScratch : public FalseSharing {
 public:
  explicit CacheScratch(const Setup& setup)
      : FalseSharing(setup), firsts_(static_cast<std::size_t>(setup.threads())) {
    for (void*& first : firsts_) {
      first = allocate(size());
      touch_whole(first, size(), 1);
    }
  }

  ~CacheScratch() override {
    for (void* first : firsts_) {
      std::free(first);
    }
  }

  CacheScratch(const CacheScratch&) = delete;
  CacheScratch& operator=(const CacheScratch&) = delete;

  Tally run(int thread_index, Steps& steps) override {
    void* first = std::exchange(firsts_[static_cast<std::size_t>(thread_index)], nullptr);
    const std::uint64_t seen = read_ends(first, size());
    std::free(first);
    Tally tally = FalseSharing::run(thread_index, steps);
    tally.checksum += seen;
    return tally;
  }

 private:
  MappedArray<void*> firsts_;
};

const Registration registration(
    {.name = "cache-scratch",
     .question = "Does it hand out memory of a cache line that another thread is writing to?",
     .origin = "Berger et al.'s Hoard, 2000: passive false sharing",
     .operation = "a malloc, writes to every byte, and a free",
     .threading = Threading::kAny,
     .parameters = {{"size", 8, "bytes", "size of each object", 1, 1 << 20},
                    {"writes", 1000, "writes", "increments of each byte", 1, 1 << 24}},
     .smoke_iterations = 200,
     .profile = "live: one object a thread; no remote frees but the first"},
    [](const Setup& setup) { return std::make_unique<CacheScratch>(setup); });

}  // namespace
}  // namespace workloads
