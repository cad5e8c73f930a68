// How a block comes home from a thread that does not own its slab.
//
// Each slab has one atomic word; each heap has one stack of slabs that ask for attention.
//
//   RemoteList::word_   63      56 55          32 31           0
//                      [  state   |    count     |    head      ]
//   head   blocks are named by a number of the caller's choice, 0 for none; the chain goes on through the blocks
//   count  blocks in the chain
//   state  kOwned     the owner looks at this word by itself (the slab is among those it allocates from)
//          kParked    the slab was full, the owner will not look until it is told
//          kNotified  a freeing thread has seen kParked and tells the owner, once
//
//   kOwned --park (owner, only if the chain is empty)--> kParked --push (any thread)--> kNotified --take (owner)--> kOwned
//   kParked --unpark (owner)--> kOwned              push keeps kOwned and kNotified as they are
//
// A thread that turns kParked into kNotified puts the slab on the stack of the slab's heap. From then until the owner has
// taken the slab off that stack it is in the stack or on its way there, so it must not be released or given to
// another heap: that is what kNotified says.
//
// The source is a template over the atomics, so that the very same lines run under an explorer of all interleavings.
#pragma once

#include <atomic>
#include <cstdint>

namespace osmem {

enum class RemoteState : std::uint8_t { kOwned = 0, kParked = 1, kNotified = 2 };

struct StdAtomics {
  template <typename T>
  using Atomic = std::atomic<T>;
};

template <typename Atomics = StdAtomics>
class RemoteList {
 public:
  struct Chain {
    std::uint32_t head = 0;
    std::uint32_t count = 0;
  };

  // Any thread: adds a chain of `count` blocks from `head` to a tail. `link(old_head)` makes the tail point to the block
  // named old_head (0: none); it may be called several times. True: the caller has to put the slab on its heap's stack.
  template <typename Link>
  bool push(std::uint32_t head, std::uint32_t count, Link link) {
    std::uint64_t old = word_.load(std::memory_order_relaxed);  // relaxed: the exchange below checks it
    for (;;) {
      link(head_of(old));
      const bool notify = state_of(old) == RemoteState::kParked;
      const RemoteState state = notify ? RemoteState::kNotified : state_of(old);
      // Release: the blocks' links are seen by the owner, whose take() acquires. Acquire: a thread that has to notify
      // sees which heap the owner had given the slab to before it parked it.
      if (word_.compare_exchange_weak(old, pack(head, count_of(old) + count, state),
                                      std::memory_order_acq_rel, std::memory_order_relaxed)) {
        return notify;
      }
    }
  }

  // Owner: takes the whole chain; the state becomes kOwned. The caller makes sure that a notified slab is off the stack.
  Chain take() {
    // Acquire pairs with the release in push(); release lets a later pusher see what the owner wrote before.
    const std::uint64_t old =
        word_.exchange(pack(0, 0, RemoteState::kOwned), std::memory_order_acq_rel);
    return {head_of(old), count_of(old)};
  }

  // Owner: takes the chain and leaves the state as it is.
  Chain take_keeping_state() {
    std::uint64_t old = word_.load(std::memory_order_relaxed);  // relaxed: checked by the exchange
    // Orders as in take().
    while (!word_.compare_exchange_weak(old, pack(0, 0, state_of(old)), std::memory_order_acq_rel,
                                        std::memory_order_relaxed)) {
    }
    return {head_of(old), count_of(old)};
  }

  // Owner: from kOwned to kParked. False if blocks have come in meanwhile: take() them instead.
  bool park() {
    std::uint64_t expected = pack(0, 0, RemoteState::kOwned);
    // Release: who notifies sees the slab's heap; relaxed on failure: nothing is read.
    return word_.compare_exchange_strong(expected, pack(0, 0, RemoteState::kParked),
                                         std::memory_order_release, std::memory_order_relaxed);
  }

  // Owner: from kParked to kOwned. False if the slab is notified: it will come by the stack.
  bool unpark() {
    std::uint64_t expected = pack(0, 0, RemoteState::kParked);
    // Relaxed: a parked slab has an empty chain, so there is nothing to see.
    return word_.compare_exchange_strong(expected, pack(0, 0, RemoteState::kOwned),
                                         std::memory_order_relaxed, std::memory_order_relaxed);
  }

  // A look from outside; relaxed, because whoever acts on it takes or pushes afterwards.
  [[nodiscard]] std::uint32_t count() const { return count_of(word_.load(std::memory_order_relaxed)); }
  [[nodiscard]] std::uint32_t head() const { return head_of(word_.load(std::memory_order_relaxed)); }
  [[nodiscard]] RemoteState state() const {
    return state_of(word_.load(std::memory_order_relaxed));  // relaxed: as above
  }

  // Before the slab is known to any other thread.
  void reset() { word_.store(0, std::memory_order_relaxed); }

 private:
  static constexpr std::uint64_t pack(std::uint32_t head, std::uint32_t count, RemoteState state) {
    return (std::uint64_t{static_cast<std::uint8_t>(state)} << 56) | (std::uint64_t{count} << 32) | head;
  }
  static constexpr std::uint32_t head_of(std::uint64_t word) { return static_cast<std::uint32_t>(word); }
  static constexpr std::uint32_t count_of(std::uint64_t word) {
    return static_cast<std::uint32_t>(word >> 32) & 0xffffff;
  }
  static constexpr RemoteState state_of(std::uint64_t word) {
    return static_cast<RemoteState>(word >> 56);
  }

  typename Atomics::template Atomic<std::uint64_t> word_{0};
};

// Slabs, named by numbers from 1, that ask their heap for attention. Many threads push, the owner takes all at once.
template <typename Atomics = StdAtomics>
class NotifyStack {
 public:
  // Any thread. `link(old_top)` stores the number of the next slab with the slab.
  template <typename Link>
  void push(std::uint32_t slab, Link link) {
    std::uint32_t top = top_.load(std::memory_order_relaxed);  // relaxed: the exchange checks it
    do {
      link(top);
      // Release: the link is seen by take_all().
    } while (!top_.compare_exchange_weak(top, slab, std::memory_order_release,
                                         std::memory_order_relaxed));
  }

  // Owner: the top of a list that is now the caller's; 0 if empty.
  std::uint32_t take_all() {
    // Relaxed look first: an empty stack is the common case, and a slab missed now is found next time.
    if (top_.load(std::memory_order_relaxed) == 0) return 0;
    return top_.exchange(0, std::memory_order_acquire);  // acquire pairs with push()
  }

 private:
  typename Atomics::template Atomic<std::uint32_t> top_{0};
};

// How a freeing thread sends a chain home; no lock held. `home` knows the slab:
//   link(old_head)      makes the chain's tail point to the block named old_head
//   heap()              the slab's heap, or null: relaxed, since a notified slab stays with the heap that parked it, which
//                       push() acquired, and otherwise collect() looks again under the pool's lock
//   ask_attention(heap) puts the slab on the heap's stack
//   is_pooled(heap)     relaxed: a heap that is pooled a moment later is drained by the next free or by its next thread
//   collect(heap)       does the owner's work for a heap without a thread
template <typename List, typename Home>
void send_chain_home(List& remote, std::uint32_t head, std::uint32_t count, Home& home) {
  const bool notify = remote.push(head, count, [&home](std::uint32_t old_head) { home.link(old_head); });
  const auto heap = home.heap();
  if (notify) home.ask_attention(heap);
  if (heap && home.is_pooled(heap)) home.collect(heap);
}

}  // namespace osmem
