// Freed blocks wait here, emptied, until they may be handed out again. They leave in random order, and only if nobody has
// written into them.
//
// Shards by thread, each with a lock; nothing is done when a thread ends. Blocks in it count as allocated below.
#pragma once

#include <cstddef>
#include <cstdint>

#include "allocator/osmem/hardened/blocks.hpp"

namespace osmem::hardened {

// Written once, at start.
struct Policy {
  bool canary = true;                                       // pad and trailer are looked at, the neighbour's as well
  bool zero = true;                                         // freed blocks are emptied, and must still be empty when they leave
  bool guard = true;                                        // faults beside blocks are reported: see faults.hpp
  bool foreign = false;                                     // any pointer that is not ours goes to the C library
  bool mix = false;                                         // a block has to go back to the family that it came from
  std::size_t quarantine_bytes = std::size_t{1} << 20;      // of all shards together; 0: none
};
[[gnu::visibility("hidden")]] extern constinit Policy g_policy;

// The block of the heap has ended: its live bit is gone, its trailer stands, the `size` bytes in front of it are empty if
// the policy says so. It is freed below now or later.
void put_in_quarantine(const Place& place, std::size_t size);

// All that wait are looked at, and freed.
void empty_quarantine();

// All that wait are looked at. For the end of the process.
void look_at_quarantine();

void start_quarantine();
void recover_quarantine_after_fork();

}  // namespace osmem::hardened
