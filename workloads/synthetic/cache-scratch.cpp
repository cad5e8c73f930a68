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

#include "workloads/memory.hpp"
#include "workloads/workload.hpp"

namespace workloads {
namespace {

class CacheScratch : public Workload {
 public:
  explicit CacheScratch(const Setup& setup)
      : size_(setup.count("size")),
        writes_(setup["writes"]),
        firsts_(static_cast<std::size_t>(setup.threads())) {
    for (void*& first : firsts_) {
      first = allocate(size_);
      touch_whole(first, size_, 1);
    }
  }

  ~CacheScratch() override {
    for (void* first : firsts_) std::free(first);
  }

  CacheScratch(const CacheScratch&) = delete;
  CacheScratch& operator=(const CacheScratch&) = delete;

  Tally run(int thread_index, std::int64_t iterations) override {
    Tally tally;
    void*& first = firsts_[static_cast<std::size_t>(thread_index)];
    tally.checksum += read_ends(first, size_);
    std::free(first);
    first = nullptr;
    for (std::int64_t i = 0; i < iterations; ++i) {
      void* block = allocate(size_);
      touch_whole(block, size_, tag_of(static_cast<std::uint64_t>(i)));
      scratch(static_cast<volatile std::uint8_t*>(block));
      tally.checksum += read_ends(block, size_);
      std::free(block);
    }
    tally.operations = static_cast<std::uint64_t>(iterations);
    return tally;
  }

 private:
  void scratch(volatile std::uint8_t* bytes) const {
    for (std::int64_t i = 0; i < writes_; ++i) {
      for (std::size_t j = 0; j < size_; ++j) bytes[j] = static_cast<std::uint8_t>(bytes[j] + 1);
    }
  }

  std::size_t size_;
  std::int64_t writes_;
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
