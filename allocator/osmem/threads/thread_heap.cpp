#include "allocator/osmem/threads/thread_heap.hpp"

#include <algorithm>
#include <bit>

#include "allocator/osmem/base/check.hpp"
#include "allocator/osmem/pages/large.hpp"
#include "allocator/osmem/slabs/carve_order.hpp"
#include "allocator/osmem/threads/free_checks.hpp"
#include "allocator/osmem/threads/heap_pool.hpp"
#include "allocator/osmem/threads/offers.hpp"
#include "allocator/osmem/threads/remote_cache.hpp"

namespace osmem {
namespace {

constexpr std::uint32_t kBatchBytes = 8192;
constexpr std::uint32_t kMaxBatch = 64;

// A slab's free list of up to this many times the number wanted is taken whole.
constexpr std::uint32_t kWholeList = 4;

// Carving touches fresh memory, so a step is at most a page, or one block.
constexpr std::uint32_t kCarveBytes = 4096;

// The blocks at the front of a list that lie in one slice: blocks freed one after the other often do.
struct Front {
  Slab* slab;
  Block* last;
  std::uint32_t count;
  Block* rest;  // of the list
};

// Aborts where there are more than the slab can have: a list that a block freed twice has closed to a ring has no end. The slab may be
// another thread's: only what is fixed is read of it.
Front front_of(Block* list) {
  const std::size_t slice = g_region.slice_of(list);
  Front front{slab_of_slice(slice), list, 1, list->next};
  // Null lies in no slice: it is below any.
  while (g_region.slice_of(front.rest) == slice) {
    front.last = front.rest;
    front.rest = front.rest->next;
    check(++front.count <= front.slab->capacity, "free of a block that was freed before", front.last);
  }
  return front;
}

std::uint32_t& head_of_list(Bin& bin, SlabList list) {
  return list == SlabList::kPartial ? bin.partial : list == SlabList::kFull ? bin.full : bin.offered;
}

}  // namespace

void Heap::initialise() {
  for (std::uint32_t c = 1; c < kClassCount; ++c) {
    Bin& bin = bins[c];
    bin.size_class = static_cast<std::uint8_t>(c);
    bin.kept_limit = freed_limit(c, threads_are_many());
    bin.limit = bin.kept_limit;
    bin.budget = bin.limit;
    bin.batch = static_cast<std::uint16_t>(std::clamp(kBatchBytes / kClassBytes[c], 2U, kMaxBatch));
    bin.most_slabs = 0;
    bin.flushes = 0;
    bin.guests = 0;
    arm(bin, kLaterLooks);
  }
  extra_freed_bytes = 0;
  note_share();
  loans_left = kLoansPerStep;
}

void Heap::note_share() {
  kept_runs.most_pages = share_of(RunCache::kMostPages);
  most_empty = share_of(static_cast<std::uint32_t>(std::size(empty_slabs)));
}

void Heap::link(Bin& bin, Slab* slab, SlabList list) {
  std::uint32_t& head = head_of_list(bin, list);
  if (list == SlabList::kPartial) ++bin.partial_count;
  slab->list = list;
  slab->previous = 0;
  slab->next = head;
  if (head != 0) slab_numbered(head)->previous = number_of(slab);
  head = number_of(slab);
}

void Heap::unlink(Bin& bin, Slab* slab) {
  if (slab->list == SlabList::kNone) return;
  std::uint32_t& head = head_of_list(bin, slab->list);
  if (slab->list == SlabList::kPartial) --bin.partial_count;
  if (slab->previous != 0) {
    slab_numbered(slab->previous)->next = slab->next;
  } else {
    head = slab->next;
  }
  if (slab->next != 0) slab_numbered(slab->next)->previous = slab->previous;
  slab->list = SlabList::kNone;
}

// Takes up to `want` blocks from the first partial slab. False: the class has no free block in its slabs.
bool Heap::take_free(Bin& bin, std::uint32_t want, BlockChain& chain) {
  if (bin.partial == 0) return false;
  Slab* slab = slab_numbered(bin.partial);
  Block* first = slab->free;
  Block* last = first;
  std::uint32_t taken = 1;
  if (want > 1 && chain.head == nullptr && slab->free_count >= want && slab->free_count <= kWholeList * want) {
    // Enough, and not too much: the list goes as it is, without a walk to its end.
    chain.head = first;
    chain.count = slab->free_count;
    slab->free = nullptr;
    slab->free_count = 0;
    exhausted(bin, slab);
    return true;
  }
  if (slab->free_count <= want) {
    taken = slab->free_count;
    // The tail is needed only to append to a chain that has blocks already, or to be appended to.
    for (std::uint32_t i = 1; i < taken; ++i) last = last->next;
    slab->free = nullptr;
  } else {
    for (; taken < want; ++taken) last = last->next;
    slab->free = last->next;
  }
  slab->free_count -= taken;
  chain.append(first, last, taken);
  if (slab->free_count == 0) exhausted(bin, slab);
  return true;
}

// The slab's free list has run out.
void Heap::exhausted(Bin& bin, Slab* slab) {
  unlink(bin, slab);
  // With pages that went back: these come last.
  if (slab->gone_pages != 0) link(bin, slab, SlabList::kOffered);
  else if (bin.carving != number_of(slab)) link(bin, slab, SlabList::kFull);
  if (slab->gone_pages == 0 && slab->is_fully_carved()) slab->look_at = offers::sparse_at(*slab);
  if (bin.partial_count > 1) prefer_fullest(bin);
}

// Of the first few partial slabs, the one with the fewest free blocks comes first: the others get a chance to empty.
void Heap::prefer_fullest(Bin& bin) {
  constexpr int kLooks = 4;
  Slab* best = slab_numbered(bin.partial);
  Slab* slab = best;
  for (int i = 1; i < kLooks && slab->next != 0; ++i) {
    slab = slab_numbered(slab->next);
    if (slab->free_count < best->free_count) best = slab;
  }
  if (number_of(best) == bin.partial) return;
  unlink(bin, best);
  link(bin, best, SlabList::kPartial);
}

// Cuts up to `want` fresh blocks, a page's worth at most. The slab leaves the bin's `carving` place when none are left.
std::uint32_t Heap::carve(Slab* slab, std::uint32_t want, BlockChain& chain) {
  const std::uint32_t bytes = slab->block_bytes;
  const std::uint32_t step = std::max(1U, kCarveBytes / bytes);
  const std::uint32_t count = std::min({want, step, std::uint32_t{slab->capacity} - slab->carved_count});
  const std::uintptr_t first =
      g_region.slice_start(g_region.index_of(slab)) + std::uintptr_t{slab->carved_count} * bytes;
  const std::uint32_t pages_before = slab->pages_of(slab->carved_count);
  slab->carved_count += count;
  slab->look_at = slab->carved_count;
  use_pages(slab, pages_before);
  const CarveOrder order(count);
  auto* const head = reinterpret_cast<Block*>(first + std::uintptr_t{order(0)} * bytes);
  Block* last = head;
  for (std::uint32_t i = 1; i < count; ++i) {
    auto* next = reinterpret_cast<Block*>(first + std::uintptr_t{order(i)} * bytes);
    last->next = next;
    last = next;
  }
  chain.append(head, last, count);
  return count;
}

// The pages from `pages_before` on that the slab's blocks reach into are needed now.
void Heap::use_pages(Slab* slab, std::uint32_t pages_before) {
  const std::uint32_t pages = slab->pages_of(slab->carved_count) - pages_before;
  if (pages == 0) return;
  const std::uint32_t used = ((1U << pages) - 1) << pages_before;
  const auto were_touched = static_cast<std::uint32_t>(std::popcount(used & slab->touched_pages));
  slab->touched_pages = static_cast<std::uint16_t>(slab->touched_pages | used);
  // What the thread keeps would count as needed.
  if (kept_runs.count != 0 && g_demand.would_raise_peak(pages)) kept_runs.release();
  g_demand.need(pages, were_touched);
  // Without a thread the heap is used under the pool's lock, and nothing goes back while others may wait for it.
  if (g_demand.excess() == 0 || owner == 0) [[likely]] return;
  release_empty();
  store::make_room();
}

template <typename Visit>
void Heap::for_each_slab(Visit visit) {
  for (std::uint32_t c = 1; c < kClassCount; ++c) {
    const Bin& bin = bins[c];
    for (std::uint32_t n = bin.partial; n != 0; n = slab_numbered(n)->next) visit(slab_numbered(n));
    for (std::uint32_t n = bin.full; n != 0; n = slab_numbered(n)->next) visit(slab_numbered(n));
    for (std::uint32_t n = bin.offered; n != 0; n = slab_numbered(n)->next) visit(slab_numbered(n));
    if (bin.carving != 0 && slab_numbered(bin.carving)->list == SlabList::kNone) {
      visit(slab_numbered(bin.carving));
    }
  }
}

// Gives those of a slab's touched pages back that no block was handed out of, a bit for each.
void Heap::purge_pages(Slab* slab, std::uint32_t idle) {
  while (idle != 0) {
    const auto page = static_cast<std::uint32_t>(std::countr_zero(idle));
    const auto pages = static_cast<std::uint32_t>(std::countr_one(idle >> page));
    const std::uint32_t range = ((1U << pages) - 1) << page;
    if (g_page_heap.purge_idle(g_region.index_of(slab) * kPagesPerSlice + page, pages)) {
      slab->touched_pages = static_cast<std::uint16_t>(slab->touched_pages & ~range);
    }
    idle &= ~range;
  }
}

void Heap::purge_idle() {
  for (std::uint32_t c = 1; c < kClassCount; ++c) {
    if (bins[c].carving == 0) continue;
    Slab* slab = slab_numbered(bins[c].carving);
    const std::uint32_t handed_out = (1U << slab->pages_of(slab->carved_count)) - 1;
    const std::uint32_t of_blocks = (1U << slab->pages_of(slab->capacity)) - 1;
    purge_pages(slab, slab->touched_pages & of_blocks & ~handed_out);
  }
}

BlockChain Heap::gather(std::uint32_t size_class, std::uint32_t want, Borrowing borrowing) {
  take_arrivals();
  Bin& bin = bins[size_class];
  BlockChain chain;
  while (chain.count < want) {
    if (take_free(bin, want - chain.count, chain)) continue;
    if (bin.offered != 0 && take_offered(bin)) continue;
    const bool may_borrow = chain.count == 0 && borrowing == Borrowing::kAllowed;
    if (may_borrow && borrow(size_class, want, chain)) break;
    if (bin.carving == 0) {
      if (may_borrow && borrow_kept(size_class, want, chain)) break;
      if (chain.count != 0 || !add_slab(bin)) break;
      continue;
    }
    Slab* slab = slab_numbered(bin.carving);
    const bool touches_page = slab->pages_of(slab->carved_count + 1) != slab->pages_of(slab->carved_count);
    if (touches_page && may_borrow && borrow_kept(size_class, want, chain)) break;
    carve(slab, want - chain.count, chain);
    if (slab->carved_count == slab->capacity) {
      bin.carving = 0;
      exhausted(bin, slab);
    }
    break;  // one step of fresh memory at a time
  }
  if (chain.tail != nullptr) chain.tail->next = nullptr;
  return chain;
}

// More room for the class. The slab is then the bin's carving slab, or in its partial or offered list.
bool Heap::add_slab(Bin& bin) {
  if (take_from_pool(*this, bin.size_class)) return true;
  if (slab_slices(bin.size_class) == 1 && take_empty_slab(bin)) return true;
  const std::uint32_t pages = slab_slices(bin.size_class) * kPagesPerSlice;
  before_fresh_pages(pages);
  if (slab_slices(bin.size_class) == 1 && take_empty_slab(bin)) return true;
  // Of a class's first slab perhaps no more than a page.
  const std::uint32_t likely_pages = bin.used_slabs == 0 ? 1 : pages;
  PageHeap::Run run = g_page_heap.allocate_gradual(pages, kPagesPerSlice, likely_pages);
  // The process's limits count what the cache of mappings holds.
  if (!run.found && large::give_back(SIZE_MAX, 0) != 0) {
    run = g_page_heap.allocate_gradual(pages, kPagesPerSlice, likely_pages);
  }
  if (!run.found) return false;
  start_slab(bin, run.first_page / kPagesPerSlice, run.touched_pages);
  return true;
}

// A slab has joined the bin.
void Heap::count_slab(Bin& bin) {
  ++bin.used_slabs;
  bin.most_slabs = std::max(bin.most_slabs, bin.used_slabs);
  slices_in_use += slab_slices(bin.size_class);
}

bool Heap::take_empty_slab(Bin& bin) {
  if (empty_count == 0) return false;
  empty_count = empty_count - 1;
  const std::uint32_t slice = empty_slabs[empty_count];
  start_slab(bin, slice, g_region.slabs[slice].touched_pages);
  return true;
}

void Heap::start_slab(Bin& bin, std::uint32_t slice, std::uint16_t touched_pages) {
  const std::uint32_t c = bin.size_class;
  Slab& slab = g_region.slabs[slice];
  slab.free = nullptr;
  slab.free_count = 0;
  slab.carved_count = 0;
  slab.look_at = 0;
  slab.gone_pages = 0;
  slab.gone_count = 0;
  slab.list = SlabList::kNone;
  slab.kind = SliceKind::kSlab;
  slab.size_class = static_cast<std::uint8_t>(c);
  slab.head_offset = 0;
  slab.capacity = static_cast<std::uint16_t>(slab_capacity(c));
  slab.touched_pages = touched_pages;
  slab.block_bytes = kClassBytes[c];
  slab.heap.store(this, std::memory_order_relaxed);  // relaxed: nobody has a block of it yet
  for (std::uint32_t i = 0; i < slab_slices(c); ++i) {
    if (i != 0) {
      g_region.slabs[slice + i].kind = SliceKind::kInner;
      g_region.slabs[slice + i].head_offset = static_cast<std::uint8_t>(i);
      g_region.slabs[slice + i].size_class = static_cast<std::uint8_t>(c);
    }
    g_region.bin(slice + i).store(&bin, std::memory_order_relaxed);  // relaxed: see Region::bin()
    g_region.owner(slice + i).store(owner, std::memory_order_relaxed);  // relaxed: as above
  }
  bin.carving = slice + 1;
  count_slab(bin);
  offers::offer_tail(slab);
}

// All its blocks are back and none is on its way: the run goes to the heap's cache or home.
void Heap::release_slab(Bin& bin, Slab* slab) {
  unlink(bin, slab);
  const std::uint32_t gone = settle(slab);
  if (bin.carving == number_of(slab)) bin.carving = 0;
  --bin.used_slabs;
  const std::uint32_t slice = g_region.index_of(slab);
  const std::uint32_t slices = slab_slices(slab->size_class);
  slices_in_use -= slices;
  for (std::uint32_t i = 0; i < slices; ++i) {
    // Relaxed: no live block is left in these slices.
    g_region.owner(slice + i).store(0, std::memory_order_relaxed);
    g_region.slabs[slice + i].kind = SliceKind::kNone;
    g_region.slabs[slice + i].head_offset = 0;
  }
  slab->heap.store(nullptr, std::memory_order_relaxed);  // relaxed: as above
  const std::uint32_t needed = slab->pages_of(slab->carved_count) - gone;
  g_demand.unneed(needed, needed);
  if (slices == 1 && owner != 0 && empty_count < most_empty) {
    empty_slabs[empty_count] = slice;
    empty_count = empty_count + 1;
    return;
  }
  g_page_heap.free_gradual(slice * kPagesPerSlice, slab->touched_pages);
}

void Heap::release_empty() {
  kept_runs.release();
  while (empty_count != 0) {
    empty_count = empty_count - 1;
    const std::uint32_t slice = empty_slabs[empty_count];
    g_page_heap.free_gradual(slice * kPagesPerSlice, g_region.slabs[slice].touched_pages);
  }
}

void Heap::received(Bin& bin, Slab* slab) {
  if (slab->free_count + slab->gone_count == slab->carved_count) return release_slab(bin, slab);
  if (slab->list != SlabList::kPartial) {
    unlink(bin, slab);
    link(bin, slab, SlabList::kPartial);
  }
  if (slab->free_count < slab->look_at) return;
  // It has become sparse.
  slab->look_at = slab->carved_count - slab->gone_count;
  note_sparse(bin, slab);
}

void Heap::give_back_list(Block* list) {
  while (list != nullptr) {
    const Front front = front_of(list);
    take_back(front.slab, list, front.last, front.count);
    list = front.rest;
  }
}

// What came for slabs of this heap goes back to them, the rest is sent on. A heap without a thread acts under the pool's lock, and
// so for any other heap without a thread.
void Heap::take_in(std::uintptr_t arrived) {
  std::size_t bytes = 0;
  for (auto* list = reinterpret_cast<Block*>(arrived); list != nullptr;) {
    const Front front = front_of(list);
    bytes += std::size_t{front.count} * front.slab->block_bytes;
    // Relaxed: if it is this heap, only this thread may change it; if not, whoever gets the blocks looks again.
    Heap* heap = front.slab->heap.load(std::memory_order_relaxed);
    if (heap == this || (owner == 0 && heap->pooled.load(std::memory_order_relaxed))) {  // relaxed: we hold the lock
      heap->take_back(front.slab, list, front.last, front.count);
    } else if (owner == 0) {
      push_home(heap, list, front.last, front.count * front.slab->block_bytes);
    } else {
      send_home(heap, list, front.last, front.count * front.slab->block_bytes);
    }
    list = front.rest;
  }
  arriving_bytes.fetch_sub(bytes, std::memory_order_relaxed);  // relaxed: a figure
}

void Heap::set_owner(std::uintptr_t thread) {
  owner = thread;
  for_each_slab([thread](Slab* slab) {
    const std::uint32_t slice = g_region.index_of(slab);
    for (std::uint32_t i = 0; i < slab_slices(slab->size_class); ++i) {
      // Relaxed: only the thread named may act on it, and that is the one that writes it or has the pool's lock.
      g_region.owner(slice + i).store(thread, std::memory_order_relaxed);
    }
  });
}

void Heap::adopt(Heap& from, Slab* slab) {
  const std::uint32_t c = slab->size_class;
  Bin& bin = bins[c];
  if (from.bins[c].carving == number_of(slab)) from.bins[c].carving = 0;
  const bool is_offered = slab->list == SlabList::kOffered;
  from.unlink(from.bins[c], slab);
  --from.bins[c].used_slabs;
  from.slices_in_use -= slab_slices(c);
  count_slab(bin);
  slab->heap.store(this, std::memory_order_relaxed);  // relaxed: whoever sends blocks to the old heap has them sent on
  const std::uint32_t slice = g_region.index_of(slab);
  for (std::uint32_t i = 0; i < slab_slices(c); ++i) {
    g_region.bin(slice + i).store(&bin, std::memory_order_relaxed);  // relaxed: see Region::bin()
    g_region.owner(slice + i).store(owner, std::memory_order_relaxed);  // relaxed: as in set_owner()
  }
  // A class carves from one slab; others that could be carved from wait until one of their blocks comes back.
  if (bin.carving == 0 && slab->carved_count < slab->capacity) bin.carving = number_of(slab);
  if (is_offered) {
    link(bin, slab, SlabList::kOffered);
  } else if (slab->free_count != 0) {
    link(bin, slab, SlabList::kPartial);
  } else if (bin.carving != number_of(slab)) {
    link(bin, slab, SlabList::kFull);
  }
}

void Heap::adopt_all(Heap& from) {
  for (Bin& bin : from.bins) {
    while (bin.partial != 0) adopt(from, slab_numbered(bin.partial));
    while (bin.full != 0) adopt(from, slab_numbered(bin.full));
    while (bin.offered != 0) adopt(from, slab_numbered(bin.offered));
    if (bin.carving != 0) adopt(from, slab_numbered(bin.carving));
  }
}

void Heap::check_invariants() {
  for_each_slab([this](Slab* slab) {
    // Relaxed: only this heap's owner writes it.
    check(slab->heap.load(std::memory_order_relaxed) == this, "thread heap: a slab names another heap");
    if (slab->list == SlabList::kOffered) return;  // another thread may be at it
    check(slab->free_count + slab->gone_count < slab->carved_count || slab->carved_count == 0, "thread heap: an empty slab was kept");
    check(slab->carved_count <= slab->capacity, "thread heap: more blocks than fit");
    check((slab->list == SlabList::kPartial) == (slab->free_count != 0),
          "thread heap: a slab is in the wrong list");
    std::uint32_t length = 0;
    for (const Block* block = slab->free; block != nullptr && length <= slab->free_count; block = block->next) {
      ++length;
    }
    check(length == slab->free_count, "thread heap: a free list is miscounted");
  });
}

}  // namespace osmem
