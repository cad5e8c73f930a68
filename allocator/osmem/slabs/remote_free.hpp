// How blocks come home from a thread that does not own their slabs.
//
// Each heap has an inbox: a stack of blocks of any of its slabs, linked through their first words.
//
//   Inbox::top_ -> block -> block -> ... -> null      each link is written before the exchange that publishes its block
//
// A thread that frees blocks of others collects them by owner (threads/remote_cache.hpp) and pushes a chain with one exchange; the
// owner takes all there is with another. A block on its way still counts as handed out in its slab, so the slab cannot be
// released under it. The slab may change heaps meanwhile: who finds a block of a slab that has left sends it on. While a heap
// has no thread, whoever pushes to it does the owner's work at once, under the pool's lock:
//
//   pusher    push to the inbox; is it pooled?  then: lock; still pooled? then: empty the inbox; unlock
//   retiring  lock; pooled; empty the inbox; unlock
//
// The exchange and the look at `pooled` are sequentially consistent on both sides, so one of the two sees the other: no block
// waits in the inbox of a heap without a thread.
//
// The source is a template over the atomics, so that the very same lines run under an explorer of all interleavings.
#pragma once

#include <atomic>
#include <cstdint>

namespace osmem {

struct StdAtomics {
  template <typename T>
  using Atomic = std::atomic<T>;
};

// Blocks are words that the caller can turn into blocks; 0 is none.
template <typename Atomics = StdAtomics>
class Inbox {
 public:
  // Any thread: adds a chain that begins with `head`. `link(old_top)` makes its tail point to old_top; it may be called
  // several times.
  template <typename Link>
  void push(std::uintptr_t head, Link link) {
    std::uintptr_t top = top_.load(std::memory_order_relaxed);  // relaxed: the exchange checks it
    do {
      link(top);
      // Release: the links are seen by take_all(). Sequentially consistent for the sake of `pooled`, see the top.
    } while (!top_.compare_exchange_weak(top, head, std::memory_order_seq_cst, std::memory_order_relaxed));
  }

  // Owner: the whole chain; 0 if there is none.
  std::uintptr_t take_all() {
    // Relaxed look first: an empty inbox is the common case, and a block missed now is found next time.
    if (empty()) return 0;
    return top_.exchange(0, std::memory_order_acquire);  // acquire pairs with push()
  }

  // The same for an owner that will not look again.
  std::uintptr_t take_last() { return top_.exchange(0, std::memory_order_seq_cst); }

  // A look from outside, relaxed as in take_all().
  [[nodiscard]] bool empty() const { return top() == 0; }
  [[nodiscard]] std::uintptr_t top() const { return top_.load(std::memory_order_relaxed); }  // relaxed: as above
  // The same, to follow its links by: acquire pairs with the release of whoever sent the blocks. The owner's alone, who takes them.
  [[nodiscard]] std::uintptr_t arrived() const { return top_.load(std::memory_order_acquire); }

 private:
  typename Atomics::template Atomic<std::uintptr_t> top_{0};
};

// How a freeing thread sends a chain of blocks of one heap's slabs home; no lock held. `home` knows the chain:
//   push()       to the inbox of the heap
//   is_pooled()  whether the heap has no thread; sequentially consistent, see the top
//   collect()    does the owner's work for a heap without a thread: takes the pool's lock and looks again
template <typename Home>
void send_chain_home(Home& home) {
  home.push();
  if (home.is_pooled()) home.collect();
}

}  // namespace osmem
