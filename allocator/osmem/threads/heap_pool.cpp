#include "allocator/osmem/threads/heap_pool.hpp"

#include <sched.h>

#include <cerrno>

#include "allocator/osmem/threads/free_checks.hpp"
#include "allocator/osmem/threads/remote_cache.hpp"

namespace osmem {
namespace {

constinit Lock g_pool_lock;
// Guarded by g_pool_lock:
constinit Heap* g_idle_heaps = nullptr;  // without slabs
constinit RemoteCache* g_idle_chains = nullptr;

// Has the slabs of threads that ended, and serves threads past their end. Null until it is needed; guarded by g_pool_lock.
constinit std::atomic<Heap*> g_shared_heap{nullptr};
// Has the first blocks of threads that are many. Likewise.
constinit std::atomic<Heap*> g_nursery{nullptr};
constinit std::atomic<std::uint32_t> g_active_count{0};
constinit std::atomic<Heap*> g_heaps{nullptr};           // all heaps; only ever grows at the front

Heap* make_heap() {
  auto* heap = static_cast<Heap*>(allocate_metadata(sizeof(Heap)));
  if (heap == nullptr) return nullptr;
  heap->initialise();
  for (Bin& bin : heap->bins) arm(bin, kFirstLooks);
  heap->pooled.store(true, std::memory_order_relaxed);  // relaxed: nobody else knows the heap
  heap->next_heap = g_heaps.load(std::memory_order_relaxed);  // relaxed: checked by the exchange
  // Release: the heap's contents are seen by first_heap().
  while (!g_heaps.compare_exchange_weak(heap->next_heap, heap, std::memory_order_release,
                                        std::memory_order_relaxed)) {
  }
  return heap;
}

// A heap that a dead thread with the calling thread's pointer has left unretired (see retire_orphan()), among the newest:
// threads of that kind that follow each other use one heap.
Heap* find_orphan() {
  constexpr int kLooks = 64;
  const std::uintptr_t self = thread_pointer();
  int looks = kLooks;
  for (Heap* heap = first_heap(); heap != nullptr && looks > 0; heap = heap->next_heap, --looks) {
    // Other threads write other names meanwhile; this thread's own name nobody else writes.
    if (heap->owner == self) return heap;
  }
  return nullptr;
}

}  // namespace

Heap* first_heap() { return g_heaps.load(std::memory_order_acquire); }  // acquire pairs with make_heap()

// Relaxed: a figure for reports.
std::size_t active_heap_count() { return g_active_count.load(std::memory_order_relaxed); }

namespace {

// The calling thread's from here on. Under the lock: whoever sends blocks to the heap, for slabs that it had once, empties its inbox under
// the lock as long as it is pooled, and must not find an owner then: it would send them on as the owner does, and wait for the lock that it has.
Heap* take_idle_heap() {
  Guard guard(g_pool_lock);
  Heap* heap = g_idle_heaps;
  if (heap == nullptr) return nullptr;
  g_idle_heaps = heap->next_idle;
  heap->initialise();
  heap->owner = thread_pointer();
  heap->pooled.store(false, std::memory_order_relaxed);  // relaxed: read under the lock, or looked at again under it
  return heap;
}

}  // namespace

Heap* acquire_heap() {
  Heap* heap = take_idle_heap();
  if (heap == nullptr) {
    heap = find_orphan();
    if (heap != nullptr) return heap;
    heap = make_heap();
    if (heap == nullptr) return nullptr;
    heap->owner = thread_pointer();
    heap->pooled.store(false, std::memory_order_relaxed);  // relaxed: no slab was ever its, so nobody sends blocks to it
  }
  g_active_count.fetch_add(1, std::memory_order_relaxed);  // relaxed: a figure for reports
  return heap;
}

void retire_heap(Heap* heap) {
  heap->take_arrivals();
  heap->release_empty();
  g_active_count.fetch_sub(1, std::memory_order_relaxed);  // relaxed: a figure for reports
  Guard guard(g_pool_lock);
  heap->owner = 0;
  heap->pooled.store(true, std::memory_order_seq_cst);  // see remote_free.hpp
  heap->take_last_arrivals();
  if (Heap* shared = g_shared_heap.load(std::memory_order_relaxed); shared != nullptr) {  // relaxed: we hold the lock
    shared->adopt_all(*heap);
    heap->next_idle = g_idle_heaps;
    g_idle_heaps = heap;
  } else {
    heap->set_owner(0);
    g_shared_heap.store(heap, std::memory_order_relaxed);  // relaxed: as above
  }
}

bool take_from_pool(Heap& heap, std::uint32_t size_class) {
  // Relaxed: a slab that is there since just now is found next time.
  Heap* shared = g_shared_heap.load(std::memory_order_relaxed);
  if (shared == nullptr || heap.owner == 0 || shared->slices_in_use == 0) return false;
  Guard guard(g_pool_lock);
  const Bin& bin = shared->bins[size_class];
  const std::uint32_t number = bin.partial != 0 ? bin.partial : bin.offered != 0 ? bin.offered : bin.carving;
  if (number == 0) return false;
  heap.adopt(*shared, slab_numbered(number));
  return true;
}

bool adopt_slab(Heap& heap, Slab* slab) {
  Guard guard(g_pool_lock);
  Heap* from = slab->heap.load(std::memory_order_relaxed);  // relaxed, both: changed under the lock alone
  if (from == nullptr || !from->pooled.load(std::memory_order_relaxed)) return false;
  if (from == g_nursery.load(std::memory_order_relaxed) || slab->list == SlabList::kLost) return false;
  heap.adopt(*from, slab);
  return true;
}

void collect_pooled(Heap* heap) {
  Guard guard(g_pool_lock);
  if (heap->pooled.load(std::memory_order_relaxed)) heap->take_arrivals();  // relaxed: we hold the lock
}

namespace {

void* allocate_from(std::atomic<Heap*>& place, std::uint32_t size_class, Borrowing borrowing) {
  Guard guard(g_pool_lock);
  Heap* heap = place.load(std::memory_order_relaxed);  // relaxed, and below: we hold the lock
  if (heap == nullptr) {
    heap = make_heap();
    if (heap == nullptr) return nullptr;
    place.store(heap, std::memory_order_relaxed);  // relaxed: we hold the lock
  }
  return heap->gather(size_class, 1, borrowing).head;
}

// Processors that the process may use, as at the first question.
std::size_t processor_count() {
  static constinit std::atomic<std::size_t> known{0};
  std::size_t count = known.load(std::memory_order_relaxed);  // relaxed: all who ask find the same
  if (count != 0) return count;
  const int saved_errno = errno;
  cpu_set_t set;  // too small on the largest machines: then as if there were one
  count = sched_getaffinity(0, sizeof set, &set) == 0 ? static_cast<std::size_t>(CPU_COUNT(&set)) : 1;
  errno = saved_errno;
  known.store(count, std::memory_order_relaxed);  // relaxed: as above
  return count;
}

}  // namespace

bool threads_are_many() {
  constexpr std::size_t kFew = 8;
  constexpr std::size_t kAProcessor = 4;
  const std::size_t threads = active_heap_count();
  return threads > kFew && threads > kAProcessor * processor_count();
}

std::uint32_t share_of(std::uint32_t most) {
  if (!threads_are_many()) return most;
  return static_cast<std::uint32_t>(most * processor_count() / active_heap_count());
}

void* nursery_allocate(std::uint32_t size_class) { return allocate_from(g_nursery, size_class, Borrowing::kAllowed); }

void* shared_allocate(std::uint32_t size_class, Borrowing borrowing) {
  return allocate_from(g_shared_heap, size_class, borrowing);
}

RemoteCache* acquire_remote_cache() {
  {
    Guard guard(g_pool_lock);
    if (g_idle_chains != nullptr) {
      RemoteCache* cache = g_idle_chains;
      g_idle_chains = cache->next_idle;
      return cache;
    }
  }
  auto* cache = static_cast<RemoteCache*>(allocate_metadata(sizeof(RemoteCache)));
  if (cache != nullptr) *cache = g_no_chains;
  return cache;
}

void retire_remote_cache(RemoteCache* cache) {
  Guard guard(g_pool_lock);
  cache->next_idle = g_idle_chains;
  g_idle_chains = cache;
}

// The other threads are gone, and whatever they were doing to their heaps is half done: nobody touches those heaps again.
// Blocks of theirs that the child frees are pushed to inboxes that nobody looks into. Their owner entries are wiped, because
// a new thread may get the same thread pointer.
void recover_pool_after_fork() {
  if (g_pool_lock.recover_after_fork()) {
    g_idle_heaps = nullptr;
    g_idle_chains = nullptr;
    g_shared_heap.store(nullptr, std::memory_order_relaxed);  // relaxed, both: one thread is left
    g_nursery.store(nullptr, std::memory_order_relaxed);
    // Any of these heaps may be half changed: what is freed into them is lost. Relaxed: as above.
    for_each_heap([](Heap* heap) { heap->pooled.store(false, std::memory_order_relaxed); });
  }
  const std::uintptr_t self = thread_pointer();
  bool others = false;
  for_each_heap([&](Heap* heap) {
    if (heap->owner == 0 || heap->owner == self) return;
    heap->owner = 0;
    others = true;
  });
  // Relaxed, all: one thread is left.
  g_active_count.store(t_cache.heap != nullptr ? 1 : 0, std::memory_order_relaxed);
  if (!others) return;
  const std::size_t slices = g_slice_count.load(std::memory_order_relaxed);
  for (std::size_t slice = 0; slice < slices; ++slice) {
    std::atomic<std::uintptr_t>& owner = g_region.owner(slice);
    // Relaxed: one thread is left.
    const std::uintptr_t thread = owner.load(std::memory_order_relaxed);
    if (thread != 0 && thread != self) owner.store(0, std::memory_order_relaxed);
  }
}

}  // namespace osmem
