#include "allocator/osmem/api/alloc.hpp"

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "allocator/osmem/slabs/blocks.hpp"
#include "allocator/osmem/base/check.hpp"
#include "allocator/osmem/api/foreign_blocks.hpp"
#include "allocator/osmem/api/guarded.hpp"
#include "allocator/osmem/threads/free_checks.hpp"
#include "allocator/osmem/threads/heap_pool.hpp"
#include "allocator/osmem/pages/large.hpp"
#include "allocator/osmem/os/os.hpp"
#include "allocator/osmem/api/process.hpp"
#include "allocator/osmem/threads/remote_cache.hpp"

// malloc_slow                          free_of_other                   free_overflow
//   swap in the freed blocks             run: page heap                  give the freed blocks to their slabs
//   refill: Heap::gather                 slab of another thread:         (every free, while freeing goes on
//   allocate_run: page heap                RemoteCache, send_home         without allocation)
//   large::allocate: mmap                large::free, foreign free
namespace osmem {
namespace {

// Slow-path entries between two looks at the clock. While memory is to go back, an allocation counts for several, and for
// all of them in a thread that calls now and then only: it may not come again for long.
constexpr std::uint32_t kTicks = 32;
constexpr std::uint32_t kTicksWhilePending = 8;
// The same in a thread that frees blocks of others, in chains of them that it sends home.
constexpr std::uint32_t kSendsPerLook = 8;

void tick(Heap* heap, std::uint32_t ticks = 1) {
  if (heap->ticks > ticks) [[likely]] {
    heap->ticks -= ticks;
    return;
  }
  heap->ticks = kTicks;
  maintain();
}

void tick_allocation(Heap* heap) {
  tick(heap, !purge_pending() ? 1 : heap->trickles ? kTicks : kTicksWhilePending);
}

// The calling thread's heap, made now if need be; null for a thread past its end, or without memory.
Heap* thread_heap() {
  if (t_cache.heap != nullptr) [[likely]] return t_cache.heap;
  if (t_cache.state == ThreadState::kExited || !ensure_started()) return nullptr;
  Heap* heap = acquire_heap();
  if (heap == nullptr) return nullptr;
  t_cache.heap = heap;
  if (t_cache.state == ThreadState::kNew) watch_thread_end();
  return heap;
}

// Instead of a number of flushes: the lists were emptied for what they held, not for their length.
constexpr std::uint8_t kTakenDown = UINT8_MAX;

// The thread allocates again: freed blocks are worth keeping, and more of them if some had to be given back since the
// last time. The budget stays limit less length of `freed`.
void keep_freed_blocks(Heap* heap, Bin& bin) {
  if (bin.flushes == 0) return;
  if (bin.flushes != kTakenDown) heap->keep_more_freed(bin);
  bin.flushes = 0;
  bin.budget += bin.kept_limit - bin.limit;
  bin.limit = bin.kept_limit;
}

// Where threads are many, the first blocks of a class: it may never want more. Null if it shall have a slab of its own.
void* allocate_as_guest(Bin& bin) {
  constexpr std::uint8_t kMostGuests = 4;
  if (bin.guests == kMostGuests || bin.used_slabs != 0 || !threads_are_many()) [[likely]] return nullptr;
  ++bin.guests;
  return nursery_allocate(bin.size_class);
}

[[gnu::noinline]] void* refill(Heap* heap, std::uint32_t size_class) {
  tick_allocation(heap);
  if (guarded::g_sample_bytes != 0) [[unlikely]] {
    if (void* block = guarded::allocate(*heap, size_class); block != nullptr) return block;
  }
  Bin& bin = heap->bins[size_class];
  if (void* block = allocate_as_guest(bin); block != nullptr) return block;
  keep_freed_blocks(heap, bin);
  // While memory is to go back, a thread that allocates now and then comes here each time, and so looks at the clock.
  const std::uint32_t want = heap->trickles && purge_pending() ? 1 : bin.batch;
  const BlockChain chain = heap->gather(size_class, want);
  if (chain.head == nullptr) return out_of_memory();
  head_of(*heap, size_class) = chain.head->next;
  return chain.head;
}

[[gnu::noinline]] void* reused_with_more_chores(Heap* heap, Bin& bin, Block* block) {
  keep_freed_blocks(heap, bin);
  if (purge_pending()) tick_allocation(heap);
  return block;
}

// A block was found among the freed ones. What is seldom to do then: to keep more of them, and while memory is to go back,
// to look at the clock now and then.
[[gnu::noinline]] void* reused_with_chores(Heap* heap, Bin& bin, Block* block) {
  if (bin.looks_left != 0) {
    arm(bin, bin.looks_left);
    if (bin.flushes == 0 && !purge_pending()) return block;
  }
  const bool looks = heap->ticks <= kTicksWhilePending || heap->trickles;
  if (bin.flushes != 0 || looks) return reused_with_more_chores(heap, bin, block);
  heap->ticks -= kTicksWhilePending;
  return block;
}

inline void* reused(Heap* heap, Bin& bin, Block* block) {
  if (has_chores(bin) || purge_pending()) [[unlikely]] return reused_with_chores(heap, bin, block);
  return block;
}

void* allocate_small(std::uint32_t size_class);

[[gnu::noinline]] void* allocate_without_heap(std::uint32_t size_class) {
  if (thread_heap() != nullptr) return allocate_small(size_class);
  void* block = g_region.slabs == nullptr ? nullptr : shared_allocate(size_class);
  return block == nullptr ? out_of_memory() : block;
}

// The classes whose list malloc pops by itself: `freed` becomes the list.
[[gnu::always_inline]] inline void* allocate_linear(Heap* heap, std::uint32_t size_class) {
  Block*& head = t_cache.heads[size_class];
  if (Block* block = head; block != nullptr) {
    head = block->next;
    return block;
  }
  Bin& bin = heap->bins[size_class];
  Block* block = bin.freed;
  if (block == nullptr) return refill(heap, size_class);
  check_link(bin, block);
  head = block->next;
  bin.freed = nullptr;
  bin.budget = bin.limit;
  return reused(heap, bin, block);
}

// The larger classes: the block freed last first, and blocks from a refill when no freed one is left.
[[gnu::always_inline]] inline void* allocate_stepped(Heap* heap, std::uint32_t size_class) {
  Bin& bin = heap->bins[size_class];
  if (Block* block = bin.freed; block != nullptr) {
    bin.freed = block->next;
    ++bin.budget;
    return reused(heap, bin, block);
  }
  Block* block = bin.head;
  if (block == nullptr) return refill(heap, size_class);
  bin.head = block->next;
  return block;
}

// The rare cases are functions of their own, called last, so that this one saves no register.
void* allocate_small(std::uint32_t size_class) {
  Heap* heap = t_cache.heap;
  if (heap == nullptr) [[unlikely]] return allocate_without_heap(size_class);
  return size_class < kThreadCacheClasses ? allocate_linear(heap, size_class) : allocate_stepped(heap, size_class);
}

// A block of the class whose address is a multiple of `alignment`: all blocks of its own slabs are, borrowed ones may not be.
void* allocate_small_aligned(std::uint32_t size_class, std::size_t alignment) {
  void* block = allocate_small(size_class);
  if ((reinterpret_cast<std::uintptr_t>(block) & (alignment - 1)) == 0) return block;
  Heap* heap = t_cache.heap;
  void* aligned = heap != nullptr ? heap->gather(size_class, 1, Borrowing::kForbidden).head
                                  : shared_allocate(size_class, Borrowing::kForbidden);
  fast_free(block);
  return aligned != nullptr ? aligned : out_of_memory();
}

void* start_run(PageRange run) {
  g_region.slabs[run.first_page / kPagesPerSlice].start_run(run.first_page % kPagesPerSlice, run.pages);
  return g_region.page_start(run.first_page);
}

// A run of whole pages; null without room for it in the heap. `zeroed`: all zero.
void* allocate_run(std::size_t size, std::size_t alignment, bool zeroed) {
  const auto pages = static_cast<std::uint32_t>(std::max<std::size_t>(pages_for(size), kPagesPerSlice));
  const auto align_pages = static_cast<std::uint32_t>(alignment <= kPageBytes ? 1 : alignment >> kPageShift);
  if (Heap* heap = thread_heap(); heap != nullptr) {
    const PageRange kept = heap->kept_runs.take(pages, align_pages);
    if (kept.pages != 0) {
      void* block = start_run(kept);
      return zeroed ? std::memset(block, 0, size) : block;
    }
    heap->before_fresh_pages(pages);
  }
  const PageHeap::Run run = g_page_heap.allocate(pages, align_pages);
  if (!run.found) return nullptr;
  store::keep_within_bounds();
  void* block = start_run({run.first_page, pages});
  if (zeroed && !run.zeroed) std::memset(block, 0, size);
  return block;
}

void* allocate_mapping(std::size_t size, std::size_t alignment, bool zeroed) {
  const int saved_errno = errno;
  void* block = large::allocate(size, alignment, zeroed);
  // A limit that the program has set for itself counts what is only reserved, too.
  if (block != nullptr || !fit_reservation_to_limit()) return block;
  block = large::allocate(size, alignment, zeroed);
  if (block != nullptr) errno = saved_errno;  // nothing was refused
  return block;
}

// A run or a mapping: where the one cannot be had, as under a limit, the other.
void* allocate_beyond_slabs(std::size_t size, std::size_t alignment, bool zeroed) {
  if (size > PTRDIFF_MAX || !ensure_started()) return out_of_memory();
  if (t_cache.heap != nullptr) tick_allocation(t_cache.heap);
  const bool fits_heap = size <= kChunkBytes && alignment <= kMaxMapThresholdBytes;
  const bool heap_first = fits_heap && size <= kMaxMapThresholdBytes && (size < large::threshold_bytes() || large::crowded());
  const int saved_errno = errno;
  void* block = heap_first ? allocate_run(size, alignment, zeroed) : allocate_mapping(size, alignment, zeroed);
  if (block != nullptr) return block;
  if (heap_first) return allocate_mapping(size, alignment, zeroed);
  block = fits_heap ? allocate_run(size, alignment, zeroed) : nullptr;
  if (block != nullptr) errno = saved_errno;  // nothing was refused
  return block;
}

// Frees beyond the thread's own slabs.

// A chain has to go home; also the occasion to look at the clock.
[[gnu::noinline]] void send_remote(RemoteCache::Chain& full) {
  const int saved_errno = errno;
  RemoteCache::send(full);
  RemoteCache* remote = t_cache.remote;
  if (remote->ticks-- == 0) {
    remote->ticks = kSendsPerLook;
    maintain();
  }
  errno = saved_errno;
}

// The thread's chains, made now if need be; none for a thread past its end, or without memory.
RemoteCache* remote_cache() {
  if (t_cache.remote != &g_no_chains) return t_cache.remote;
  if (t_cache.state == ThreadState::kExited) return nullptr;
  RemoteCache* remote = acquire_remote_cache();
  if (remote == nullptr) return nullptr;
  t_cache.remote = remote;
  if (t_cache.state == ThreadState::kNew) watch_thread_end();
  return remote;
}

// Another thread's block, when its chain has to be started, or its slab is of several slices.
[[gnu::noinline]] void free_remote_rarely(void* ptr, std::size_t slice) {
  const int saved_errno = errno;
  Slab* slab = slab_of_slice(slice);
  if (!check_block("free", slab, g_region.index_of(slab), ptr)) return;
  auto* block = static_cast<Block*>(ptr);
  Heap* heap = slab->heap.load(std::memory_order_relaxed);  // relaxed: blocks of a slab that has left are sent on
  const std::uintptr_t owner = g_region.owner(slice).load(std::memory_order_relaxed);  // relaxed: as above
  RemoteCache* remote = owner == 0 ? nullptr : remote_cache();
  if (remote == nullptr) {
    send_home(heap, block, block, slab->block_bytes);
  } else {
    RemoteCache::Chain& chain = remote->chain_of(owner);
    if (chain.owner != owner || chain.heap != heap) RemoteCache::start(chain, owner, heap, block);
    if (RemoteCache::add(chain, block, slab->block_bytes)) send_remote(chain);
  }
  errno = saved_errno;
}

// The thread frees what it did not allocate: blocks of this class would lie in its lists and hold slabs that it has no use for. Until it
// allocates of the class each one goes straight to its slab.
void take_down(Bin& bin) {
  if (bin.limit == 0 && bin.flushes != 0) return;
  Heap* heap = heap_of(&bin);
  Block*& head = head_of(*heap, bin.size_class);
  Block* lists[] = {head, bin.freed};
  head = nullptr;
  bin.freed = nullptr;
  bin.flushes = kTakenDown;
  bin.limit = 0;
  bin.budget = 0;
  for (Block* list : lists) heap->give_back_list(list);
}

// A block of a heap without a thread: its slab becomes this thread's, and so do the frees that follow.
[[gnu::noinline]] void free_abandoned(void* ptr, std::size_t slice) {
  Slab* slab = slab_of_slice(slice);
  if (!check_block("free", slab, g_region.index_of(slab), ptr)) return;
  const int saved_errno = errno;
  // The slab is the thread's own, too, if the thread has just got the heap that it is in.
  if (Heap* heap = thread_heap(); heap != nullptr && !owns(slice)) {
    if (adopt_slab(*heap, slab)) take_down(heap->bins[slab->size_class]);
  }
  errno = saved_errno;
  if (owns(slice)) return fast_free(ptr);
  free_remote_rarely(ptr, slice);
}

[[gnu::noinline]] void give_up_run(Heap* heap, PageRange run) {
  const int saved_errno = errno;
  if (heap == nullptr || !heap->kept_runs.keep(run)) g_page_heap.free(run.first_page);
  if (heap != nullptr) tick(heap);
  else maintain();
  errno = saved_errno;
}

[[gnu::noinline]] void free_run(void* ptr, std::size_t slice) {
  Slab* run = run_at("free", ptr, slice);
  if (run == nullptr) return;
  run->end_run();
  const PageRange range{g_region.page_of(ptr), run->run_pages()};
  Heap* heap = t_cache.heap;
  if (heap == nullptr || !heap->kept_runs.keep_if_room(range)) [[unlikely]] return give_up_run(heap, range);
  tick(heap);
}

// The run that the thread freed last, if it suits; else whatever there is.
[[gnu::noinline]] void* allocate_large(std::size_t size) {
  Heap* heap = t_cache.heap;
  if (heap != nullptr && size < large::threshold_bytes() && size <= kMaxMapThresholdBytes) {
    const PageRange kept = heap->kept_runs.take_last(static_cast<std::uint32_t>(pages_for(size)));
    if (kept.pages != 0) {
      tick_allocation(heap);
      return start_run(kept);
    }
  }
  return allocate_beyond_slabs(size, kMinAlignBytes, false);
}

}  // namespace

void* malloc_slow(std::size_t size) {
  if (size > kMaxSmallBytes) [[unlikely]] return allocate_large(size);
  Heap* heap = t_cache.heap;
  if (heap == nullptr) [[unlikely]] return allocate_without_heap(class_of(size == 0 ? 1 : size));
  if (size > kMaxLinearBytes) return allocate_stepped(heap, class_of(size));
  return allocate_linear(heap, class_of(size == 0 ? 1 : size));
}

namespace {

// The list of freed blocks has reached its limit.
[[gnu::noinline]] void flush_freed(Bin* bin) {
  Heap* heap = heap_of(bin);
  if (heap != t_cache.heap) [[unlikely]] return retire_orphan(heap);
  Block* list = bin->freed;
  bin->freed = nullptr;
  const int saved_errno = errno;
  // The second time without an allocation of this class in between, or the first time that the longest list is too short or
  // threads are many, the thread is taking something down: blocks kept here would hold slabs back that could go home. From now on each one
  // goes to its slab at once.
  if (bin->flushes == kTakenDown || ++bin->flushes > 1 || Heap::may_loop(*bin) || threads_are_many()) {
    bin->limit = 0;
    Block*& head = head_of(*heap, bin->size_class);
    Block* unused = head;
    head = nullptr;
    heap->give_back_list(unused);
  }
  bin->budget = bin->limit;
  heap->give_back_list(list);
  tick(heap);
  errno = saved_errno;
}

// A free into a bin that is armed: see free_checks.hpp.
[[gnu::noinline]] void free_looked_at(Bin* bin, std::size_t told_bytes) {
  Heap* heap = heap_of(bin);
  if (heap == t_cache.heap && !look_at_freed(*heap, *bin, told_bytes)) return;
  --bin->looks_left;
  const bool direct = bin->limit == 0 && bin->flushes != 0;
  if (direct || bin->limit >= bin->kept_limit) {
    const std::uint8_t left = bin->looks_left;
    bin->looks_left = 0;
    free_overflow(bin);
    bin->looks_left = left;
  } else if (bin->looks_left == 0) {
    bin->budget += bin->kept_limit - bin->limit;
    bin->limit = bin->kept_limit;
  } else {
    ++bin->limit;
    ++bin->budget;
  }
}

// A direct free has changed its slab's place, which is also the occasion to look at the clock.
[[gnu::noinline]] void freed_directly(Bin* bin, Slab* slab) {
  Heap* heap = heap_of(bin);
  const int saved_errno = errno;
  heap->received(*bin, slab);
  if (heap == t_cache.heap) [[likely]] tick(heap);
  else retire_orphan(heap);
  errno = saved_errno;
}

// A direct free into a slab that others may be looking through.
[[gnu::noinline]] void free_into_offered(Bin* bin, Slab* slab, Block* block) {
  Heap* heap = heap_of(bin);
  heap->look_into(slab);
  if (slab->list == SlabList::kLost) return;
  const auto offset = static_cast<std::uint32_t>(reinterpret_cast<std::uintptr_t>(block) - g_region.slice_start(g_region.index_of(slab)));
  if (slab->is_gone(block_index(slab->size_class, offset))) {
    return wrong_call({"free", "freed before; its page went back to the system", block, slab->block_bytes});
  }
  if (slab->free == block) return wrong_call({"free", "freed before; it is in its slab's list of free blocks", block, slab->block_bytes});
  if (slab->put_back(block, block, 1)) freed_directly(bin, slab);
}

}  // namespace

// Direct frees stay in this function unless the slab's place changes; the rest is called last, so that no register is saved.
void free_overflow(Bin* bin) {
  if (bin->looks_left != 0) [[unlikely]] return free_looked_at(bin, kNoSizeTold);
  if (bin->limit != 0) [[unlikely]] return flush_freed(bin);
  Block* block = bin->freed;
  bin->freed = nullptr;
  bin->budget = 0;
  Slab* slab = slab_of_slice(g_region.slice_of(block));
  if (slab->list >= SlabList::kOffered) [[unlikely]] return free_into_offered(bin, slab, block);
  if (slab->free == block) [[unlikely]] return wrong_call({"free", "freed before; it is in its slab's list of free blocks", block, slab->block_bytes});
  if (slab->put_back(block, block, 1)) [[unlikely]] freed_directly(bin, slab);
}

void free_overflow(Bin* bin, std::size_t told_bytes) {
  return bin->looks_left != 0 ? free_looked_at(bin, told_bytes) : free_overflow(bin);
}

namespace {

[[gnu::noinline]] void free_rarely(void* ptr, std::size_t slice) {
  if (ptr == nullptr) return;
  const int saved_errno = errno;
  if (in_heap(ptr, slice)) {
    free_run(ptr, slice);  // says what is wrong
  } else if (guarded::is_near(ptr) && guarded::free(ptr)) [[unlikely]] {
    // done, or the program was told
  } else if (large::free(ptr)) {
    foreign::note_freed(ptr);
    maintain();  // a large block may be the last thing that is freed for long
  } else {
    foreign::free(ptr);
  }
  errno = saved_errno;
}

}  // namespace

// What the thread does not own, in the heap's range.
[[gnu::noinline]] static void free_other_kind(void* ptr, std::size_t slice) {
  // Relaxed: as in owns().
  if (g_region.owner(slice).load(std::memory_order_relaxed) != 0) return free_remote_rarely(ptr, slice);
  const SliceKind kind = g_region.slabs[slice].kind;
  if (kind == SliceKind::kRun) return free_run(ptr, slice);
  return is_slab(kind) ? free_abandoned(ptr, slice) : free_rarely(ptr, slice);
}

void free_outside(void* ptr) { free_rarely(ptr, g_region.slice_of(ptr)); }

void free_outside(void* ptr, std::size_t told_bytes) {
  const std::size_t usable = ptr == nullptr ? 0 : large::usable_bytes(ptr);
  if (usable != 0 && !may_be_size(usable, told_bytes | kPerhapsAligned)) {
    return wrong_call({"free", "its size is not the one that was told", ptr, usable});
  }
  free_outside(ptr);
}

// Blocks of other threads' slabs stay in this function; what is rare is called last.
void free_of_other(void* ptr, std::size_t slice) {
  asm("" : "+r"(slice));  // or the compiler computes 8 * slice, in an instruction of its own
  const std::uintptr_t owner = g_region.owner(slice).load(std::memory_order_relaxed);  // relaxed: as in owns()
  RemoteCache::Chain& chain = t_cache.remote->chain_of(owner);
  if (chain.owner != owner) [[unlikely]] return free_other_kind(ptr, slice);
  // Relaxed: the slab may just be taken over; a bin of another heap is refused.
  const RemoteClass* known = remote_class(chain.heap, g_region.bin(slice).load(std::memory_order_relaxed));
  if (known == nullptr) [[unlikely]] return free_remote_rarely(ptr, slice);
  const std::uint64_t offset = reinterpret_cast<std::uintptr_t>(ptr) % kSliceBytes;
  if (offset * known->reciprocal >= known->reciprocal) [[unlikely]] return free_remote_rarely(ptr, slice);  // says what is wrong
  if (RemoteCache::add(chain, static_cast<Block*>(ptr), known->block_bytes)) [[unlikely]] send_remote(chain);
}

void free_of_other(void* ptr, std::size_t slice, std::size_t told_bytes) {
  const Slab& books = g_region.slabs[slice];
  const std::size_t usable = is_slab(books.kind)              ? kClassBytes[books.size_class]
                             : books.kind == SliceKind::kRun ? std::size_t{books.run_pages()} << kPageShift
                                                              : 0;
  if (usable != 0 && !may_be_size(usable, told_bytes | kPerhapsAligned)) return wrong_call({"free", "its size is not the one that was told", ptr, usable});
  free_of_other(ptr, slice);
}

void free_aligned(void* ptr, std::size_t alignment, std::size_t size) {
  if ((reinterpret_cast<std::uintptr_t>(ptr) & (alignment - 1)) == 0) return fast_free(ptr, size | kPerhapsAligned);
  wrong_call({"free", "its alignment is less than was told", ptr});
}

void* allocate_zeroed(std::size_t count, std::size_t size) {
  std::size_t bytes;
  if (__builtin_mul_overflow(count, size, &bytes)) return out_of_memory();
  if (bytes > kMaxSmallBytes) return allocate_beyond_slabs(bytes, kMinAlignBytes, true);
  void* block = fast_malloc(bytes);
  return block == nullptr ? nullptr : std::memset(block, 0, bytes);
}

namespace {

[[gnu::noinline]] void* allocate_aligned_rarely(std::size_t alignment, std::size_t size) {
  if (size == 0) size = 1;
  if (size > PTRDIFF_MAX || alignment > PTRDIFF_MAX) return out_of_memory();
  if (const std::uint32_t c = aligned_class_of(size, alignment); c != 0) {
    return allocate_small_aligned(c, alignment);
  }
  return allocate_beyond_slabs(size, alignment, false);
}

}  // namespace

void* allocate_aligned(std::size_t alignment, std::size_t size) {
  if (alignment <= kMinAlignBytes) return fast_malloc(size);
  // A size that is a multiple of the alignment and of 16 is a class's own, and its blocks are aligned unless they are borrowed.
  const std::size_t rounded = (size + alignment - 1) & (0 - alignment);
  if (rounded - 1 < kMaxLinearBytes) [[likely]] {
    Block*& head = t_cache.heads[rounded / kMinAlignBytes];
    Block* block = head;
    if (block != nullptr && (reinterpret_cast<std::uintptr_t>(block) & (alignment - 1)) == 0) [[likely]] {
      head = block->next;
      return block;
    }
  }
  return allocate_aligned_rarely(alignment, size);
}

std::size_t trim(std::size_t keep_bytes) {
  if (!ensure_started()) return 0;
  const std::size_t inside = give_back_everything();
  g_demand.forget_peak();
  const std::size_t free_pages = g_page_heap.dirty_pages() + pages_for(large::stats().cached_bytes);
  const std::size_t kept_pages = pages_for(keep_bytes);
  return (inside + (free_pages <= kept_pages ? 0 : store::give_back(free_pages - kept_pages, 0, 1))) << kPageShift;
}

}  // namespace osmem
