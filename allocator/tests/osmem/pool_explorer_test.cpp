// Proves, in all interleavings of two and three threads, that blocks come home and slabs are neither
// lost nor used by two threads at once while heaps change hands: a thread ends and leaves its heap
// in the pool, another frees into that heap's slabs and does the owner's work under the pool's lock,
// a third adopts a slab or takes the whole heap over. The remote word, the notify stack and the way
// of a chain home (send_chain_home) are the very source; the heap's lists and the pool are a model of
// thread_heap.cpp and heap_pool.cpp whose fields are all watched for data races. Does not prove
// larger populations, nor what stale relaxed reads could do (explorer.hpp).
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

constexpr uint32_t kBlocks = 2;  // of each slab, named 1 and 2
constexpr uint32_t kSlabs = 2;

// SlabList of slab.hpp.
enum List : uint64_t { kNone, kPartial, kFull };

struct Slab {
  osmem::RemoteList<ModelAtomics> remote;
  Atomic<uint32_t> heap{1};  // number of the heap, 0 for none
  std::array<PlainWord, kBlocks + 1> next;
  PlainWord notify_next;
  // Owner thread, or holder of the pool's lock:
  PlainWord free;
  PlainWord free_count;
  PlainWord list;
  PlainWord is_released;
};

struct Heap {
  osmem::NotifyStack<ModelAtomics> notified;
  Atomic<uint32_t> pooled{0};
};

enum class Successor { kNone, kAdoptsASlab, kTakesTheHeap };

// What is left out on purpose, to show that the explorer sees it.
enum class Defect { kNone, kCollectsWhateverSlab, kCollectsWithoutLock, kAdoptsFullSlabs, kForgetsToDrain };

struct Plan {
  std::vector<std::vector<std::array<uint32_t, 2>>> freers;  // slab, block
  Successor successor = Successor::kNone;
  bool ending_thread_allocates = false;
  Defect defect = Defect::kNone;
};

// Heap 1 belongs to thread 0, which ends; heap 2 to the successor, the last thread. Slab 0 is full and
// parked, slab 1 has block 2 free.
class ChangingHands : public explore::Scenario {
 public:
  explicit ChangingHands(const Plan& plan) : plan_(plan) {
    slabs_[0].list.write(kFull);
    require(slabs_[0].remote.park(), "a fresh slab can be parked");
    slabs_[1].list.write(kPartial);
    slabs_[1].free.write(2);
    slabs_[1].free_count.write(1);
    for (const auto& pushes : plan_.freers) {
      for (const auto& push : pushes) {
        kept_live_[push[0]]--;
      }
    }
  }

  unsigned thread_count() const override {
    return static_cast<unsigned>(1 + plan_.freers.size() + (plan_.successor == Successor::kNone ? 0 : 1));
  }

  void run_thread(unsigned index) override {
    if (index == 0) {
      end_thread();
    } else if (index <= plan_.freers.size()) {
      for (const auto& [slab, block] : plan_.freers[index - 1]) {
        send_home(slab, block);
      }
    } else if (plan_.successor == Successor::kAdoptsASlab) {
      take_from_pool();
    } else {
      acquire_heap();
    }
  }

  // As the next thread of each heap: then every block must be free, or held by the program.
  void finish() override {
    for (uint32_t heap = 1; heap <= 2; heap++) {
      drain_notified(heap);
    }
    for (uint32_t i = 0; i < kSlabs; i++) {
      if (slabs_[i].is_released.read() == 0) {
        if (slabs_[i].list.read() != kFull) {
          take_remote(slabs_[i]);
        }
        require(slabs_[i].remote.count() == 0, "blocks lie in a parked slab, and nobody told the owner");
        require(count_blocks(i) + kept_live_[i] == kBlocks, "a block is lost");
      }
    }
  }

 private:
  struct Home {
    ChangingHands* world;
    uint32_t slab;
    uint32_t block;

    Slab& books() const { return world->slabs_[slab]; }
    void link(uint32_t old_head) const { books().next[block].write(old_head); }
    // Relaxed, both, as in remote_cache.cpp.
    uint32_t heap() const { return books().heap.load(std::memory_order_relaxed); }
    bool is_pooled(uint32_t heap) const {
      return world->heaps_[heap].pooled.load(std::memory_order_relaxed) != 0;
    }
    void ask_attention(uint32_t heap) const {
      world->heaps_[heap].notified.push(slab + 1, [this](uint32_t top) { books().notify_next.write(top); });
    }
    void collect(uint32_t heap) const { world->collect_pooled(heap, slab); }
  };

  void send_home(uint32_t slab, uint32_t block) {
    Home home{this, slab, block};
    osmem::send_chain_home(slabs_[slab].remote, block, 1, home);
  }

