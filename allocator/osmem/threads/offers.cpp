#include "allocator/osmem/threads/offers.hpp"

#include <algorithm>
#include <atomic>
#include <bit>

#include "allocator/osmem/base/check.hpp"
#include "allocator/osmem/base/fork_order.hpp"
#include "allocator/osmem/base/lock.hpp"
#include "allocator/osmem/os/os.hpp"
#include "allocator/osmem/pages/run_bits.hpp"
#include "allocator/osmem/threads/thread_heap.hpp"

namespace osmem {
namespace offers {
namespace {

// Relaxed, all: figures, and a flag that guards no data but its own thread's.
constinit std::atomic<std::ptrdiff_t> g_pages{0};
constinit std::atomic<std::ptrdiff_t> g_tails{0};
constinit std::atomic<bool> g_looking{false};
constinit std::atomic<std::size_t> g_next_slice{0};
constinit std::atomic<Slab*> g_taken{nullptr};
constinit std::atomic<bool> g_is_child{false};  // the figures were not yet seen to be right since a fork

void add(std::atomic<std::ptrdiff_t>& figure, std::ptrdiff_t more) { figure.fetch_add(more, std::memory_order_relaxed); }  // relaxed: as above

// States of a tail, beside the number of its pages that were touched.
enum Tail : std::uint8_t { kTailNone = 0, kTailOffered = 0x10, kTailTaken = 0x20, kTailGone = 0x30, kTailStates = 0x30 };

std::uint32_t tail_bits(const Slab& slab) {
  const std::uint32_t slab_pages = slab_slices(slab.size_class) * kPagesPerSlice;
  return ((1U << slab_pages) - 1) & ~((1U << slab.pages_of(slab.capacity)) - 1);
}

std::ptrdiff_t block_pages(const Slab& slab) { return static_cast<std::ptrdiff_t>(slab.pages_of(slab.capacity)); }

std::uint32_t stamp(std::uint64_t ms) { return static_cast<std::uint32_t>(ms); }

// A run of set bits after the other, from the lowest: calls act(first, count) for each.
template <typename Act>
void for_each_run(std::uint32_t bits, Act act) {
  while (bits != 0) {
    const auto first = static_cast<std::uint32_t>(std::countr_zero(bits));
    const auto count = static_cast<std::uint32_t>(std::countr_one(bits >> first));
    act(first, count);
    bits &= ~(((1U << count) - 1) << first);
  }
}

bool purge(const Slab& slab, std::uint32_t pages) {
  bool all = true;
  for_each_run(pages, [&](std::uint32_t first, std::uint32_t count) {
    if (!g_page_heap.purge_quietly(g_region.index_of(&slab) * kPagesPerSlice + first, count)) all = false;
  });
  return all;
}

// The pages of a slab, all carved, whose blocks all lie in its free list. O(free blocks).
std::uint32_t idle_pages(const Slab& slab, std::uintptr_t start) {
  constexpr std::uint32_t kMost = PageHeap::kMaxGradualPages;
  std::uint16_t free_in[kMost] = {};
  RunBits<kMostSlabBlocks> seen;
  std::uint32_t left = slab.free_count;
  const Block* block_after_last = slab.free;
  for (const Block* block = slab.free; left != 0; block = block->next, --left) {
    // A list that the program has written over, or closed to a ring, is followed no further: take_out() trusts it.
    const std::uintptr_t offset = reinterpret_cast<std::uintptr_t>(block) - start;
    check(offset < std::size_t{slab.capacity} * slab.block_bytes, "the link in a free block was overwritten", block);
    const std::uint32_t index = block_index(slab.size_class, static_cast<std::uint32_t>(offset));
    check(std::uintptr_t{index} * slab.block_bytes == offset && !seen.test(index), "the link in a free block was overwritten, or the block was freed twice", block);
    seen.set(index);
    block_after_last = block->next;
    for (std::uint32_t bits = Slab::page_bits(offset, slab.block_bytes); bits != 0; bits &= bits - 1) ++free_in[std::countr_zero(bits)];
  }
  check(block_after_last == nullptr, "the link in a free block was overwritten", block_after_last);
  std::uint32_t idle = 0;
  const std::uint32_t pages = slab.pages_of(slab.capacity);
  for (std::uint32_t page = 0; page < pages; ++page) {
    const auto first = static_cast<std::uint32_t>((page << kPageShift) / slab.block_bytes);
    const std::uint32_t last = std::min(static_cast<std::uint32_t>((((page + 1) << kPageShift) - 1) / slab.block_bytes), slab.capacity - 1U);
    if (free_in[page] == last - first + 1) idle |= 1U << page;
  }
  return idle;
}

// Takes the blocks that reach into the pages out of the free list. Returns how many.
std::uint32_t take_out(Slab& slab, std::uintptr_t start, std::uint32_t pages) {
  std::uint32_t taken = 0;
  Block** link = &slab.free;
  for (Block* block = slab.free; block != nullptr; block = block->next) {  // idle_pages() has seen where they lead
    if ((Slab::page_bits(reinterpret_cast<std::uintptr_t>(block) - start, slab.block_bytes) & pages) != 0) {
      ++taken;
    } else {
      *link = block;
      link = &block->next;
    }
  }
  *link = nullptr;
  return taken;
}

// The slab has been taken.
std::size_t give_back_inside(Slab& slab) {
  add(g_pages, -block_pages(slab));
  const std::uintptr_t start = g_region.slice_start(g_region.index_of(&slab));
  const std::uint32_t idle = idle_pages(slab, start) & slab.touched_pages;
  Offer expected = Offer::kTaken;
  if (idle == 0) {
    // Release: pairs with claim(). A fork in a signal handler may have called it lost.
    slab.offer.compare_exchange_strong(expected, Offer::kPurged, std::memory_order_release, std::memory_order_relaxed);
    return 0;
  }
  slab.gone_pages = static_cast<std::uint16_t>(idle);  // first: a leak report may read along
  slab.gone_count = static_cast<std::uint16_t>(take_out(slab, start, idle));
  slab.free_count -= slab.gone_count;
  slab.look_at = slab.carved_count - slab.gone_count;
  slab.touched_pages = static_cast<std::uint16_t>(slab.touched_pages & ~idle);
  const auto count = static_cast<std::size_t>(std::popcount(idle));
  g_demand.unneed(count, count);
  if (!slab.offer.compare_exchange_strong(expected, Offer::kPurging, std::memory_order_release, std::memory_order_relaxed)) return 0;  // as above
  expected = Offer::kPurging;
  const bool purged = purge(slab, idle);
  if (purged) g_demand.gone(count);
  // Release: whoever waited finds zeros.
  slab.offer.compare_exchange_strong(expected, purged ? Offer::kPurged : Offer::kRefused, std::memory_order_release, std::memory_order_relaxed);
  return purged ? count : 0;
}

std::size_t give_back_tail(Slab& slab, std::uint8_t count) {
  // Fixed while there is a tail: block_bytes, capacity, class.
  const bool purged = purge(slab, tail_bits(slab));
  if (purged) g_demand.gone(count);
  add(g_tails, -1);
  // Release: pairs with settle_tail(). Refused: as if there were none to give.
  slab.tail.store(purged ? kTailGone : kTailNone, std::memory_order_release);
  return purged ? count : 0;
}

// What a look over the slabs came to.
struct Found {
  std::size_t gone_pages = 0;
  bool any = false;  // offer, old enough or not
};

// Whether one of the slab's offers was old enough, and taken up.
bool look_at(Slab& slab, std::uint64_t now_ms, std::uint64_t age_ms, Found& found) {
  // Relaxed: the exchange looks again.
  const bool is_offered = slab.offer.load(std::memory_order_relaxed) == Offer::kOffered;
  std::uint8_t tail = slab.tail.load(std::memory_order_relaxed);
  const bool has_tail = (tail & kTailStates) == kTailOffered;
  if (!is_offered && !has_tail) return false;
  found.any = true;
  // Negative where it was offered since the caller looked at the clock. Relaxed: a figure.
  const auto age = static_cast<std::int32_t>(stamp(now_ms) - slab.since_ms.load(std::memory_order_relaxed));
  if (age < 0 || static_cast<std::uint64_t>(age) < age_ms) return false;
  const auto taken = static_cast<std::uint8_t>(kTailTaken | (tail & ~kTailStates));
  g_taken.store(&slab, std::memory_order_relaxed);  // relaxed: read in a child that has no other thread
  order_writes();  // a child finds the slab named before it is taken
  // Acquire, both: the slab is as its owner left it.
  if (has_tail && slab.tail.compare_exchange_strong(tail, taken, std::memory_order_acquire, std::memory_order_relaxed)) {
    found.gone_pages += give_back_tail(slab, tail & static_cast<std::uint8_t>(~kTailStates));
  }
  Offer offered = Offer::kOffered;
  // Acquire: as above.
  if (is_offered && slab.offer.compare_exchange_strong(offered, Offer::kTaken, std::memory_order_acquire, std::memory_order_relaxed)) {
    found.gone_pages += give_back_inside(slab);
  }
  order_writes();  // as above
  g_taken.store(nullptr, std::memory_order_relaxed);  // relaxed: as above
  return true;
}

}  // namespace

std::uint32_t sparse_at(const Slab& slab) {
  const auto pages_each = static_cast<std::uint32_t>((slab.block_bytes + kPageBytes - 1) >> kPageShift);
  const std::uint32_t live = std::max(1U, std::min(slab.pages_of(slab.capacity) / 2 / pages_each, slab.capacity / kSparseShare));
  return slab.carved_count > live ? slab.carved_count - live : slab.carved_count;
}

void offer_tail(Slab& slab) {
  const auto count = static_cast<std::uint8_t>(std::popcount(slab.touched_pages & tail_bits(slab)));
  if (count == 0) return;
  slab.since_ms.store(stamp(os::now_ms()), std::memory_order_relaxed);  // relaxed: a figure
  add(g_tails, 1);
  slab.tail.store(static_cast<std::uint8_t>(kTailOffered | count), std::memory_order_release);  // pairs with look_at()
}

void settle_tail(Slab& slab) {
  std::uint8_t tail = slab.tail.load(std::memory_order_relaxed);  // relaxed: the exchange looks again
  if (tail == kTailNone) return;
  while ((tail & kTailStates) == kTailTaken || !slab.tail.compare_exchange_weak(tail, kTailNone, std::memory_order_acquire,  // acquire: its purge is done
                                                                                std::memory_order_relaxed)) {
    if ((tail & kTailStates) == kTailTaken) wait_a_moment();
    tail = slab.tail.load(std::memory_order_relaxed);  // relaxed: as above
  }
  if (tail == kTailGone) slab.touched_pages = static_cast<std::uint16_t>(slab.touched_pages & ~tail_bits(slab));
  else if (tail != kTailNone) add(g_tails, -1);
}

void publish(Slab& slab) {
  slab.since_ms.store(stamp(os::now_ms()), std::memory_order_relaxed);  // relaxed: a figure
  add(g_pages, block_pages(slab));
  slab.offer.store(Offer::kOffered, std::memory_order_release);  // pairs with look_at()
}

bool claim(Slab& slab) {
  for (;;) {
    Offer offer = slab.offer.load(std::memory_order_acquire);  // acquire: pairs with give_back_inside()
    if (offer == Offer::kLost) return false;
    if (offer == Offer::kTaken) {
      wait_a_moment();
    } else if (offer != Offer::kOffered) {
      return true;
    } else if (slab.offer.compare_exchange_strong(offer, Offer::kHeld, std::memory_order_relaxed)) {  // relaxed: nobody has changed it
      add(g_pages, -block_pages(slab));
      return true;
    }
  }
}

Offer wait_purged(const Slab& slab) {
  for (;;) {
    const Offer offer = slab.offer.load(std::memory_order_acquire);  // acquire: the pages are back
    if (offer != Offer::kPurging) return offer;
    wait_a_moment();
  }
}

// Relaxed, both: figures.
std::size_t pages() { return static_cast<std::size_t>(std::max<std::ptrdiff_t>(g_pages.load(std::memory_order_relaxed), 0)); }
bool any() { return pages() != 0 || g_tails.load(std::memory_order_relaxed) > 0; }

std::size_t give_back(std::uint64_t now_ms, std::uint64_t age_ms, Work most) {
  // Acquire and release: a child finds g_taken as the last thread at it wrote it.
  if (!any() || g_looking.exchange(true, std::memory_order_acquire)) return 0;
  Found found;
  // Relaxed, all: see the top.
  const std::size_t slices = g_slice_count.load(std::memory_order_relaxed);
  std::size_t slice = g_next_slice.load(std::memory_order_relaxed);
  if (slice >= slices || most.slices == SIZE_MAX) slice = 0;
  const bool is_whole = slice == 0 && most.slices >= slices;
  const std::size_t end = most.slices < slices - slice ? slice + most.slices : slices;
  while (slice < end && most.slabs != 0 && any()) {
    if (slice % kSlicesPerChunk == 0 && !g_page_heap.uses_chunk(static_cast<std::uint32_t>(slice / kSlicesPerChunk))) {
      slice += kSlicesPerChunk;  // to read its books would touch them
      continue;
    }
    if (look_at(g_region.slabs[slice], now_ms, age_ms, found)) --most.slabs;
    ++slice;
  }
  g_next_slice.store(slice < slices ? slice : 0, std::memory_order_relaxed);
  // A fork may have come between an offer and its count. Relaxed, all: figures.
  if (is_whole && slice >= slices && !found.any && g_is_child.exchange(false, std::memory_order_relaxed)) {
    g_pages.store(0, std::memory_order_relaxed);
    g_tails.store(0, std::memory_order_relaxed);
  }
  g_looking.store(false, std::memory_order_release);  // release: see the exchange
  return found.gone_pages;
}

void recover_after_fork() {
  // Relaxed, all: one thread is left. If it was this one, it goes on.
  Slab* slab = g_taken.load(std::memory_order_relaxed);
  if (slab != nullptr) {
    const Offer offer = slab->offer.load(std::memory_order_relaxed);
    if (offer == Offer::kTaken) slab->offer.store(Offer::kLost, std::memory_order_relaxed);
    if (offer == Offer::kPurging) slab->offer.store(Offer::kRefused, std::memory_order_relaxed);
    if ((slab->tail.load(std::memory_order_relaxed) & kTailStates) == kTailTaken) slab->tail.store(kTailNone, std::memory_order_relaxed);
  }
  g_taken.store(nullptr, std::memory_order_relaxed);
  g_looking.store(false, std::memory_order_relaxed);
  g_is_child.store(true, std::memory_order_relaxed);
}

}  // namespace offers

// The part of Heap that offers slabs and takes them back.

// The slab has just become sparse. It is offered once some others have: a thread that takes everything down is about to empty it.
void Heap::note_sparse(const Bin& bin, const Slab* slab) {
  if (bin.partial_count <= kLeastPartialSlabs) return;
  std::uint32_t& place = sparse[next_sparse++ % std::size(sparse)];
  const std::uint32_t before = place;
  place = number_of(slab);
  if (before == 0 || before == place) return;
  Slab* old = slab_numbered(before);
  // Relaxed: if it is this heap, only this thread changes it. It may be another slab by now, to which the same applies.
  if (old->heap.load(std::memory_order_relaxed) != this) return;
  Bin& its_bin = bins[old->size_class];
  if (its_bin.partial_count > kLeastPartialSlabs && may_offer(its_bin, *old) && old->free_count >= offers::sparse_at(*old)) offer(its_bin, old);
}

void Heap::offer(Bin& bin, Slab* slab) {
  unlink(bin, slab);
  link(bin, slab, SlabList::kOffered);
  offers::publish(*slab);
}

// What is freed into the slab from now on comes by inbox, and is dropped: no thread passes for its owner.
void Heap::lose(Slab* slab) {
  slab->list = SlabList::kLost;
  const std::uint32_t slice = g_region.index_of(slab);
  // Relaxed: as in set_owner().
  for (std::uint32_t i = 0; i < slab_slices(slab->size_class); ++i) g_region.owner(slice + i).store(0, std::memory_order_relaxed);
}

bool Heap::reclaim(Slab* slab) {
  Bin& bin = bins[slab->size_class];
  if (slab->list == SlabList::kLost) return false;
  const bool sound = offers::claim(*slab);
  unlink(bin, slab);
  if (!sound) lose(slab);
  else if (slab->gone_pages == 0) slab->look_at = offers::sparse_at(*slab);
  return sound;
}

void Heap::look_into(Slab* slab) {
  if (slab->list >= SlabList::kOffered && reclaim(slab)) link(bins[slab->size_class], slab, slab->free_count != 0 ? SlabList::kPartial : SlabList::kOffered);
}

// The free blocks of the lowest run of pages that went back are the slab's again.
void Heap::restore(Slab* slab) {
  const bool resident = offers::wait_purged(*slab) == Offer::kRefused;
  const auto first = static_cast<std::uint32_t>(std::countr_zero(slab->gone_pages));
  const auto count = static_cast<std::uint32_t>(std::countr_one(static_cast<std::uint32_t>(slab->gone_pages) >> first));
  const std::uint32_t run = ((1U << count) - 1) << first;
  const std::uintptr_t start = g_region.slice_start(g_region.index_of(slab));
  auto index = static_cast<std::uint32_t>((first << kPageShift) / slab->block_bytes);
  for (; index < slab->capacity && (Slab::page_bits(std::size_t{index} * slab->block_bytes, slab->block_bytes) & run) != 0; ++index) {
    auto* block = reinterpret_cast<Block*>(start + std::uintptr_t{index} * slab->block_bytes);
    block->next = slab->free;
    slab->free = block;
    ++slab->free_count;
    --slab->gone_count;
  }
  slab->gone_pages = static_cast<std::uint16_t>(slab->gone_pages & ~run);
  slab->touched_pages = static_cast<std::uint16_t>(slab->touched_pages | run);
  slab->look_at = slab->carved_count - slab->gone_count;
  g_demand.need(count, resident ? count : 0);
  if (slab->gone_pages == 0) slab->offer.store(Offer::kHeld, std::memory_order_relaxed);  // relaxed: others look at offered ones only
}

bool Heap::take_offered(Bin& bin) {
  while (bin.offered != 0) {
    Slab* slab = slab_numbered(bin.offered);
    if (!reclaim(slab)) continue;
    if (slab->free_count == 0) restore(slab);
    link(bin, slab, SlabList::kPartial);
    return true;
  }
  return false;
}

// The pages of an ending slab that went back are no longer its own matter. Returns how many there are.
std::uint32_t Heap::settle(Slab* slab) {
  offers::settle_tail(*slab);
  if (slab->gone_pages == 0) {
    slab->offer.store(Offer::kHeld, std::memory_order_relaxed);  // relaxed: as above
    return 0;
  }
  if (offers::wait_purged(*slab) == Offer::kRefused) slab->touched_pages = static_cast<std::uint16_t>(slab->touched_pages | slab->gone_pages);
  const auto gone = static_cast<std::uint32_t>(std::popcount(slab->gone_pages));
  slab->gone_pages = 0;
  slab->gone_count = 0;
  slab->offer.store(Offer::kHeld, std::memory_order_relaxed);  // relaxed: as above
  return gone;
}

void Heap::offer_sparse() {
  for (std::uint32_t c = 1; c < kClassCount; ++c) {
    Bin& bin = bins[c];
    for (std::uint32_t number = bin.partial; number != 0;) {
      Slab* slab = slab_numbered(number);
      number = slab->next;
      const bool has_a_page = std::size_t{slab->free_count} * slab->block_bytes >= kPageBytes;
      if (has_a_page && may_offer(bin, *slab)) offer(bin, slab);
    }
  }
}

}  // namespace osmem
