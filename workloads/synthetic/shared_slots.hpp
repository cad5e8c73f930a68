// Slots through which threads exchange blocks. All null at first; any thread may exchange.
#pragma once

#include <atomic>
#include <cstddef>

#include "workloads/memory.hpp"

namespace workloads {

class SharedSlots {
 public:
  // For that many threads to use, each of which leaves in the end.
  SharedSlots(std::size_t size, int threads)
      : slots_(size), staying_(static_cast<std::size_t>(threads)) {}

  [[nodiscard]] std::size_t size() const { return slots_.size(); }

  // Puts `block` (or null) into a slot and gives what was there (or null), which now is the
  // caller's.
  void* exchange(std::size_t slot, void* block) {
    // acq_rel: releases the contents of what goes in to whoever takes it out, acquires those of
    // what comes out.
    return slots_[slot].exchange(block, std::memory_order_acq_rel);
  }

  // The calling thread will not exchange any more. The last to leave calls drop(block) for each
  // block that is left.
  template <typename Drop>
  void leave(Drop drop) {
    // acq_rel: releases this thread's exchanges to the last one, which acquires those of all
    // others.
    if (staying_.fetch_sub(1, std::memory_order_acq_rel) != 1) {
      return;
    }
    for (std::atomic<void*>& slot : slots_) {
      // relaxed: ordered by staying_.
      void* block = slot.exchange(nullptr, std::memory_order_relaxed);
      if (block != nullptr) {
        drop(block);
      }
    }
  }

 private:
  MappedArray<std::atomic<void*>> slots_;
  std::atomic<std::size_t> staying_;
};

// Adds a sealed block to the checksum and frees it; null is nothing.
inline void drop_sealed(void* block, std::uint64_t& checksum) {
  if (block == nullptr) {
    return;
  }
  checksum += read_sealed(block);
  std::free(block);
}

}  // namespace workloads
