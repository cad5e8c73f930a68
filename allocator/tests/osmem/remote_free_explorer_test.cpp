// Proves that the remote-free protocol (allocator/osmem/slabs/remote_free.hpp, the very source, over the
// explorer's atomics) loses no block, returns none twice, tells the owner exactly when it must, and
// orders every access to the links: in all interleavings of an owner and one or two freeing
// threads, over one or two slabs. The owner's side is a model of Heap's use of the protocol. Does
// not prove larger populations, nor what stale relaxed reads could do (explorer.hpp).
#include <gtest/gtest.h>

#include <array>
#include <memory>
#include <string>
#include <vector>

#include "allocator/osmem/slabs/remote_free.hpp"
#include "allocator/tests/osmem/explorer.hpp"

namespace {

using explore::Engine;
using explore::ModelAtomics;
using explore::PlainWord;
using explore::require;

constexpr uint32_t kMaxBlocks = 3;  // blocks are named 1..kMaxBlocks

enum class List { kNone, kPartial, kFull };

template <template <typename> typename RemoteListOver>
struct Slab {
  RemoteListOver<ModelAtomics> remote;
  std::array<PlainWord, kMaxBlocks + 1> next;  // the link inside each free block
  PlainWord notify_next;
  // Owner only:
  PlainWord free;  // head of the slab's list
  uint32_t free_count = 0;
  uint32_t carved_count = 0;
  List list = List::kNone;
  bool is_released = false;
};

struct Push {
  uint32_t slab;
  std::vector<uint32_t> blocks;  // head first
};

struct Plan {
  uint32_t slab_count = 1;
  uint32_t blocks_per_slab = 2;
  uint32_t owner_rounds = 2;
  std::vector<Push> owner_frees;            // by the owner itself, one before each round
  std::vector<std::vector<Push>> freers{};  // one list a thread
};

// Every slab starts full and parked: all its blocks are live.
template <template <typename> typename RemoteListOver>
class ComingHome : public explore::Scenario {
 public:
  explicit ComingHome(const Plan& plan) : plan_(plan) {
    for (uint32_t i = 0; i < plan.slab_count; i++) {
      slabs_[i].carved_count = plan.blocks_per_slab;
      slabs_[i].list = List::kFull;
      require(slabs_[i].remote.park(), "a fresh slab can be parked");
    }
  }

  unsigned thread_count() const override { return static_cast<unsigned>(1 + plan_.freers.size()); }

  void run_thread(unsigned index) override {
    if (index == 0) {
      own();
      return;
    }
    for (const Push& push : plan_.freers[index - 1]) {
      send_home(push);
    }
  }

  // No other thread is left: one drain finds everything that was told, and nothing may be left
  // untold.
  void finish() override {
    drain_notified();
    for (uint32_t i = 0; i < plan_.slab_count; i++) {
      Slab<RemoteListOver>& slab = slabs_[i];
      if (slab.list == List::kPartial) {
        take_remote(slab);
      }
      require(slab.remote.count() == 0, "blocks lie in a parked slab, and nobody told the owner");
      require(slab.is_released || count_blocks(i) == plan_.blocks_per_slab, "a block is lost");
    }
  }

 private:
  void own() {
    for (uint32_t round = 0; round < plan_.owner_rounds; round++) {
      if (round < plan_.owner_frees.size()) {
        free_locally(plan_.owner_frees[round]);
      }
      drain_notified();
      for (uint32_t i = 0; i < plan_.slab_count; i++) {
        if (slabs_[i].list == List::kPartial) {
          allocate_all(i);
        }
      }
    }
  }

  // As send_home() in remote_cache.cpp.
  void send_home(const Push& push) {
    Slab<RemoteListOver>& slab = slabs_[push.slab];
    for (size_t i = 0; i + 1 < push.blocks.size(); i++) {
      slab.next[push.blocks[i]].write(push.blocks[i + 1]);
    }
    PlainWord& tail = slab.next[push.blocks.back()];
    const auto count = static_cast<uint32_t>(push.blocks.size());
    const bool notify =
        slab.remote.push(push.blocks.front(), count, [&](uint32_t old) { tail.write(old); });
    if (notify) {
      require(!slab.is_released, "a slab was released while a thread was to put it on the stack");
      notified_.push(push.slab + 1, [&](uint32_t top) { slab.notify_next.write(top); });
    }
  }

