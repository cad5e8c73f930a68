// Proves what the scenarios and the fuzzer do not look at: errors leave errno and blocks as the
// contracts say, also for each n-th call to the system that fails; freelist's options do what they
// are named for; guards end the program; the invariants' checker sees damage; a break moved by
// another thread within a call is coped with; forks find a sound heap. Does not prove: addresses
// and system calls of the plain rules (the scenarios do).
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <thread>

#include "allocator/classic/locked_heap.hpp"
#include "allocator/tests/classic_heaps.hpp"

namespace {

using namespace classic_tests;
using classic::Block;
using classic::block_of;

template <class Heap>
class EveryListHeap : public testing::Test {};
TYPED_TEST_SUITE(EveryListHeap, AllHeaps, HeapNames);

TYPED_TEST(EveryListHeap, ZeroBytesGiveNullAndKeepErrno) {
  TypeParam heap;
  errno = 7;
  EXPECT_EQ(heap.allocate(0), nullptr);
  EXPECT_EQ(heap.allocate_aligned(64, 0), nullptr);
  EXPECT_EQ(heap.resize(nullptr, 0), nullptr);
  heap.release(nullptr);
  EXPECT_EQ(errno, 7);
}

TYPED_TEST(EveryListHeap, ImpossibleSizesFailWithEnomem) {
  TypeParam heap;
  void* block = heap.allocate(100);
  for (const std::size_t size : {SIZE_MAX, SIZE_MAX - 31, SIZE_MAX / 2, SIZE_MAX / 2 - 40}) {
    errno = 0;
    EXPECT_EQ(heap.allocate(size), nullptr);
    EXPECT_EQ(errno, ENOMEM);
    EXPECT_EQ(heap.resize(block, size), nullptr);
    EXPECT_EQ(heap.allocate_aligned(std::size_t{1} << 62, size), nullptr);
  }
  EXPECT_EQ(heap.allocate_aligned(std::size_t{1} << 62, 1), nullptr);
  EXPECT_EQ(heap.list().broken_invariant(), nullptr);
  heap.release(block);
}

TYPED_TEST(EveryListHeap, FailureOfEveryNthSystemCallLeavesASoundHeap) {
  for (int n = 0; n < 12; ++n) {
    TypeParam heap;
    void* kept = heap.allocate(1000);
    std::memset(kept, 'k', 1000);
    heap.list().source().fail_from_call(n);
    void* last = nullptr;
    int failures = 0;
    for (const std::size_t size : {120000, 130000, 300000, 5000, 129000, 128000, 500000, 127000}) {
      errno = 0;
      void* next = heap.allocate(size);
      failures += next == nullptr ? 1 : 0;
      EXPECT_EQ(errno, next == nullptr ? ENOMEM : 0);
      if (void* grown = heap.resize(last, size + 3000); grown != nullptr) {
        heap.release(grown);
      }
      last = next;
    }
    EXPECT_TRUE(failures > 0 || n > 5) << "call " << n;
    EXPECT_EQ(heap.list().broken_invariant(), nullptr) << "call " << n;
    heap.list().source().fail_from_call(0);
    EXPECT_EQ(heap.resize(kept, 40000000), nullptr);
    EXPECT_EQ(std::count(static_cast<char*>(kept), static_cast<char*>(kept) + 1000, 'k'), 1000);
    heap.list().source().fail_from_call(-1);
    EXPECT_NE(heap.allocate(400000), nullptr);
  }
}

TYPED_TEST(EveryListHeap, BreakMovedWithinACallStartsANewStretch) {
  TypeParam heap;
  void* first = heap.allocate(100000);
  heap.list().source().intrude_next(24);
  void* second = heap.allocate(100000);
  ASSERT_NE(second, nullptr);
  EXPECT_EQ(reinterpret_cast<std::uintptr_t>(second) % TypeParam::kAlignment, 0u);
  heap.release(first);
  heap.release(second);
  EXPECT_EQ(heap.list().broken_invariant(), nullptr);
  heap.list().source().intrude_next(1);
  EXPECT_NE(heap.allocate(110000), nullptr);
  EXPECT_NE(heap.allocate(120000), nullptr);
  EXPECT_EQ(heap.list().broken_invariant(), nullptr);
}

TYPED_TEST(EveryListHeap, LargeAlignmentsWork) {
  TypeParam heap;
  for (std::size_t alignment = 16; alignment <= (std::size_t{1} << 30); alignment *= 2) {
    void* block = heap.allocate_aligned(alignment, 100);
    ASSERT_NE(block, nullptr) << alignment;
    EXPECT_EQ(reinterpret_cast<std::uintptr_t>(block) % alignment, 0u);
    EXPECT_TRUE(heap.owns(block)) << alignment;
    std::memset(block, 1, 100);
    heap.release(block);
  }
  EXPECT_EQ(heap.list().broken_invariant(), nullptr);
  EXPECT_EQ(heap.list().mapped_bytes(), 0u);
}

TYPED_TEST(EveryListHeap, DoesNotOwnOthersBlocks) {
#ifdef __SANITIZE_ADDRESS__
  GTEST_SKIP() << "owns() looks before other allocators' blocks, which AddressSanitizer forbids";
#endif
  TypeParam heap;
  void* own = heap.allocate(100);
  std::vector<char> small(100);
  std::vector<char> large(1 << 20);
  static char global[64];
  char local[64];
  EXPECT_TRUE(heap.owns(own));
  for (const char* other : {small.data(), large.data(), global + 16, local + 16}) {
    EXPECT_FALSE(heap.owns(other));
  }
  EXPECT_FALSE(heap.owns(static_cast<char*>(own) + 16));
  EXPECT_FALSE(heap.owns(nullptr));
}

TYPED_TEST(EveryListHeap, CheckerSeesDamage) {
  TypeParam heap;
  void* first = heap.allocate(100);
  void* second = heap.allocate(100);
  ASSERT_EQ(heap.list().broken_invariant(), nullptr);
  const Block sound = *block_of(first);
  block_of(first)->size += 64;
  EXPECT_NE(heap.list().broken_invariant(), nullptr);
  *block_of(first) = sound;
  block_of(second)->status = classic::Status::kMapped;
  block_of(first)->status = classic::Status::kFree;
  EXPECT_NE(heap.list().broken_invariant(), nullptr);
}

TEST(FreelistOptions, AreReadFromTheEnvironment) {
  const char* const none[] = {"FREELIST_BINSX=1", "BINS=1", nullptr};
  const char* const all[] = {"FREELIST_BINS=1", "FREELIST_ADAPTIVE=1", "FREELIST_GUARDS=1",
                             "FREELIST_ALIGNMENT=64", nullptr};
  EXPECT_FALSE(classic::freelist_options(none).bins);
  EXPECT_EQ(classic::freelist_options(nullptr).alignment_bytes, 16u);
  const FreelistOptions options = classic::freelist_options(all);
  EXPECT_TRUE(options.bins && options.adaptive && options.guards);
  EXPECT_EQ(options.alignment_bytes, 64u);
}

TEST(FreelistOptions, BadValuesAreReportedAndIgnored) {
  const char* const bad[] = {"FREELIST_BINS=yes", "FREELIST_ALIGNMENT=48", nullptr};
  testing::internal::CaptureStderr();
  const FreelistOptions options = classic::freelist_options(bad);
  EXPECT_EQ(testing::internal::GetCapturedStderr(),
            "freelist: FREELIST_BINS=yes is ignored; known are 0 and 1\n"
            "freelist: FREELIST_ALIGNMENT=48 is ignored; known are 16, 32 and 64\n");
  EXPECT_FALSE(options.bins);
  EXPECT_EQ(options.alignment_bytes, 16u);
}

// Frees many blocks of one size, then asks for a block that only one of them can serve.
template <class Heap>
void* after_many_small_frees(Heap& heap, void*& large) {
  large = heap.allocate(5000);
  std::vector<void*> small;
  for (int i = 0; i < 100; ++i) {
    small.push_back(heap.allocate(40));
    heap.allocate(40);
  }
  heap.release(large);
  for (void* block : small) {
    heap.release(block);
  }
  return heap.allocate(5000);
}

TEST(FreelistBins, ServeFromTheBinOfTheSize) {
  FreelistBins heap;
  void* large = nullptr;
  EXPECT_EQ(after_many_small_frees(heap, large), large);
  EXPECT_TRUE(heap.list().index().is_binned());
}

TEST(FreelistAdaptive, ServesFromTheHeapWhatWasMappedOnce) {
  FreelistAdaptive adaptive;
  FreelistPlain plain;
  for (int i = 0; i < 10; ++i) {
    adaptive.release(adaptive.allocate(1 << 20));
    plain.release(plain.allocate(1 << 20));
  }
  EXPECT_EQ(adaptive.list().source().mapped_count(), 1);
  EXPECT_EQ(plain.list().source().mapped_count(), 10);
  adaptive.release(adaptive.allocate(std::size_t{33} << 20));
  adaptive.release(adaptive.allocate(std::size_t{33} << 20));
  EXPECT_EQ(adaptive.list().source().mapped_count(), 3);
}

TEST(FreelistGuards, UsableIsWhatWasAskedFor) {
  FreelistGuards heap;
  for (const std::size_t size : {1, 7, 16, 100, 5000, 200000}) {
    EXPECT_EQ(heap.usable_bytes(heap.allocate(size)), size);
  }
}

using FreelistGuardsDeathTest = testing::Test;

TEST_F(FreelistGuardsDeathTest, OverflowByOneByteEndsTheProgram) {
  for (const std::size_t size : {1, 15, 16, 100, 200000}) {
    EXPECT_DEATH(
        {
          FreelistGuards heap;
          auto* block = static_cast<char*>(heap.allocate(size));
          block[size] = 'x';
          heap.release(block);
        },
        "freelist: block at 0x[0-9a-f]+: it was written past its end");
  }
}

TEST_F(FreelistGuardsDeathTest, OverflowSeenByResizeEndsTheProgram) {
  EXPECT_DEATH(
      {
        FreelistGuards heap;
        auto* block = static_cast<char*>(heap.allocate(100));
        std::memset(block, 0, 140);
        heap.resize(block, 200);
      },
      "written past its end|header was overwritten");
}

TEST_F(FreelistGuardsDeathTest, SecondFreeEndsTheProgram) {
  EXPECT_DEATH(
      {
        FreelistGuards heap;
        void* block = heap.allocate(100);
        heap.allocate(100);
        heap.release(block);
        heap.release(block);
      },
      "it was freed before");
}

TEST_F(FreelistGuardsDeathTest, PointerThatIsNoBlockEndsTheProgram) {
  for (const int offset : {500, 512}) {
    EXPECT_DEATH(
        {
          FreelistGuards heap;
          auto* block = static_cast<char*>(heap.allocate(1000));
          std::memset(block, 0, 1000);
          heap.release(block + offset);
        },
        "it is no block of freelist");
  }
}

constinit classic::LockedHeap<classic::ListHeap<classic::AltmemPolicy<8>>> forking;

// Other threads allocate all the time: a child that found their lock held would hang until its
// alarm.
TEST(LockedHeap, ChildrenOfBusyProcessesCanAllocate) {
  classic::fork_with<forking>();
  std::atomic<bool> stop = false;
  std::vector<std::thread> busy;
  for (int i = 0; i < 2; ++i) {
    busy.emplace_back([&] {
      while (!stop.load(std::memory_order_relaxed)) {  // relaxed: seen sooner or later
        forking.release(forking.allocate(500));
      }
    });
  }
  int sound = 0;
  for (int i = 0; i < 200; ++i) {
    const pid_t child = fork();
    if (child == 0) {
      alarm(20);
      forking.release(forking.allocate(1000));
      _exit(forking.inspect([](auto& list) { return list.broken_invariant(); }) == nullptr ? 0 : 1);
    }
    int status = -1;
    waitpid(child, &status, 0);
    sound += status == 0 ? 1 : 0;
  }
  stop.store(true, std::memory_order_relaxed);  // relaxed: nothing is published with it
  for (std::thread& thread : busy) {
    thread.join();
  }
  EXPECT_EQ(sound, 200);
}

TEST(LockedHeap, ThreadsKeepTheirBlocksApart) {
  static constinit classic::LockedHeap<classic::FreelistHeap<>> shared;
  std::atomic<int> damaged = 0;
  const auto work = [&](unsigned char mark) {
    std::vector<unsigned char*> blocks(50, nullptr);
    for (std::size_t i = 0; i < 20000; ++i) {
      unsigned char*& block = blocks[i * 7 % blocks.size()];
      if (block != nullptr && (block[0] != mark || block[99] != mark)) {
        damaged.fetch_add(1, std::memory_order_relaxed);  // relaxed: read after the join
      }
      shared.release(block);
      block = static_cast<unsigned char*>(shared.allocate(100 + i % 300));
      std::memset(block, mark, 100);
    }
    for (unsigned char* block : blocks) {
      shared.release(block);
    }
  };
  std::thread first(work, 1);
  std::thread second(work, 2);
  first.join();
  second.join();
  EXPECT_EQ(damaged.load(std::memory_order_relaxed), 0);  // relaxed: the joins order it
  EXPECT_EQ(shared.inspect([](auto& list) { return list.broken_invariant(); }), nullptr);
}

}  // namespace
