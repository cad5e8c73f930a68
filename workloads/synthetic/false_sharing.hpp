// What cache-thrash and cache-scratch share: objects smaller than a cache line, written to many
// times.
#pragma once

#include <cstdlib>

#include "workloads/memory.hpp"
#include "workloads/workload.hpp"

namespace workloads {

// Each iteration, on each thread: allocate an object, increment every byte `writes` times, free it.
class FalseSharing : public Workload {
 public:
  // Takes the parameters "size" and "writes".
  explicit FalseSharing(const Setup& setup)
      : size_(setup.count("size")), writes_(setup["writes"]) {}

  Tally run(int /*thread_index*/, Steps& steps) override {
    Tally tally;
    while (steps.next()) {
      void* object = allocate(size_);
      touch_whole(object, size_, tag_of(tally.operations++));
      increment(static_cast<volatile std::uint8_t*>(object));
      tally.checksum += read_ends(object, size_);
      std::free(object);
    }
    return tally;
  }

 protected:
  [[nodiscard]] std::size_t size() const { return size_; }

 private:
  // volatile: each write has to reach the cache.
  void increment(volatile std::uint8_t* bytes) const {
    for (std::int64_t i = 0; i < writes_; ++i) {
      for (std::size_t j = 0; j < size_; ++j) {
        bytes[j] = static_cast<std::uint8_t>(bytes[j] + 1);
      }
    }
  }

  std::size_t size_;
  std::int64_t writes_;
};

}  // namespace workloads
