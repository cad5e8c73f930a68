#include "allocator/osmem/threads/heap_pool.hpp"

#include "allocator/osmem/threads/remote_cache.hpp"

namespace osmem {
namespace {

// How many pooled heaps a thread looks into for a slab.
constexpr int kPoolLooks = 8;

constinit Lock g_pool_lock;
// Guarded by g_pool_lock:
constinit Heap* g_pooled = nullptr;
constinit RemoteCache* g_pooled_caches = nullptr;
constinit Heap* g_shared_heap = nullptr;

constinit std::atomic<std::uint32_t> g_pooled_count{0};  // a hint for take_from_pool()
constinit std::atomic<std::uint32_t> g_active_count{0};
constinit std::atomic<Heap*> g_heaps{nullptr};           // all heaps; only ever grows at the front

Heap* make_heap() {
  auto* heap = static_cast<Heap*>(allocate_metadata(sizeof(Heap)));
  if (heap == nullptr) return nullptr;
  heap->initialise();
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

Heap* acquire_heap() {
  Heap* heap = nullptr;
  {
    Guard guard(g_pool_lock);
    if (g_pooled != nullptr) {
      heap = g_pooled;
      g_pooled = heap->next_pooled;
      g_pooled_count.fetch_sub(1, std::memory_order_relaxed);  // relaxed: a hint
      heap->set_owner(thread_pointer());
      heap->pooled.store(false, std::memory_order_relaxed);    // relaxed: changed under the lock alone
    }
  }
  if (heap == nullptr) {
    heap = find_orphan();
    if (heap != nullptr) return heap;
    heap = make_heap();
    if (heap == nullptr) return nullptr;
    heap->set_owner(thread_pointer());
    heap->pooled.store(false, std::memory_order_relaxed);  // relaxed: nobody else uses it yet
  }
  g_active_count.fetch_add(1, std::memory_order_relaxed);  // relaxed: a figure for reports
  heap->drain_notified();
  return heap;
}

void retire_heap(Heap* heap) {
  heap->collect_remote();
  heap->release_empty();
  g_active_count.fetch_sub(1, std::memory_order_relaxed);  // relaxed: a figure for reports
  Guard guard(g_pool_lock);
  heap->set_owner(0);
  heap->pooled.store(true, std::memory_order_relaxed);  // relaxed: changed under the lock alone
  heap->next_pooled = g_pooled;
  g_pooled = heap;
  g_pooled_count.fetch_add(1, std::memory_order_relaxed);  // relaxed: a hint
}

bool take_from_pool(Heap& heap, std::uint32_t size_class) {
  // Relaxed: a heap pooled just now is found next time.
  if (heap.owner == 0 || g_pooled_count.load(std::memory_order_relaxed) == 0) return false;
  Guard guard(g_pool_lock);
  int looks = kPoolLooks;
  for (Heap* from = g_pooled; from != nullptr && looks > 0; from = from->next_pooled, --looks) {
    from->drain_notified();
    const Bin& bin = from->bins[size_class];
    const std::uint32_t number = bin.partial != 0 ? bin.partial : bin.carving;
    if (number == 0) continue;
    heap.adopt(*from, slab_numbered(number));
    return true;
  }
  return false;
}

void collect_pooled(Heap* heap, Slab* slab) {
  Guard guard(g_pool_lock);
  if (!heap->pooled.load(std::memory_order_relaxed)) return;  // relaxed: we hold the lock
  heap->drain_notified();
  // The slab may have gone home, or to another heap, since the chain was pushed. Relaxed: as above.
  if (slab->heap.load(std::memory_order_relaxed) == heap) heap->collect_slab(slab);
}

void* shared_allocate(std::uint32_t size_class, Borrowing borrowing) {
  Guard guard(g_pool_lock);
  if (g_shared_heap == nullptr) g_shared_heap = make_heap();  // stays pooled: the lock is its owner
  if (g_shared_heap == nullptr) return nullptr;
  return g_shared_heap->gather(size_class, 1, borrowing).head;
}

void collect_all_pooled() {
  Guard guard(g_pool_lock);
  for (Heap* heap = g_pooled; heap != nullptr; heap = heap->next_pooled) heap->collect_remote();
  if (g_shared_heap != nullptr) g_shared_heap->collect_remote();
}

RemoteCache* acquire_remote_cache() {
  {
    Guard guard(g_pool_lock);
    if (g_pooled_caches != nullptr) {
      RemoteCache* cache = g_pooled_caches;
      g_pooled_caches = cache->next_pooled;
      return cache;
    }
  }
  return static_cast<RemoteCache*>(allocate_metadata(sizeof(RemoteCache)));
}

void retire_remote_cache(RemoteCache* cache) {
  Guard guard(g_pool_lock);
  cache->next_pooled = g_pooled_caches;
  g_pooled_caches = cache;
}

// The other threads are gone, and whatever they were doing to their heaps is half done: nobody touches those heaps again.
// Blocks of theirs that the child frees are pushed to slabs that nobody looks at. Their owner entries are wiped, because
// a new thread may get the same thread pointer.
void recover_pool_after_fork() {
  if (g_pool_lock.recover_after_fork()) {
    g_pooled = nullptr;
    g_pooled_caches = nullptr;
    g_shared_heap = nullptr;
    g_pooled_count.store(0, std::memory_order_relaxed);  // relaxed: one thread is left
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
