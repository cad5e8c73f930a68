// Proves that a class with no free block is served with larger ones that lie free in its thread's lists, before it touches a page
// of its own: up to twice as large for its first slab, less for larger blocks and for classes with many slabs, never those of
// the smallest classes, no more often than a thread may search, and each block once. Does not prove how much memory that saves, nor what
// it costs (bench shows that).
#include <gtest/gtest.h>

#include <cstring>
#include <set>
#include <vector>

#include "allocator/osmem/api/osmem.h"
#include "allocator/osmem/threads/thread_heap.hpp"

namespace {

// A thread's heap without slabs, which may borrow.
class Borrowing : public testing::Test {
 protected:
  void SetUp() override {
    os_free(os_malloc(1));
    os_trim(0);
    osmem::t_cache.heap->loans_left = osmem::kLoansPerStep;
    osmem::t_cache.heap->ticks = UINT32_MAX;  // no look at the clock: the loans stay as they are
    osmem::t_cache.heap->trickles = false;    // or, after a slow start, lists would get one block at a time
  }
  void TearDown() override {
    for (void* block : blocks_) os_free(block);
    osmem::t_cache.heap->ticks = 1;
  }

  void* allocate(std::size_t bytes) {
    void* block = os_malloc(bytes);
    EXPECT_NE(block, nullptr);
    std::memset(block, 1, bytes);
    blocks_.push_back(block);
    return block;
  }
  std::size_t usable_of_new(std::size_t bytes) { return os_usable_size(allocate(bytes)); }

  // Blocks of that class lie free in the thread's lists: a page of them where they are small, else one.
  static void fill_lists(std::size_t bytes) { os_free(os_malloc(bytes)); }

  std::vector<void*> blocks_;
};

struct Loan {
  const char* name;
  std::vector<std::size_t> in_lists;  // bytes of the blocks that lie there, in this order
  std::size_t request_bytes;
  std::size_t served_bytes;
};

class FirstSlab : public Borrowing, public testing::WithParamInterface<Loan> {};

TEST_P(FirstSlab, IsSparedByALoanOrNot) {
  for (const std::size_t bytes : GetParam().in_lists) fill_lists(bytes);
  EXPECT_EQ(usable_of_new(GetParam().request_bytes), GetParam().served_bytes);
}

INSTANTIATE_TEST_SUITE_P(Sizes, FirstSlab,
                         testing::Values(Loan{"TwiceAsLarge", {512}, 256, 512}, Loan{"ALittleLarger", {512}, 400, 512},
                                         Loan{"MoreThanTwiceIsTooLarge", {576}, 272, 272},
                                         Loan{"TheNearestOfTwo", {400, 512}, 300, 400},
                                         Loan{"TheSmallestClassesDoNotBorrow", {240}, 200, 208},
                                         Loan{"TheOnlyLargeBlock", {28672}, 20000, 28672},
                                         Loan{"HalfAsLargeAgainAbove1KiB", {4096}, 3000, 4096},
                                         Loan{"MoreIsTooLargeAbove1KiB", {4096}, 2500, 2560}),
                         [](const testing::TestParamInfo<Loan>& loan) { return loan.param.name; });

TEST_F(Borrowing, TakesNearerBlocksForAClassWithSlabs) {
  constexpr int kTwoSlabs = 2 * 16384 / 272;
  for (int i = 0; i < kTwoSlabs; ++i) ASSERT_EQ(usable_of_new(272), 272U);
  fill_lists(400);
  fill_lists(512);
  EXPECT_EQ(usable_of_new(272), 400U);
  while (os_usable_size(allocate(272)) == 400U) {
  }
  EXPECT_EQ(os_usable_size(blocks_.back()), 272U);  // 512 is more than half as large again
}

TEST_F(Borrowing, GrowsByItselfWhereItHasManySlabs) {
  constexpr int kManySlabs = 9 * 16384 / 272;
  for (int i = 0; i < kManySlabs; ++i) allocate(272);
  fill_lists(320);
  constexpr int kPage = 4096 / 272;
  for (int i = 0; i < kPage; ++i) EXPECT_EQ(usable_of_new(272), 272U);
}

TEST_F(Borrowing, StopsWhereTheLoansAreUsedUp) {
  fill_lists(512);
  osmem::t_cache.heap->loans_left = 1;
  EXPECT_EQ(usable_of_new(400), 512U);
  EXPECT_EQ(usable_of_new(300), 304U);
}

TEST_F(Borrowing, HasLoansAgainWhenTheClockHasMovedOn) {
  osmem::t_cache.heap->loans_left = 0;
  osmem::t_cache.heap->last_seen_ms = 0;
  osmem::t_cache.heap->ticks = 1;
  fill_lists(16);  // a slow path, which looks at the clock
  EXPECT_EQ(osmem::t_cache.heap->loans_left, osmem::kLoansPerStep);
}

TEST_F(Borrowing, HandsOutEachBlockOnce) {
  std::set<void*> live;
  for (int turn = 0; turn < 200; ++turn) {
    for (std::size_t bytes = 256; bytes <= 2048; bytes += 64) {
      void* block = allocate(bytes);
      ASSERT_TRUE(live.insert(block).second);
      ASSERT_GE(os_usable_size(block), bytes);
      if ((turn + bytes / 64) % 3 == 0) continue;
      live.erase(block);
      blocks_.pop_back();
      os_free(block);
    }
  }
  osmem::t_cache.heap->check_invariants();
}

}  // namespace
