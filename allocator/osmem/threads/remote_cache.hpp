// Blocks of other threads' slabs, collected per slab by the thread that frees them, so that a chain goes home with one
// atomic operation instead of one a block.
//
// Owned by one thread; lives as long as the thread. At most kMaxPendingBytes wait in it.
#pragma once

#include <cstddef>
#include <cstdint>

#include "allocator/osmem/slabs/region.hpp"
#include "allocator/osmem/slabs/slab.hpp"

namespace osmem {

struct RemoteCache {
  static constexpr std::uint32_t kSets = 16;
  static constexpr std::uint32_t kWays = 2;
  static constexpr std::uint32_t kMaxPendingBytes = 64 << 10;
  static constexpr std::uint32_t kMaxChainBytes = 4 << 10;

  struct Chain {
    Slab* slab;
    Block* head;
    Block* tail;
    std::uint64_t totals;  // bytes in the upper half, blocks in the lower, so that one addition counts both

    [[nodiscard]] std::uint32_t count() const { return static_cast<std::uint32_t>(totals); }
    [[nodiscard]] std::uint32_t bytes() const { return static_cast<std::uint32_t>(totals >> 32); }
  };

  Chain chains[kSets][kWays];
  std::uint32_t pending_bytes;
  std::uint32_t ticks;        // settlements until the next look at the clock
  RemoteCache* next_pooled;  // while no thread has it

  // The chain of the slab with this number; null if it has none yet. O(1).
  Chain* find(const Slab* slab, std::size_t index) {
    Chain* set = set_of(index);
    if (set->slab == slab) return set;
    return set[1].slab == slab ? set + 1 : nullptr;
  }

  // Starts one. Another one may have to make room, and goes home. `tail` is to be the first block added.
  Chain* start(Slab* slab, Block* tail);

  // Adds a block of the chain's slab, which another thread owns. True: the chain is long enough, or all together are, and
  // has to be settled. O(1).
  bool add(Chain& chain, Block* block) {
    block->next = chain.head;
    chain.head = block;
    const std::uint32_t bytes = chain.slab->block_bytes;
    chain.totals += std::uint64_t{bytes} << 32 | 1;
    pending_bytes += bytes;
    return chain.bytes() >= kMaxChainBytes || pending_bytes > kMaxPendingBytes;
  }

  // Sends the chain home if it is long enough, else all of them.
  void settle(Chain& full);

  // Sends everything home.
  void flush();

 private:
  Chain* set_of(std::size_t index) { return chains[(index ^ (index >> 4)) % kSets]; }
  void send(Chain& chain);
};

// Sends one chain home: pushes it, tells the owner if it has to be told, and where the owner is gone, does the owner's
// work. Any thread, no lock held.
void send_home(Slab* slab, Block* head, Block* tail, std::uint32_t count);

}  // namespace osmem
