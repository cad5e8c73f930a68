// Proves that dirty pages go back before they would raise the peak of needed pages, stay below it, and are not asked for again
// and again where the system refuses; that an old peak can be forgotten; that pages of a slab count once they are needed; that
// places whose pages are dirty serve first, and those at high addresses go back first. Does not prove how much a program's peak shrinks (bench shows that).
#include "allocator/osmem/footprint.hpp"

#include <gtest/gtest.h>

#include <memory>
#include <vector>

#include "allocator/tests/osmem/page_source_model.hpp"

namespace {

using osmem::Chunk;
using osmem::kPagesPerChunk;
using osmem::PageHeap;
using osmem::PageSource;
using page_source::kChunks;
using page_source::kSource;
using page_source::source_model;
using page_source::SourceModel;

class Footprint : public testing::Test {
 protected:
  static constexpr uint32_t kRunPages = 10;
  static constexpr uint32_t kRuns = 200;
  static constexpr uint32_t kSlackPages = kRunPages * kRuns / 8;

  // Holes of kRunPages between runs of as many.
  void make_holes() {
    for (uint32_t i = 0; i < kRuns; i++) {
      first_pages_.push_back(heap_.allocate(kRunPages, 1).first_page);
    }
    for (uint32_t i = 0; i < kRuns; i += 2) {
      ASSERT_TRUE(heap_.free(first_pages_[i]));
    }
    ASSERT_EQ(heap_.stats().dirty_pages, kRunPages * kRuns / 2);
  }

  void SetUp() override {
    source_model = &source_;
    heap_.attach(chunks_.get(), &kSource);
  }

