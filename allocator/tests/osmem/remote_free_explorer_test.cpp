// Proves, in all interleavings of two and three threads, that blocks freed by threads that do not own them come home, each
// once, and that no slab is used by two threads at once or released under a block: while the owner takes blocks in, while it ends
// and leaves its slabs to the shared heap, and while another thread takes such a slab over. Inbox and the way of a chain home
// (send_chain_home) are the very source; slabs, heaps and the pool are a model of thread_heap.cpp and heap_pool.cpp whose
// fields are all watched for data races. Does not prove larger populations, nor what stale relaxed reads could do
// (explorer.hpp).
#include <gtest/gtest.h>

#include <array>
#include <cstdio>
#include <memory>
#include <vector>

#include "allocator/osmem/slabs/remote_free.hpp"
#include "allocator/tests/osmem/explorer.hpp"

namespace {

using explore::Atomic;
using explore::Engine;
using explore::ModelAtomics;
using explore::PlainWord;
using explore::require;

constexpr uint32_t kBlocks = 2;  // of each slab
constexpr uint32_t kSlabs = 2;
constexpr uint32_t kNames = kSlabs * kBlocks + 1;  // blocks are named 1 to 4, the first two of slab 0

// Heaps: of the thread that owns both slabs at first; of threads that ended; of a thread that comes in between.
constexpr uint32_t kOwner = 1;
constexpr uint32_t kShared = 2;
constexpr uint32_t kOther = 3;

uint32_t slab_of(uint64_t block) { return static_cast<uint32_t>((block - 1) / kBlocks); }

struct Slab {
  Atomic<uint32_t> heap{kOwner};
  Atomic<uint32_t> owner{kOwner};  // 0: its heap has no thread
  // The heap's thread, or the holder of the pool's lock:
  PlainWord free;
  PlainWord free_count;
  PlainWord is_released;
};

template <typename Atomics>
struct Heap {
  osmem::Inbox<Atomics> inbox;
  Atomic<uint32_t> pooled{0};
};

enum class Ends { kNo, kYes };
enum class PoolLock { kNotHeld, kHeld };
enum class How { kSends, kTakesOver };  // by a chain, or by taking slabs without a thread over

// What is left out on purpose, to show that the explorer sees it.
enum class Defect { kNone, kCollectsWithoutLock, kRetiresWithoutALook, kKeepsStrangers };

struct Freer {
  std::vector<std::vector<uint32_t>> chains;  // of blocks, the tail first
  How how = How::kSends;
};

struct Plan {
  std::vector<Freer> freers;
  Ends owner_ends = Ends::kNo;
  uint32_t owner_rounds = 1;
  Defect defect = Defect::kNone;
};

// All blocks are live at first; the freers free some of them.
template <typename Atomics>
class ComingHome : public explore::Scenario {
 public:
  explicit ComingHome(const Plan& plan) : plan_(plan) {
    heaps_[kShared].pooled.store(1, std::memory_order_relaxed);  // relaxed: before the threads start
    for (const Freer& freer : plan.freers) {
      for (const auto& chain : freer.chains) {
        for (const uint32_t block : chain) is_freed_[block] = true;
      }
    }
  }

  unsigned thread_count() const override { return static_cast<unsigned>(1 + plan_.freers.size()); }

  void run_thread(unsigned index) override {
    if (index != 0) {
      const Freer& freer = plan_.freers[index - 1];
      for (const auto& chain : freer.chains) free_chain(chain, freer.how);
      if (freer.how == How::kTakesOver) take_arrivals(kOther);
      return;
    }
    for (uint32_t round = 0; round < plan_.owner_rounds; round++) {
      take_arrivals(kOwner);
    }
    if (plan_.owner_ends == Ends::kYes) retire();
  }

  void finish() override {
    for (const uint32_t heap : {kOwner, kShared, kOther}) {
      // Relaxed: no other thread is left.
      const bool is_pooled = heaps_[heap].pooled.load(std::memory_order_relaxed) != 0;
      require(!is_pooled || heaps_[heap].inbox.empty(), "a block waits in the inbox of a heap without a thread");
    }
    // Twice: what was for another heap is sent on.
    for (int turn = 0; turn < 2; turn++) {
      take_arrivals(kOwner);
      take_arrivals(kOther);
    }
    std::array<bool, kNames> is_home{};
    for (Slab& slab : slabs_) {
      if (slab.is_released.read() != 0) continue;
      uint64_t block = slab.free.read();
      for (uint64_t left = slab.free_count.read(); left != 0; left--, block = next_[block].read()) {
        require(block != 0 && !is_home[block], "a free list is shorter than its count, or has a block twice");
        is_home[block] = true;
      }
      require(block == 0, "a free list is longer than its count");
    }
    for (uint32_t block = 1; block < kNames; block++) {
      const bool is_gone = slabs_[slab_of(block)].is_released.read() != 0;
      require(is_freed_[block] == (is_gone || is_home[block]), "a block is lost, or was never freed");
    }
  }