  // As Heap::give_back().
  void free_locally(const Push& push) {
    Slab<RemoteListOver>& slab = slabs_[push.slab];
    for (const uint32_t block : push.blocks) {
      slab.next[block].write(slab.free.read());
      slab.free.write(block);
      slab.free_count++;
    }
    if (slab.free_count == slab.carved_count) {
      if (slab.list != List::kFull || slab.remote.unpark()) {
        release(slab);
      }
    } else if (slab.list == List::kNone || (slab.list == List::kFull && slab.remote.unpark())) {
      slab.list = List::kPartial;
    }
  }

  // As Heap::drain_notified().
  void drain_notified() {
    for (uint32_t number = notified_.take_all(); number != 0;) {
      Slab<RemoteListOver>& slab = slabs_[number - 1];
      number = static_cast<uint32_t>(slab.notify_next.read());
      require(!slab.is_released, "a released slab was on the notify stack");
      const auto chain = slab.remote.take();
      require(chain.count != 0, "the owner was told of a slab without blocks");
      splice(slab, chain.head, chain.count);
      slab.list = List::kPartial;
      if (slab.free_count == slab.carved_count) {
        release(slab);
      }
    }
  }

  bool take_remote(Slab<RemoteListOver>& slab) {
    if (slab.remote.count() == 0) {
      return false;
    }
    const auto chain = slab.remote.take_keeping_state();
    splice(slab, chain.head, chain.count);
    return true;
  }

  void splice(Slab<RemoteListOver>& slab, uint32_t head, uint32_t count) {
    uint32_t last = head;
    uint32_t length = 1;
    for (; slab.next[last].read() != 0 && length <= kMaxBlocks; length++) {
      last = static_cast<uint32_t>(slab.next[last].read());
    }
    require(length == count, "the count of a chain differs from its length");
    slab.next[last].write(slab.free.read());
    slab.free.write(head);
    slab.free_count += count;
    require(slab.free_count <= slab.carved_count, "more blocks came home than there are");
  }

  // The program takes every free block of the slab; then as Heap::exhausted().
  void allocate_all(uint32_t index) {
    Slab<RemoteListOver>& slab = slabs_[index];
    for (auto block = static_cast<uint32_t>(slab.free.read()); block != 0;
         block = static_cast<uint32_t>(slab.next[block].read())) {
      held_[index].push_back(block);
    }
    slab.free.write(0);
    slab.free_count = 0;
    if (take_remote(slab)) {
      return;
    }
    if (slab.remote.park()) {
      slab.list = List::kFull;
    } else {
      require(take_remote(slab), "a slab could not be parked, and yet has nothing to take");
    }
  }

  void release(Slab<RemoteListOver>& slab) {
    require(slab.remote.count() == 0, "a slab was released with blocks on their way to it");
    slab.list = List::kNone;
    slab.is_released = true;
  }

  // Free and held blocks; each may be found once.
  uint32_t count_blocks(uint32_t index) {
    std::array<bool, kMaxBlocks + 1> seen{};
    uint32_t count = 0;
    const auto see = [&](uint32_t block) {
      require(block <= kMaxBlocks && !seen[block], "a block came home twice");
      seen[block] = true;
      count++;
    };
    for (auto block = static_cast<uint32_t>(slabs_[index].free.read());
         block != 0 && count <= kMaxBlocks;
         block = static_cast<uint32_t>(slabs_[index].next[block].read())) {
      see(block);
    }
    for (const uint32_t block : held_[index]) {
      see(block);
    }
    return count;
  }

