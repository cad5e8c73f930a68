// L3: pages of used slabs that go back without their owner.
//
// A slab is sparse if one block in eight is live at most, or just one, in at most half of its pages. Where a class has many slabs with free blocks, its owner offers such
// a slab: it stays the owner's, last in line to be taken from. When the offer is an age old, any thread that looks at the clock takes the free
// blocks of pages without a live block out of the slab's list, and gives these pages back. The owner gets the blocks back, run of pages
// by run of pages, when the class has nothing else left. So memory comes back from threads that do not call, survivors and all.
//
//           offer()              take                   surgery done             pages are back
//   kHeld ---------> kOffered --------> kTaken -----------------------> kPurging ---------------> kPurged, or kRefused
//     ^     claim       |               (others wait,    the list is                              |
//     +-----------------+                a moment)       its owner's again                        | all blocks are back
//     +-------------------------------------------------------------------------------------------+
//
// The tail, the touched pages behind a slab's last block, is offered as the slab starts; the owner is at work in the slab meanwhile. Its word
// is a count of pages, and one of four states: none, offered, taken, gone.
//
// The owner waits where another thread is at work on what it needs now: for a moment in kTaken, for one to some system calls where it wants
// pages just being given back, or ends the slab. Who gives back holds no lock; the owner may hold the pool's, if the heap has no thread.
#pragma once

#include <cstddef>
#include <cstdint>

#include "allocator/osmem/slabs/slab.hpp"

namespace osmem::offers {

// The number of free blocks from which on a slab whose blocks are all carved is sparse.
std::uint32_t sparse_at(const Slab& slab);

// Offers what lies behind the last block of a slab that starts. Owner thread, or the pool's lock.
void offer_tail(Slab& slab);
// The end of such an offer, as the slab ends: its touched pages are right again. Waits while the tail is just being given back.
void settle_tail(Slab& slab);

// The owner's side of Slab::offer. claim() ends an offer that nobody has taken up, and waits while somebody is at the list; false: the
// slab is lost. wait_purged() waits until no page of it is on its way.
void publish(Slab& slab);
bool claim(Slab& slab);
Offer wait_purged(const Slab& slab);

// Pages of slabs that are offered and were not looked through yet; and whether there is anything to look for.
std::size_t pages();
bool any();

// How much a call of give_back() does: slabs that it gives pages of back, slices that it looks at.
struct Work {
  std::size_t slabs = SIZE_MAX;
  std::size_t slices = SIZE_MAX;
};

// Gives back what was offered `age_ms` ago or earlier; the next call goes on where this one ended, but one for all slices begins at the
// first. One thread at a time, others return at once. O(slices) where anything is offered. No lock may be held. Returns how many pages went.
std::size_t give_back(std::uint64_t now_ms, std::uint64_t age_ms, Work most = {});

// In the child of a fork: a slab that another thread had taken is lost.
void recover_after_fork();

}  // namespace osmem::offers