 private:
  struct Home {
    ComingHome* world;
    uint32_t to;
    uint32_t head;
    uint32_t tail;

    void push() const {
      world->heaps_[to].inbox.push(head, [this](uintptr_t top) { world->next_[tail].write(top); });
    }
    bool is_pooled() const { return world->heaps_[to].pooled.load(std::memory_order_seq_cst) != 0; }
    void collect() const { world->collect_pooled(to); }
  };

  void send_home(uint32_t heap, uint32_t head, uint32_t tail) {
    Home home{this, heap, head, tail};
    osmem::send_chain_home(home);
  }

  // As free_of_other(), free_remote_rarely() and free_abandoned(): all blocks of a chain go to the heap that the first one's slab is in.
  void free_chain(const std::vector<uint32_t>& chain, How how) {
    Slab& slab = slabs_[slab_of(chain.front())];
    if (how == How::kTakesOver && slab.owner.load(std::memory_order_relaxed) != kOther) {  // relaxed, all: as there
      if (slab.owner.load(std::memory_order_relaxed) == 0) adopt_slab(slab);
    }
    if (how == How::kTakesOver && slab.owner.load(std::memory_order_relaxed) == kOther) {
      require(chain.size() == 1, "a chain is for blocks of others");
      take_back(chain.front(), chain.front(), 1);
      return;
    }
    for (size_t i = 1; i < chain.size(); i++) next_[chain[i]].write(chain[i - 1]);
    send_home(slab.heap.load(std::memory_order_relaxed), chain.back(), chain.front());
  }

  // As adopt_slab() in heap_pool.cpp.
  void adopt_slab(Slab& slab) {
    pool_lock_.lock();
    const uint32_t from = slab.heap.load(std::memory_order_relaxed);  // relaxed, all: as there
    if (heaps_[from].pooled.load(std::memory_order_relaxed) != 0) move(slab, kOther, kOther);
    pool_lock_.unlock();
  }

  // As Heap::adopt().
  static void move(Slab& slab, uint32_t heap, uint32_t owner) {
    slab.free_count.write(slab.free_count.read());  // its place in the heaps' lists
    slab.heap.store(heap, std::memory_order_relaxed);  // relaxed, both: as there
    slab.owner.store(owner, std::memory_order_relaxed);
  }

  // As retire_heap().
  void retire() {
    take_arrivals(kOwner);
    pool_lock_.lock();
    heaps_[kOwner].pooled.store(1, std::memory_order_seq_cst);
    if (plan_.defect != Defect::kRetiresWithoutALook) take_in(kOwner, heaps_[kOwner].inbox.take_last(), PoolLock::kHeld);
    for (Slab& slab : slabs_) {
      if (slab.is_released.read() == 0 && slab.heap.load(std::memory_order_relaxed) == kOwner) move(slab, kShared, 0);
    }
    pool_lock_.unlock();
  }

  void collect_pooled(uint32_t heap) {
    const bool locks = plan_.defect != Defect::kCollectsWithoutLock;
    if (locks) pool_lock_.lock();
    if (heaps_[heap].pooled.load(std::memory_order_relaxed) != 0) take_arrivals(heap, PoolLock::kHeld);  // as heap_pool.cpp
    if (locks) pool_lock_.unlock();
  }

  void take_arrivals(uint32_t heap, PoolLock lock = PoolLock::kNotHeld) {
    if (!heaps_[heap].inbox.empty()) take_in(heap, heaps_[heap].inbox.take_all(), lock);
  }

  // As Heap::take_in().
  void take_in(uint32_t self, uintptr_t list, PoolLock lock) {
    const bool is_locked = lock == PoolLock::kHeld;
    while (list != 0) {
      const auto block = static_cast<uint32_t>(list);
      list = next_[block].read();
      const uint32_t heap = slabs_[slab_of(block)].heap.load(std::memory_order_relaxed);  // as there
      const bool is_free_to_act = is_locked && heaps_[heap].pooled.load(std::memory_order_relaxed) != 0;
      if (heap == self || is_free_to_act || plan_.defect == Defect::kKeepsStrangers) {
        take_back(block, block, 1);
      } else if (is_locked) {
        Home{this, heap, block, block}.push();
      } else {
        send_home(heap, block, block);
      }
    }
  }

  // As Slab::put_back(), and Heap::received() where the slab is empty.
  void take_back(uint32_t first, uint32_t last, uint32_t count) {
    Slab& slab = slabs_[slab_of(first)];
    require(slab.is_released.read() == 0, "a slab was released with a block on its way to it");
    next_[last].write(slab.free.read());
    slab.free.write(first);
    slab.free_count.write(slab.free_count.read() + count);
    if (slab.free_count.read() == kBlocks) slab.is_released.write(1);
  }