  // As retire_heap(); before it, perhaps, a last allocation.
  void end_thread() {
    if (plan_.ending_thread_allocates) {
      allocate_all(1);
    }
    drain_notified(1);
    for (uint32_t i = 0; i < kSlabs; i++) {
      collect_slab(i);
    }
    pool_lock_.lock();
    heaps_[1].pooled.store(1, std::memory_order_relaxed);  // as heap_pool.cpp
    is_in_pool_.write(1);
    pool_lock_.unlock();
  }

  void collect_pooled(uint32_t heap, uint32_t slab) {
    const bool locks = plan_.defect != Defect::kCollectsWithoutLock;
    if (locks) {
      pool_lock_.lock();
    }
    if (heaps_[heap].pooled.load(std::memory_order_relaxed) != 0) {  // as heap_pool.cpp
      drain_notified(heap);
      // Relaxed: as heap_pool.cpp.
      const bool is_still_there = slabs_[slab].heap.load(std::memory_order_relaxed) == heap;
      if (is_still_there || plan_.defect == Defect::kCollectsWhateverSlab) {
        collect_slab(slab);
      }
    }
    if (locks) {
      pool_lock_.unlock();
    }
  }

  // As take_from_pool() and Heap::adopt(); the program then takes every block of the slab.
  void take_from_pool() {
    pool_lock_.lock();
    uint32_t adopted = kSlabs;
    if (is_in_pool_.read() != 0) {
      drain_notified(1);
      for (uint32_t i = 0; i < kSlabs && adopted == kSlabs; i++) {
        const bool is_wanted = slabs_[i].list.read() == kPartial || plan_.defect == Defect::kAdoptsFullSlabs;
        if (slabs_[i].is_released.read() == 0 && is_wanted) {
          adopted = i;
          slabs_[i].heap.store(2, std::memory_order_relaxed);  // as Heap::adopt()
        }
      }
    }
    pool_lock_.unlock();
    if (adopted != kSlabs) {
      allocate_all(adopted);
      drain_notified(2);
    }
  }

  // As acquire_heap().
  void acquire_heap() {
    pool_lock_.lock();
    const bool got = is_in_pool_.read() != 0;
    if (got) {
      is_in_pool_.write(0);
      heaps_[1].pooled.store(0, std::memory_order_relaxed);  // as heap_pool.cpp
    }
    pool_lock_.unlock();
    if (!got) {
      return;
    }
    drain_notified(1);
    for (uint32_t i = 0; i < kSlabs; i++) {
      if (slabs_[i].is_released.read() == 0 && slabs_[i].list.read() == kPartial) {
        allocate_all(i);
      }
    }
    drain_notified(1);
  }

  // As Heap::drain_notified().
  void drain_notified(uint32_t heap) {
    if (plan_.defect == Defect::kForgetsToDrain && heap == 1) {
      heaps_[heap].notified.take_all();
      return;
    }
    for (uint32_t number = heaps_[heap].notified.take_all(); number != 0;) {
      Slab& slab = slabs_[number - 1];
      number = static_cast<uint32_t>(slab.notify_next.read());
      require(slab.is_released.read() == 0, "a released slab was on the notify stack");
      require(slab.heap.load(std::memory_order_relaxed) == heap,  // relaxed: only its owner changes it
              "a slab was on the stack of another heap than its own");
      const auto chain = slab.remote.take();
      require(chain.count != 0, "the owner was told of a slab without blocks");
      splice(slab, chain.head, chain.count);
      slab.list.write(kPartial);
      release_if_empty(slab);
    }
  }

  // As Heap::collect_slab().
  void collect_slab(uint32_t index) {
    Slab& slab = slabs_[index];
    if (slab.is_released.read() != 0 || slab.list.read() == kFull || !take_remote(slab)) {
      return;
    }
    slab.list.write(kPartial);
    release_if_empty(slab);
  }

  bool take_remote(Slab& slab) {
    if (slab.remote.count() == 0) {
      return false;
    }
    const auto chain = slab.remote.take_keeping_state();
    splice(slab, chain.head, chain.count);
    return true;
  }

  void splice(Slab& slab, uint32_t head, uint32_t count) {
    uint32_t last = head;
    uint32_t length = 1;
    for (; slab.next[last].read() != 0 && length <= kBlocks; length++) {
      last = static_cast<uint32_t>(slab.next[last].read());
    }
    require(length == count, "the count of a chain differs from its length");
    slab.next[last].write(slab.free.read());
    slab.free.write(head);
    slab.free_count.write(slab.free_count.read() + count);
    require(slab.free_count.read() <= kBlocks, "more blocks came home than there are");
  }

  void release_if_empty(Slab& slab) {
    if (slab.free_count.read() != kBlocks) {
      return;
    }
    require(slab.remote.count() == 0, "a slab was released with blocks on their way to it");
    slab.list.write(kNone);
    slab.heap.store(0, std::memory_order_relaxed);  // as Heap::release_slab()
    slab.is_released.write(1);
  }