  const Plan plan_;
  std::array<Slab<RemoteListOver>, 2> slabs_;
  std::array<std::vector<uint32_t>, 2> held_;  // by the owner's program
  osmem::NotifyStack<ModelAtomics> notified_;
};

template <typename Atomics>
using RealList = osmem::RemoteList<Atomics>;

template <template <typename> typename RemoteListOver = RealList>
Engine::Result explore_plan(const Plan& plan) {
  return Engine::explore([&] { return std::make_unique<ComingHome<RemoteListOver>>(plan); });
}

void expect_holds(const Plan& plan, uint64_t least_states) {
  const Engine::Result result = explore_plan(plan);
  EXPECT_EQ(result.failure, "");
  EXPECT_GE(result.states, least_states)
      << "the scenario has too few interleavings to mean anything";
  testing::Test::RecordProperty("states", std::to_string(result.states));
  testing::Test::RecordProperty("executions", std::to_string(result.executions));
  printf("%llu states, %llu executions\n", static_cast<unsigned long long>(result.states),
         static_cast<unsigned long long>(result.executions));
}

TEST(RemoteFreeExplorer, OneFreerWakesTheOwnerOfAFullSlab) {
  expect_holds({.blocks_per_slab = 3,
                .owner_rounds = 3,
                .owner_frees = {},
                .freers = {{{0, {1}}, {0, {2}}, {0, {3}}}}},
               100);
}

TEST(RemoteFreeExplorer, TwoFreersOfOneSlabLoseNoBlock) {
  expect_holds({.blocks_per_slab = 2,
                .owner_rounds = 2,
                .owner_frees = {},
                .freers = {{{0, {1}}}, {{0, {2}}}}},
               1000);
}

TEST(RemoteFreeExplorer, ChainsArriveWhole) {
  expect_holds({.blocks_per_slab = 3,
                .owner_rounds = 2,
                .owner_frees = {},
                .freers = {{{0, {1, 2}}}, {{0, {3}}}}},
               1000);
}

TEST(RemoteFreeExplorer, AParkedSlabComesBackByALocalFreeOrByTheStackButNotByBoth) {
  expect_holds({.blocks_per_slab = 3,
                .owner_rounds = 2,
                .owner_frees = {{0, {3}}},
                .freers = {{{0, {1}}}, {{0, {2}}}}},
               1000);
}

TEST(RemoteFreeExplorer, TwoSlabsOnOneStack) {
  expect_holds({.slab_count = 2,
                .blocks_per_slab = 2,
                .owner_rounds = 1,
                .owner_frees = {},
                .freers = {{{0, {1}}, {1, {1}}}, {{1, {2}}, {0, {2}}}}},
               1000);
}

// The explorer must be able to fail: once by a faulty step, once by orders too weak.

// Parks without looking whether blocks came in meanwhile.
template <typename Atomics>
class ParksBlindly : public osmem::RemoteList<Atomics> {
 public:
  bool park() {
    while (!osmem::RemoteList<Atomics>::park()) {
      this->take();  // drops what came in
    }
    return true;
  }
};

// The source as it is, with every memory order weakened to relaxed.
struct RelaxedAtomics {
  template <typename T>
  struct Atomic : explore::Atomic<T> {
    using Base = explore::Atomic<T>;
    using Base::Base;
    // Relaxed on purpose: the explorer must then find what the orders prevent.
    T exchange(T value, std::memory_order) {
      return Base::exchange(value, std::memory_order_relaxed);
    }
    bool compare_exchange_weak(T& expected, T desired, std::memory_order, std::memory_order) {
      // Relaxed: as above.
      return Base::compare_exchange_weak(expected, desired, std::memory_order_relaxed,
                                         std::memory_order_relaxed);
    }
  };
};

template <typename>
using RelaxedList = osmem::RemoteList<RelaxedAtomics>;

TEST(RemoteFreeExplorer, FindsALostBlockInABrokenProtocol) {
  const Plan plan{.blocks_per_slab = 2,
                  .owner_rounds = 2,
                  .owner_frees = {},
                  .freers = {{{0, {1}}}, {{0, {2}}}}};
  const Engine::Result result = explore_plan<ParksBlindly>(plan);
  EXPECT_NE(result.failure, "");
  EXPECT_NE(result.failure.find("thread 1:"), std::string::npos) << "no schedule shown";
}

TEST(RemoteFreeExplorer, FindsTheRacesThatRelaxedOrdersWouldMake) {
  const Plan plan{.blocks_per_slab = 2,
                  .owner_rounds = 2,
                  .owner_frees = {},
                  .freers = {{{0, {1}}}, {{0, {2}}}}};
  const Engine::Result result = explore_plan<RelaxedList>(plan);
  EXPECT_NE(result.failure.find("data race"), std::string::npos) << result.failure;
}

}  // namespace
