// What the workloads share that allocate a number of blocks in one go and free them in one go, each
// thread its own.
#pragma once

#include <cstdlib>
#include <vector>

#include "workloads/synthetic/replacement.hpp"

namespace workloads {

// Of the frees; kHalf: the first half first in first out, the second half last in first out.
enum class FreeOrder { kFifo, kLifo, kHalf };

template <typename Touch>
class Batches : public Workload {
 public:
  // Each iteration allocates and frees `n` blocks of `bytes` on each thread.
  Batches(const Setup& setup, std::size_t n, std::size_t bytes, FreeOrder order = FreeOrder::kFifo)
      : bytes_(bytes), free_order_(n) {
    for (int i = 0; i < setup.threads(); ++i) {
      blocks_.emplace_back(n);
    }
    const std::size_t turn = order == FreeOrder::kFifo ? n : order == FreeOrder::kLifo ? 0 : n / 2;
    for (std::size_t i = 0; i < n; ++i) {
      free_order_[i] = static_cast<std::uint32_t>(i < turn ? i : n - 1 - (i - turn));
    }
  }

  Tally run(int thread_index, Steps& steps) override {
    MappedArray<void*>& blocks = blocks_[static_cast<std::size_t>(thread_index)];
    Tally tally;
    while (steps.next()) {
      tally.operations = fill(blocks, tally.operations);
      tally.checksum += drain(blocks);
    }
    return tally;
  }

 private:
  // `number` is that of the first block; gives the one after the last.
  std::uint64_t fill(MappedArray<void*>& blocks, std::uint64_t number) const {
    const std::size_t bytes =
        bytes_;  // escaped memory is read again after each call; a local is not
    for (void*& slot : blocks) {
      void* block = allocate(bytes);
      slot = block;
      Touch::write({block, bytes}, tag_of(number++));
    }
    return number;
  }

  // Gives what was read.
  std::uint64_t drain(const MappedArray<void*>& blocks) const {
    const std::size_t bytes = bytes_;
    void* const* const first = blocks.begin();
    std::uint64_t seen = 0;
    for (const std::uint32_t index : free_order_) {
      void* block = first[index];
      seen += Touch::read({block, bytes});
      std::free(block);
    }
    return seen;
  }

  std::size_t bytes_;
  MappedArray<std::uint32_t> free_order_;
  std::vector<MappedArray<void*>> blocks_;
};

}  // namespace workloads
