// Proves for blocks of 32 KiB to the mapping threshold: a freed one serves the next request of its length; a request of
// another length finds kept ones coalesced; calloc clears reused ones; small requests of large alignment and longer blocks
// share no books; a pointer freed twice, or into the middle of a run, aborts; what a thread kept is given back when it
// ends; a thread that takes runs down keeps none; holes that do not suit are given back before the peak would rise;
// pages of a run in which a slab starts are given back by os_trim() unless they were handed out, and once they are old where no
// block of the slab reaches.
// Does not prove: how long a thread that goes on keeps its runs (memory_back_test.cpp), nor any time.
#include <gtest/gtest.h>
#include <sys/mman.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <cstdint>
#include <cstring>
#include <thread>
#include <vector>

#include "allocator/osmem/api/osmem.h"

namespace {

constexpr std::size_t kKiB = 1024;

char* allocate(std::size_t bytes) {
  auto* block = static_cast<char*>(os_malloc(bytes));
  EXPECT_NE(block, nullptr);
  return block;
}

// The compiler knows that free ends a block's life; the tests below look at addresses after it.
std::uintptr_t freed(void* block) {
  const auto address = reinterpret_cast<std::uintptr_t>(block);
  os_free(block);
  return address;
}

std::uintptr_t address_of(const void* block) { return reinterpret_cast<std::uintptr_t>(block); }

// Each test starts from a heap whose free pages are all in the page heap, after its first look at the clock.
class Runs : public testing::Test {
 protected:
  void SetUp() override {
    os_free(allocate(40 * kKiB));
    os_trim(0);
  }
};

TEST_F(Runs, ServeTheNextRequestOfTheirLength) {
  char* first = allocate(100 * kKiB);
  char* second = allocate(60 * kKiB);
  const std::uintptr_t first_address = freed(first);
  const std::uintptr_t second_address = freed(second);
  char* long_again = allocate(100 * kKiB);
  char* short_again = allocate(60 * kKiB);
  EXPECT_EQ(address_of(long_again), first_address);
  EXPECT_EQ(address_of(short_again), second_address);
  os_free(long_again);
  os_free(short_again);
}

TEST_F(Runs, AreHandedOutForSlightlyShorterRequestsWithTheirWholeLength) {
  char* block = allocate(96 * kKiB);
  const std::uintptr_t address = freed(block);
  char* shorter = allocate(90 * kKiB);
  EXPECT_EQ(address_of(shorter), address);
  EXPECT_EQ(os_usable_size(shorter), 96 * kKiB);
  std::memset(shorter, 1, 96 * kKiB);
  os_free(shorter);
}

TEST_F(Runs, CoalesceForARequestOfAnotherLength) {
  // Neighbours, if the heap hands out runs in order of address; then one request fits over both once they are free.
  char* left = allocate(60 * kKiB);
  char* right = allocate(60 * kKiB);
  char* guard = allocate(60 * kKiB);
  if (right != left + 60 * kKiB) GTEST_SKIP() << "the heap's free pages are in pieces";
  const std::uintptr_t left_address = freed(left);
  os_free(right);
  char* both = allocate(120 * kKiB);
  EXPECT_EQ(address_of(both), left_address);
  os_free(both);
  os_free(guard);
}

TEST_F(Runs, AreClearedForCalloc) {
  char* dirty = allocate(64 * kKiB);
  std::memset(dirty, 0xff, 64 * kKiB);
  const std::uintptr_t address = freed(dirty);
  auto* clean = static_cast<unsigned char*>(os_calloc(16, 4 * kKiB));
  ASSERT_NE(clean, nullptr);
  EXPECT_EQ(address_of(clean), address);
  for (std::size_t i = 0; i < 64 * kKiB; ++i) ASSERT_EQ(clean[i], 0) << "at " << i;
  os_free(clean);
}

TEST_F(Runs, OfLargeAlignmentAndSmallSizeShareNoSlice) {
  std::vector<char*> blocks;
  for (int i = 0; i < 64; ++i) {
    auto* aligned = static_cast<char*>(os_aligned_alloc(32 * kKiB, 100));
    ASSERT_NE(aligned, nullptr);
    ASSERT_EQ(address_of(aligned) % (32 * kKiB), 0u);
    blocks.push_back(aligned);
    blocks.push_back(allocate(33 * kKiB));
  }
  for (std::size_t i = 0; i < blocks.size(); ++i) {
    std::memset(blocks[i], static_cast<int>(i), os_usable_size(blocks[i]));
  }
  for (std::size_t i = 0; i < blocks.size(); ++i) {
    const std::size_t last = os_usable_size(blocks[i]) - 1;
    ASSERT_EQ(static_cast<unsigned char>(blocks[i][0]), i);
    ASSERT_EQ(static_cast<unsigned char>(blocks[i][last]), i);
    os_free(blocks[i]);
  }
}

TEST_F(Runs, KeepTheirBooksWhenResized) {
  char* block = allocate(100 * kKiB);
  std::memset(block, 7, 100 * kKiB);
  auto* shrunk = static_cast<char*>(os_realloc(block, 50 * kKiB));
  ASSERT_NE(shrunk, nullptr);
  EXPECT_EQ(os_usable_size(shrunk), 52 * kKiB);
  auto* grown = static_cast<char*>(os_realloc(shrunk, 110 * kKiB));
  ASSERT_NE(grown, nullptr);
  EXPECT_EQ(os_usable_size(grown), 112 * kKiB);
  for (std::size_t i = 0; i < 50 * kKiB; ++i) ASSERT_EQ(grown[i], 7) << "at " << i;
  os_free(grown);
}

TEST_F(Runs, AreNotKeptByAThreadThatTakesThemDown) {
  struct os_stats before = {};
  struct os_stats after = {};
  ASSERT_TRUE(os_stats(&before));
  std::vector<char*> blocks;
  for (int i = 0; i < 40; ++i) blocks.push_back(allocate(64 * kKiB));
  for (char* block : blocks) os_free(block);
  ASSERT_TRUE(os_stats(&after));
  EXPECT_LT(after.active_bytes, before.active_bytes + 64 * kKiB);

  // Asking for one again ends that: the next ones freed are kept.
  const std::uintptr_t address = freed(allocate(64 * kKiB));
  char* again = allocate(64 * kKiB);
  EXPECT_EQ(address_of(again), address);
  os_free(again);
  ASSERT_TRUE(os_stats(&after));
  EXPECT_GE(after.active_bytes, before.active_bytes + 64 * kKiB);
}

TEST_F(Runs, OfAThreadThatEndedAreFreePages) {
  struct os_stats before = {};
  struct os_stats after = {};
  // The heap that the thread leaves behind stays in the pool, so the first thread's is not counted.
  std::thread([] { os_free(os_malloc(100)); }).join();
  ASSERT_TRUE(os_stats(&before));
  std::thread([] {
    std::vector<char*> blocks;
    for (int i = 0; i < 4; ++i) blocks.push_back(allocate(64 * kKiB));
    for (char* block : blocks) os_free(block);
  }).join();
  ASSERT_TRUE(os_stats(&after));
  EXPECT_LT(after.active_bytes, before.active_bytes + 64 * kKiB);
  EXPECT_EQ(after.allocated_bytes, before.allocated_bytes);
}

using RunsDeathTest = Runs;

TEST_F(RunsDeathTest, FreedTwiceAbort) {
  char* block = allocate(100 * kKiB);
  char* volatile hidden = block;
  os_free(block);
  EXPECT_DEATH(os_free(hidden), "freed before");
}

TEST_F(RunsDeathTest, FreedInTheirMiddleAbort) {
  char* block = allocate(100 * kKiB);
  char* volatile inside = block + 4 * kKiB;
  EXPECT_DEATH(os_free(inside), "not to its start|not a block");
  inside = block + 64 * kKiB;
  EXPECT_DEATH(os_free(inside), "not to its start|not a block");
  inside = block + 16;
  EXPECT_DEATH(os_free(inside), "not to its start|not a block");
  os_free(block);
}

TEST_F(RunsDeathTest, ReallocatedInTheirMiddleAbort) {
  char* block = allocate(100 * kKiB);
  char* volatile inside = block + 4 * kKiB;
  EXPECT_DEATH(static_cast<void>(os_realloc(inside, 200 * kKiB)), "not to its start|not a block");
  os_free(block);
}

// Holes of 100 KiB between blocks that live are of no use for blocks of 120 KiB: they go back before more than the slack allows are
// touched, half of the demand at most (base/tuning.hpp). Without that 69 MiB would be resident, of 40 that are needed.
TEST_F(Runs, LeaveNoMoreResidentThanThePeakAndTheSlack) {
  constexpr std::size_t kBlocks = 300;
  constexpr std::size_t kHole = 100 * kKiB;
  constexpr std::size_t kBetween = 36 * kKiB;
  constexpr std::size_t kLarger = 120 * kKiB;
  const auto filled = [](std::size_t bytes) { return static_cast<char*>(std::memset(allocate(bytes), 1, bytes)); };
  std::vector<char*> holes;
  std::vector<char*> blocks;
  for (std::size_t i = 0; i < kBlocks; ++i) {
    holes.push_back(filled(kHole));
    blocks.push_back(filled(kBetween));
  }
  const auto resident = [] {
    struct os_stats stats = {};
    EXPECT_TRUE(os_stats(&stats));
    return stats.active_bytes + stats.dirty_bytes;
  };
  const std::size_t peak = resident();
  for (char* block : holes) os_free(block);
  for (std::size_t i = 0; i < kBlocks * kHole / kLarger; ++i) {
    blocks.push_back(filled(kLarger));
    ASSERT_LE(resident(), peak + peak / 2 + 256 * kKiB) << "after " << i << " blocks";
  }
  for (char* block : blocks) os_free(block);
}

// A slab of four slices starts where a run had been.
class SlabOnARun : public Runs {
 protected:
  static constexpr std::size_t kSlab = 64 * kKiB;
  static constexpr std::size_t kPage = 4 * kKiB;

