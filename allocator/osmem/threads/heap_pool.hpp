// Heaps without a thread, and the heap of threads that are past their end.
//
// A thread that ends leaves its heap here, slabs and all; the next thread that starts takes it over whole, and until then a
// thread that needs a slab may take one out of it, and so does a thread that frees a block of one: its blocks have become that
// thread's business. A thread without a heap of its own does the owner's work instead, at once.
//
// Where threads are many, the first blocks of a class come from the nursery, a heap without a thread: else each would hold a page for each
// class it has ever used. Slabs of the nursery stay there.
//
// Lock order: pool, then page heap. See DESIGN.md.
#pragma once

#include <cstddef>
#include <cstdint>

#include "allocator/osmem/threads/thread_heap.hpp"

namespace osmem {

// A heap for the calling thread: a pooled one, or a new one. Null if there is no memory. O(slabs of the heap).
Heap* acquire_heap();

// The calling thread's heap goes to the pool; its lists have been given back. O(slabs of the heap).
void retire_heap(Heap* heap);

// Moves one slab of the class from a pooled heap to `heap`; false if there is none, or if `heap` itself has no thread.
bool take_from_pool(Heap& heap, std::uint32_t size_class);

// Moves this slab from the pooled heap that it is in to `heap`; false if its heap has a thread.
bool adopt_slab(Heap& heap, Slab* slab);

// Does the owner's work for a pooled heap into whose inbox a chain has been pushed.
void collect_pooled(Heap* heap);

// Whether there are so many threads with a heap that each gets less for itself: as much as a processor's share would be.
bool threads_are_many();
std::uint32_t share_of(std::uint32_t most);

// One block from the nursery, for a thread that may never want more of the class; null if there is no memory.
void* nursery_allocate(std::uint32_t size_class);

// One block from the shared heap, for threads that have no heap any more; null if there is no memory.
void* shared_allocate(std::uint32_t size_class, Borrowing borrowing = Borrowing::kAllowed);

// Number of heaps that a thread has now.
std::size_t active_heap_count();

// Calls `visit(heap)` for every heap that was ever made. No lock: heaps are never freed.
template <typename Visit>
void for_each_heap(Visit visit);
Heap* first_heap();

template <typename Visit>
void for_each_heap(Visit visit) {
  for (Heap* heap = first_heap(); heap != nullptr; heap = heap->next_heap) visit(heap);
}

// A chain cache for the calling thread, and its return.
RemoteCache* acquire_remote_cache();
void retire_remote_cache(RemoteCache* cache);

// In the child of a fork.
void recover_pool_after_fork();

}  // namespace osmem
