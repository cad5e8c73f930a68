// A list heap behind one lock: what the C interfaces and the drop-ins call. Thread-safe; not for
// signal handlers.
//
// Lock order: this lock is taken last and nothing is called under it but sbrk, mmap and munmap.
// fork() takes it before and lets go of it after, in parent and child, so that the child finds a
// sound heap; fork_with() registers that and is called from a constructor function of each library.
// A fork from a signal handler that interrupted a call of ours in the same thread finds the lock
// held by itself and leaves it so: parent and child both return into that call and finish it.
#pragma once

#include <pthread.h>

#include <atomic>

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
    const Hold hold(*this);
    return heap_.allocate(size);
  }

  void* allocate_zeroed(std::size_t count, std::size_t size) {
    std::size_t bytes = 0;
    if (!multiply(count, size, bytes)) {
      return nullptr;
    }
    const Hold hold(*this);
    return heap_.allocate(bytes, Contents::kZero);
  }

  void* allocate_aligned(std::size_t alignment, std::size_t size) {
    const Hold hold(*this);
    return heap_.allocate_aligned(alignment, size);
  }

  void release(void* ptr) {
    const Hold hold(*this);
    heap_.release(ptr);
  }

  void* resize(void* ptr, std::size_t size) {
    const Hold hold(*this);
    return heap_.resize(ptr, size);
  }

  // 0 for a pointer that is not a block of this heap.
  std::size_t usable_bytes(const void* ptr) {
    const Hold hold(*this);
    return heap_.owns(ptr) ? heap_.usable_bytes(ptr) : 0;
  }

  bool owns(const void* ptr) {
    const Hold hold(*this);
    return heap_.owns(ptr);
  }

  // False, and nothing done, for a pointer that is not a block of this heap.
  bool release_if_owned(void* ptr) {
    const Hold hold(*this);
    const bool owned = heap_.owns(ptr);
    if (owned) {
      heap_.release(ptr);
    }
    return owned;
  }

  // Calls look(heap) with the lock held; look must not allocate from this heap.
  template <class Look>
  auto inspect(Look look) {
    const Hold hold(*this);
    return look(heap_.list());
  }

  void before_fork() {
    // Relaxed: only this thread can have stored its own mark, and whatever else is read is not
    // ours.
    interrupted_ = holder_.load(std::memory_order_relaxed) == __builtin_thread_pointer();
    if (!interrupted_) {
      lock();
    }
  }

  void after_fork() {
    if (!interrupted_) {
      unlock();
    }
    interrupted_ = false;
  }

 private:
  class Hold {
   public:
    explicit Hold(LockedHeap& locked) : locked_(locked) { locked_.lock(); }
    ~Hold() { locked_.unlock(); }
    Hold(const Hold&) = delete;
    Hold& operator=(const Hold&) = delete;

   private:
    LockedHeap& locked_;
  };

  // The mark is stored inside the lock, so that a handler sees it or the lock is not yet, or no
  // longer, needed.
  void lock() {
    pthread_mutex_lock(&mutex_);
    holder_.store(__builtin_thread_pointer(),
                  std::memory_order_relaxed);  // relaxed: read by this thread only
  }
  void unlock() {
    holder_.store(nullptr, std::memory_order_relaxed);  // relaxed: as above
    pthread_mutex_unlock(&mutex_);
  }

  pthread_mutex_t mutex_ = PTHREAD_MUTEX_INITIALIZER;
  std::atomic<void*> holder_ = nullptr;  // mark of the thread that holds the lock
  bool interrupted_ = false;  // written and read by the thread that forks, around its fork
  Heap heap_;
};

// Registers the fork handlers of `heap`, a LockedHeap with static storage.
template <auto& heap>
void fork_with() {
  pthread_atfork([] { heap.before_fork(); }, [] { heap.after_fork(); }, [] { heap.after_fork(); });
}

}  // namespace classic