  // The first block of the slab, of 24 KiB to 32 KiB.
  static char* start_slab(std::size_t block_bytes) {
    void* run = os_aligned_alloc(16 * kKiB, kSlab);
    EXPECT_NE(run, nullptr);
    std::memset(run, 1, kSlab);
    os_free(run);
    return allocate(block_bytes);
  }
  static auto resident_pages(char* first, std::size_t bytes) {
    std::array<unsigned char, kSlab / kPage> pages{};
    EXPECT_EQ(mincore(first, bytes, pages.data()), 0);
    return std::count_if(pages.begin(), pages.end(), [](unsigned char page) { return (page & 1) != 0; });
  }
};

TEST_F(SlabOnARun, KeepsItsPagesUntilATrim) {
  constexpr std::size_t kBlock = 32 * kKiB;
  char* block = start_slab(kBlock);
  ASSERT_GT(resident_pages(block + kBlock, kBlock), 0) << "the slab started elsewhere";
  os_trim(0);
  EXPECT_EQ(resident_pages(block + kBlock, kBlock), 0);
  os_free(block);
}

// Two blocks fill 13 or 14 of the slab's 16 pages, and no block reaches the rest. A class a test: its slab starts once.
class SlabWithATail : public SlabOnARun {
 protected:
  void start(std::size_t block_bytes) {
    used_ = 2 * block_bytes;
    block_ = start_slab(block_bytes);
    ASSERT_EQ(resident_pages(block_, used_), static_cast<std::ptrdiff_t>(used_ / kPage)) << "the slab started elsewhere";
    ASSERT_GT(resident_tail(), 0) << "given back at once";
  }
  void TearDown() override { os_free(block_); }
  std::ptrdiff_t resident_tail() const { return resident_pages(block_ + used_, kSlab - used_); }

 private:
  char* block_ = nullptr;
  std::size_t used_ = 0;
};

TEST_F(SlabWithATail, GivesItBackByATrim) {
  ASSERT_NO_FATAL_FAILURE(start(26 * kKiB));
  os_trim(0);
  EXPECT_EQ(resident_tail(), 0);
}

TEST_F(SlabWithATail, GivesItBackWhenItIsOld) {
  ASSERT_NO_FATAL_FAILURE(start(28 * kKiB));
  // An age is two seconds at most; a thread looks at the clock once in some calls.
  constexpr auto kPatience = std::chrono::seconds(60);
  const auto start = std::chrono::steady_clock::now();
  while (resident_tail() != 0 && std::chrono::steady_clock::now() - start < kPatience) {
    for (int i = 0; i < 100; ++i) os_free(allocate(64 * kKiB));
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  }
  EXPECT_EQ(resident_tail(), 0);
}

}  // namespace
