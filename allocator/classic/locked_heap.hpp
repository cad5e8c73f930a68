// A list heap behind one lock: what the C interfaces and the drop-ins call. Thread-safe; not for
// signal handlers.
//
// Lock order: this lock is taken last and nothing is called under it but sbrk, mmap and munmap.
// fork() takes it before and lets go of it after, in parent and child, so that the child finds a
// sound heap; fork_with() registers that and is called from a constructor function of each library.
#pragma once

#include <pthread.h>

#include "allocator/classic/list_heap.hpp"

namespace classic {

// errno = ENOMEM and false if the product does not fit.
inline bool multiply(std::size_t count, std::size_t size, std::size_t& product) {
  if (__builtin_mul_overflow(count, size, &product)) {
    errno = ENOMEM;
    return false;
  }
  return true;
}

// Heap: ListHeap<Policy>, or a layer over it with the same functions.
template <class Heap>
class LockedHeap {
 public:
  constexpr LockedHeap() = default;

  void* allocate(std::size_t size) {
    const Hold hold(mutex_);
    return heap_.allocate(size);
  }

  void* allocate_zeroed(std::size_t count, std::size_t size) {
    std::size_t bytes = 0;
    if (!multiply(count, size, bytes)) {
      return nullptr;
    }
    const Hold hold(mutex_);
    return heap_.allocate(bytes, Contents::kZero);
  }

  void* allocate_aligned(std::size_t alignment, std::size_t size) {
    const Hold hold(mutex_);
    return heap_.allocate_aligned(alignment, size);
  }

  void release(void* ptr) {
    const Hold hold(mutex_);
    heap_.release(ptr);
  }

  void* resize(void* ptr, std::size_t size) {
    const Hold hold(mutex_);
    return heap_.resize(ptr, size);
  }

  // 0 for a pointer that is not a block of this heap.
  std::size_t usable_bytes(const void* ptr) {
    const Hold hold(mutex_);
    return heap_.owns(ptr) ? heap_.usable_bytes(ptr) : 0;
  }

  // Calls look(heap) with the lock held; look must not allocate from this heap.
  template <class Look>
  auto inspect(Look look) {
    const Hold hold(mutex_);
    return look(heap_);
  }

  void before_fork() { pthread_mutex_lock(&mutex_); }
  void after_fork() { pthread_mutex_unlock(&mutex_); }

 private:
  class Hold {
   public:
    explicit Hold(pthread_mutex_t& mutex) : mutex_(mutex) { pthread_mutex_lock(&mutex_); }
    ~Hold() { pthread_mutex_unlock(&mutex_); }
    Hold(const Hold&) = delete;
    Hold& operator=(const Hold&) = delete;

   private:
    pthread_mutex_t& mutex_;
  };

  pthread_mutex_t mutex_ = PTHREAD_MUTEX_INITIALIZER;
  Heap heap_;
};

// Registers the fork handlers of `heap`, a LockedHeap with static storage.
template <auto& heap>
void fork_with() {
  pthread_atfork([] { heap.before_fork(); }, [] { heap.after_fork(); }, [] { heap.after_fork(); });
}

}  // namespace classic