  const Plan plan_;
  std::array<Slab, kSlabs> slabs_;
  std::array<Heap<Atomics>, 4> heaps_;
  std::array<PlainWord, kNames> next_;  // the link inside each free block
  std::array<bool, kNames> is_freed_{};
  explore::Mutex pool_lock_;
};

template <typename Atomics = ModelAtomics>
Engine::Result explore_plan(const Plan& plan) {
  return Engine::explore([&] { return std::make_unique<ComingHome<Atomics>>(plan); });
}

void expect_holds(const Plan& plan, uint64_t least_states) {
  const Engine::Result result = explore_plan(plan);
  EXPECT_EQ(result.failure, "");
  EXPECT_GE(result.states, least_states) << "the scenario has too few interleavings to mean anything";
  printf("%llu states, %llu executions\n", static_cast<unsigned long long>(result.states),
         static_cast<unsigned long long>(result.executions));
}

TEST(RemoteFreeExplorer, BlocksOfOneFreerArrive) {
  expect_holds({.freers = {{{{1}, {3}, {2}}}}, .owner_rounds = 3}, 50);
}

TEST(RemoteFreeExplorer, TwoFreersOfOneSlabLoseNoBlock) {
  expect_holds({.freers = {{{{1}}}, {{{2}}}}, .owner_rounds = 2}, 300);
}

TEST(RemoteFreeExplorer, ChainsArriveWhole) {
  expect_holds({.freers = {{{{1, 3}}}, {{{4, 2}}}}}, 100);
}

TEST(RemoteFreeExplorer, BlocksFreedWhileTheOwnerEndsComeHome) {
  expect_holds({.freers = {{{{1}}}, {{{2}}}}, .owner_ends = Ends::kYes}, 300);
}

TEST(RemoteFreeExplorer, ChainsOfSlabsThatLeaveAreSentOn) {
  expect_holds({.freers = {{{{1, 3}, {2}}}}, .owner_ends = Ends::kYes}, 50);
}

TEST(RemoteFreeExplorer, WhoFreesIntoASlabWithoutAThreadTakesItOver) {
  expect_holds({.freers = {{{{1}, {3}}, How::kTakesOver}}, .owner_ends = Ends::kYes}, 50);
}

TEST(RemoteFreeExplorer, BlocksForASlabTakenOverFindItsNewOwner) {
  expect_holds({.freers = {{{{1}}, How::kTakesOver}, {{{2}}}}, .owner_ends = Ends::kYes, .owner_rounds = 0}, 300);
}

// The explorer must be able to fail: each rule left out shows, and so do orders too weak.

void expect_fails(Defect defect, const Plan& plan) {
  Plan broken = plan;
  broken.defect = defect;
  EXPECT_EQ(explore_plan(plan).failure, "");
  const std::string failure = explore_plan(broken).failure;
  EXPECT_NE(failure.find("thread 1:"), std::string::npos) << "no schedule shown: " << failure;
  printf("%s\n", failure.substr(0, failure.find('\n')).c_str());
}

TEST(RemoteFreeExplorer, SeesTheOwnersWorkDoneWithoutTheLock) {
  expect_fails(Defect::kCollectsWithoutLock, {.freers = {{{{1}}}, {{{2}}}}, .owner_ends = Ends::kYes});
}

TEST(RemoteFreeExplorer, SeesAHeapThatEndsWithoutALookIntoItsInbox) {
  expect_fails(Defect::kRetiresWithoutALook, {.freers = {{{{1}}}}, .owner_ends = Ends::kYes});
}

TEST(RemoteFreeExplorer, SeesBlocksKeptThatAreNotTheHeapsOwn) {
  expect_fails(Defect::kKeepsStrangers,
               {.freers = {{{{1}}, How::kTakesOver}, {{{2}}}}, .owner_ends = Ends::kYes, .owner_rounds = 0});
}

// The source as it is, with every memory order weakened to relaxed.
struct RelaxedAtomics {
  template <typename T>
  struct Atomic : explore::Atomic<T> {
    using Base = explore::Atomic<T>;
    using Base::Base;
    // Relaxed on purpose: the explorer must then find what the orders prevent.
    T exchange(T value, std::memory_order) { return Base::exchange(value, std::memory_order_relaxed); }
    bool compare_exchange_weak(T& expected, T desired, std::memory_order, std::memory_order) {
      // Relaxed: as above.
      return Base::compare_exchange_weak(expected, desired, std::memory_order_relaxed, std::memory_order_relaxed);
    }
  };
};

TEST(RemoteFreeExplorer, FindsTheRacesThatRelaxedOrdersWouldMake) {
  const Engine::Result result = explore_plan<RelaxedAtomics>({.freers = {{{{1}}}, {{{2}}}}, .owner_rounds = 2});
  EXPECT_NE(result.failure.find("data race"), std::string::npos) << result.failure;
}

}  // namespace
