// Blocks of other threads' slabs, collected per slab by the thread that frees them, so that a chain goes home with one
// atomic operation instead of one a block.
//
// Owned by one thread; lives as long as the thread. At most kMaxPendingBytes wait in it.
#pragma once

#include <cstddef>
#include <cstdint>

#include "allocator/osmem/slab.hpp"

namespace osmem {

struct RemoteCache {
  static constexpr std::uint32_t kSets = 16;
  static constexpr std::uint32_t kWays = 2;
  static constexpr std::uint32_t kMaxPendingBytes = 16 << 10;
  static constexpr std::uint32_t kMaxChainBytes = 4 << 10;

  struct Chain {
    Slab* slab;
    Block* head;
    Block* tail;
    std::uint32_t count;
    std::uint32_t bytes;
  };

  Chain chains[kSets][kWays];
  std::uint32_t pending_bytes;
  std::uint32_t ticks;        // frees until the next look at the clock
  RemoteCache* next_pooled;  // while no thread has it

  // Takes a block of a slab that another thread owns.
  void add(Slab* slab, Block* block);

  // Sends everything home.
  void flush();

 private:
  void send(Chain& chain);
};

// Sends one chain home: pushes it, tells the owner if it has to be told, and where the owner is gone, does the owner's
// work. Any thread, no lock held.
void send_home(Slab* slab, Block* head, Block* tail, std::uint32_t count);

}  // namespace osmem