  std::unique_ptr<Chunk[]> chunks_ = std::make_unique<Chunk[]>(kChunks);
  SourceModel source_{1, SourceModel::Temper::kWilling};
  PageHeap heap_;
  std::vector<uint32_t> first_pages_;
};

TEST_F(Footprint, DirtyPagesDoNotRaiseThePeak) {
  make_holes();
  for (uint32_t taken = 0; taken < kRunPages * kRuns / 2; taken += 4 * kRunPages) {
    ASSERT_TRUE(heap_.allocate(4 * kRunPages, 1).found);
    const osmem::PageHeapStats stats = heap_.stats();
    ASSERT_LE(stats.used_pages + stats.dirty_pages, kRunPages * kRuns + kSlackPages);
  }
  EXPECT_GT(source_.purged_pages(), 0u);
  heap_.check_invariants();
}

TEST_F(Footprint, BelowThePeakNothingGoesBack) {
  make_holes();
  for (uint32_t i = 0; i < kRuns; i += 2) {
    first_pages_[i] = heap_.allocate(kRunPages, 1).first_page;
  }
  EXPECT_EQ(source_.purged_pages(), 0u);
  EXPECT_EQ(heap_.stats().dirty_pages, 0u);
}

TEST_F(Footprint, AForgottenPeakCountsNoMore) {
  make_holes();
  heap_.forget_peak();
  ASSERT_TRUE(heap_.allocate(4 * kRunPages, 1).found);
  EXPECT_LE(heap_.stats().dirty_pages, kSlackPages);
}

TEST_F(Footprint, PagesOfASlabCountOnceTheyAreNeeded) {
  constexpr uint32_t kSlabPages = 4;
  const uint32_t old = heap_.allocate(kSlabPages, kSlabPages).first_page;
  ASSERT_TRUE(heap_.free(old));
  heap_.forget_peak();
  const PageHeap::Run slab = heap_.allocate_gradual(kSlabPages, kSlabPages, 1);
  ASSERT_EQ(slab.first_page, old);
  EXPECT_EQ(slab.touched_pages, 0xf) << "the pages of the run before are dirty";
  EXPECT_TRUE(heap_.would_raise_peak(1));
  EXPECT_FALSE(heap_.need(1, 1));
  EXPECT_FALSE(heap_.would_raise_peak(0));
  heap_.unneed(1);
  EXPECT_FALSE(heap_.would_raise_peak(1));
  ASSERT_TRUE(heap_.free_gradual(slab.first_page, 0x5));
  EXPECT_EQ(heap_.stats().dirty_pages, 2u) << "pages 0 and 2";
  heap_.check_invariants();
}

// The clean hole would fit exactly, but its pages would have to be touched.
TEST_F(Footprint, AChunkWithDirtyPagesComesFirst) {
  const uint32_t low = heap_.allocate(2 * kRunPages, 1).first_page;
  uint32_t last = low;
  const auto fill_until = [&](uint32_t page) {
    while (last < page) {
      last = heap_.allocate(2 * kRunPages, 1).first_page;
    }
  };
  fill_until(kPagesPerChunk);
  const uint32_t high = heap_.allocate(kRunPages, 1).first_page;
  ASSERT_EQ(high / kPagesPerChunk, 1u);
  fill_until(2 * kPagesPerChunk);
  ASSERT_TRUE(heap_.free(low));
  ASSERT_TRUE(heap_.free(high));
  ASSERT_EQ(heap_.purge(2 * kRunPages, 1), kRunPages) << "highest addresses first";
  const PageHeap::Run run = heap_.allocate(kRunPages, 1);
  EXPECT_EQ(run.first_page, low);
  EXPECT_FALSE(run.zeroed);
  heap_.check_invariants();
}

// Used pages around holes of given lengths, all in one chunk.
std::vector<uint32_t> make_holes_of(PageHeap& heap, const std::vector<uint32_t>& lengths) {
  std::vector<uint32_t> holes;
  for (const uint32_t pages : lengths) {
    holes.push_back(heap.allocate(pages, 1).first_page);
    heap.allocate(1, 1);
  }
  return holes;
}

TEST_F(Footprint, APlaceOfDirtyPagesIsBetterThanAShorterOne) {
  const std::vector<uint32_t> holes = make_holes_of(heap_, {10, 12, 14});
  ASSERT_TRUE(heap_.free(holes[0]));
  ASSERT_EQ(heap_.purge(0, 1), 10u);
  ASSERT_TRUE(heap_.free(holes[1]));
  ASSERT_TRUE(heap_.free(holes[2]));
  EXPECT_EQ(heap_.allocate(10, 1).first_page, holes[1]) << "10 clean, 12 and 14 dirty pages to choose from";
  heap_.check_invariants();
}

TEST_F(Footprint, WhatIsLikelyToBeTouchedDecides) {
  const std::vector<uint32_t> holes = make_holes_of(heap_, {16, 16, 16});
  ASSERT_TRUE(heap_.free_gradual(holes[0], 0x0000));
  ASSERT_TRUE(heap_.free_gradual(holes[1], 0x0001));
  ASSERT_TRUE(heap_.free_gradual(holes[2], 0xffff));
  EXPECT_EQ(heap_.allocate_gradual(16, 1, 1).first_page, holes[1]);
  EXPECT_EQ(heap_.allocate_gradual(16, 1, 16).first_page, holes[2]);
  EXPECT_EQ(heap_.allocate_gradual(16, 1, 16).first_page, holes[0]);
  heap_.check_invariants();
}

TEST_F(Footprint, HighAddressesGoBackFirst) {
  const std::vector<uint32_t> holes = make_holes_of(heap_, {8, 8, 8});
  for (const uint32_t hole : holes) {
    ASSERT_TRUE(heap_.free(hole));
  }
  ASSERT_EQ(heap_.purge(8, 1), 16u);
  const PageHeap::Run left = heap_.allocate(8, 1);
  EXPECT_EQ(left.first_page, holes[0]);
  EXPECT_FALSE(left.zeroed);
}

TEST_F(Footprint, IdlePagesGivenBackMakeRoom) {
  const std::vector<uint32_t> holes = make_holes_of(heap_, {16, 50});
  ASSERT_TRUE(heap_.free(holes[0]));
  ASSERT_TRUE(heap_.free(holes[1]));
  ASSERT_EQ(heap_.allocate_gradual(16, 1, 16).first_page, holes[0]);
  heap_.forget_peak();
  EXPECT_TRUE(heap_.need(0, 0)) << "2 needed, 16 idle, 50 dirty";
  ASSERT_TRUE(heap_.purge_idle(holes[0] + 1, 15));
  EXPECT_FALSE(heap_.need(0, 0));
  EXPECT_EQ(source_.purged_pages(), 15u);
}

TEST(FootprintWithoutPurge, DoesNotTryForEachPage) {
  static int tries;
  static constexpr PageSource kRefuses{[](uint32_t min_pages) { return source_model->grow(min_pages); },
                                       [](uint32_t, uint32_t) { return ++tries, false; }};
  tries = 0;
  const auto chunks = std::make_unique<Chunk[]>(kChunks);
  SourceModel source(1, SourceModel::Temper::kWilling);
  source_model = &source;
  PageHeap heap;
  heap.attach(chunks.get(), &kRefuses);
  std::vector<uint32_t> runs;
  for (int i = 0; i < 200; i++) {
    runs.push_back(heap.allocate(10, 1).first_page);
  }
  for (int i = 0; i < 200; i += 2) {
    heap.free(runs[i]);
  }
  for (int i = 0; i < 500; i++) {
    ASSERT_TRUE(heap.allocate(11, 1).found);
  }
  EXPECT_GT(tries, 0);
  EXPECT_LT(tries, 20 * 200) << "each try asks for the 100 holes twice";
  heap.check_invariants();
}

}  // namespace