  // The program takes every free block of the slab; then as Heap::exhausted().
  void allocate_all(uint32_t index) {
    Slab& slab = slabs_[index];
    for (uint64_t block = slab.free.read(); block != 0; block = slab.next[block].read()) {
      held_[index].push_back(static_cast<uint32_t>(block));
    }
    slab.free.write(0);
    slab.free_count.write(0);
    if (take_remote(slab)) {
      slab.list.write(kPartial);
    } else if (slab.remote.park()) {
      slab.list.write(kFull);
    } else {
      require(take_remote(slab), "a slab could not be parked, and yet has nothing to take");
      slab.list.write(kPartial);
    }
  }

  uint32_t count_blocks(uint32_t index) {
    std::array<bool, kBlocks + 1> seen{};
    uint32_t count = 0;
    const auto see = [&](uint64_t block) {
      require(block <= kBlocks && !seen[block], "a block came home twice");
      seen[block] = true;
      count++;
    };
    for (uint64_t block = slabs_[index].free.read(); block != 0 && count <= kBlocks;
         block = slabs_[index].next[block].read()) {
      see(block);
    }
    for (const uint32_t block : held_[index]) {
      see(block);
    }
    return count;
  }

  const Plan plan_;
  std::array<Slab, kSlabs> slabs_;
  std::array<Heap, 3> heaps_;  // 1 and 2
  std::array<std::vector<uint32_t>, kSlabs> held_;
  std::array<uint32_t, kSlabs> kept_live_{kBlocks, kBlocks - 1};  // by the program, to the end
  explore::Mutex pool_lock_;
  PlainWord is_in_pool_;  // guarded by pool_lock_
};

Engine::Result explore_plan(const Plan& plan) {
  return Engine::explore([&] { return std::make_unique<ChangingHands>(plan); });
}

void expect_holds(const Plan& plan, uint64_t least_states) {
  const Engine::Result result = explore_plan(plan);
  EXPECT_EQ(result.failure, "");
  EXPECT_GE(result.states, least_states) << "the scenario has too few interleavings to mean anything";
  printf("%llu states, %llu executions\n", static_cast<unsigned long long>(result.states),
         static_cast<unsigned long long>(result.executions));
}

TEST(PoolExplorer, BlocksFreedWhileTheOwnerEndsComeHome) {
  expect_holds({.freers = {{{0, 1}, {0, 2}}, {{1, 1}}}}, 1000);
}

TEST(PoolExplorer, TwoFreersDoTheOwnersWorkInTurn) {
  expect_holds({.freers = {{{0, 1}, {1, 1}}, {{0, 2}}}}, 1000);
}

TEST(PoolExplorer, ASlabIsParkedOrPooledButNotForgotten) {
  expect_holds({.freers = {{{1, 1}, {0, 1}}, {{0, 2}}}, .ending_thread_allocates = true}, 1000);
}

TEST(PoolExplorer, AnAdoptedSlabIsCollectedByItsNewOwnerOnly) {
  expect_holds({.freers = {{{1, 1}, {0, 1}}}, .successor = Successor::kAdoptsASlab}, 1000);
}

TEST(PoolExplorer, AParkedSlabIsAdoptedOnceItHasBlocks) {
  expect_holds({.freers = {{{0, 1}, {0, 2}}}, .successor = Successor::kAdoptsASlab, .ending_thread_allocates = true},
               1000);
}

TEST(PoolExplorer, TheNextThreadTakesTheHeapOverWhole) {
  expect_holds({.freers = {{{0, 1}, {1, 1}, {0, 2}}}, .successor = Successor::kTakesTheHeap}, 1000);
}

// The explorer must be able to fail: each rule left out shows.

void expect_fails(Defect defect, const Plan& plan) {
  Plan broken = plan;
  broken.defect = defect;
  EXPECT_EQ(explore_plan(plan).failure, "");
  const std::string failure = explore_plan(broken).failure;
  EXPECT_NE(failure, "");
  printf("%s\n", failure.substr(0, failure.find('\n')).c_str());
}

TEST(PoolExplorer, SeesASlabCollectedForAHeapItHasLeft) {
  expect_fails(Defect::kCollectsWhateverSlab, {.freers = {{{1, 1}}}, .successor = Successor::kAdoptsASlab});
}

TEST(PoolExplorer, SeesTheOwnersWorkDoneWithoutTheLock) {
  expect_fails(Defect::kCollectsWithoutLock, {.freers = {{{0, 1}}, {{0, 2}}}});
}

TEST(PoolExplorer, SeesAParkedSlabGivenAway) {
  expect_fails(Defect::kAdoptsFullSlabs, {.freers = {{{0, 1}}}, .successor = Successor::kAdoptsASlab});
}

TEST(PoolExplorer, SeesAStackThatIsNotDrained) {
  expect_fails(Defect::kForgetsToDrain, {.freers = {{{0, 1}}}});
}

}  // namespace
