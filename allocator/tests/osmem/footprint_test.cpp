// Proves that dirty pages go back before they would raise the peak of needed pages, stay below it, and are not asked for again
// and again where the system refuses; that an old peak can be forgotten; that pages of a slab count once they are needed; that the slack grows while pages go back at a pace that costs, and shrinks again; that
// places whose pages are dirty serve first, and those at high addresses go back first; that an empty chunk goes back whole. Does not prove how much a program's peak shrinks (bench shows that).
#include "allocator/osmem/pages/footprint.hpp"

#include <gtest/gtest.h>

#include <algorithm>
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
  static constexpr uint32_t kSlackPages = std::max(16U, static_cast<uint32_t>(kRunPages * kRuns * osmem::kDefaultSlackPercent / 100));

  // The first page of a run of which the first `written` pages are touched.
  uint32_t take_run(uint32_t pages, uint32_t written) {
    const PageHeap::Run run = heap_.allocate(pages, 1);
    EXPECT_TRUE(run.found);
    source_.write(run.first_page, written);
    return run.first_page;
  }
  uint32_t take_run(uint32_t pages) { return take_run(pages, pages); }

  std::vector<uint32_t> take_runs(uint32_t count, uint32_t pages, uint32_t written) {
    std::vector<uint32_t> runs;
    for (uint32_t i = 0; i < count; i++) {
      runs.push_back(take_run(pages, written));
    }
    return runs;
  }

  void free_all(const std::vector<uint32_t>& runs) {
    for (const uint32_t run : runs) {
      ASSERT_TRUE(heap_.free(run));
    }
  }

  // Used pages around holes of given lengths, all in one chunk.
  std::vector<uint32_t> make_holes_of(const std::vector<uint32_t>& lengths) {
    std::vector<uint32_t> holes;
    for (const uint32_t pages : lengths) {
      holes.push_back(take_run(pages));
      take_run(1);
    }
    return holes;
  }

  // Holes of kRunPages between runs of as many.
  void make_holes() {
    first_pages_ = take_runs(kRuns, kRunPages, kRunPages);
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
    take_run(4 * kRunPages);
    const osmem::PageHeapStats stats = heap_.stats();
    ASSERT_LE(stats.used_pages + stats.dirty_pages, kRunPages * kRuns + kSlackPages);
  }
  EXPECT_GT(source_.purged_pages(), 0u);
  heap_.check_invariants();
}

// Holes of ten pages are of no use for runs of twelve.
TEST_F(Footprint, TheSlackIsWhatWasAskedFor) {
  heap_.set_slack(30);
  make_holes();
  take_runs(kRuns / 2 * kRunPages / 12, 12, 12);
  const osmem::PageHeapStats stats = heap_.stats();
  const uint32_t peak = kRunPages * kRuns;
  EXPECT_LE(stats.used_pages + stats.dirty_pages, peak + peak * 3 / 10);
  EXPECT_GT(stats.used_pages + stats.dirty_pages, peak + peak / 10) << "half of the slack is left after a purge";
}

TEST_F(Footprint, BelowThePeakNothingGoesBack) {
  make_holes();
  for (uint32_t i = 0; i < kRuns; i += 2) {
    first_pages_[i] = take_run(kRunPages);
  }
  EXPECT_EQ(source_.purged_pages(), 0u);
  EXPECT_EQ(heap_.stats().dirty_pages, 0u);
}

TEST_F(Footprint, AForgottenPeakCountsNoMore) {
  make_holes();
  heap_.forget_peak();
  take_run(4 * kRunPages);
  EXPECT_LE(heap_.stats().dirty_pages, kSlackPages);
}

TEST_F(Footprint, PagesOfASlabCountOnceTheyAreNeeded) {
  constexpr uint32_t kSlabPages = 4;
  const uint32_t old = take_run(kSlabPages);
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

// Runs of many lengths in turn, between runs that stay: no place fits the next ones.
TEST_F(Footprint, ALoadThatChangesItsShapeAllTheTimeGetsMoreSlack) {
  constexpr uint32_t kPeak = kRunPages * kRuns;
  make_holes();
  size_t most = 0;
  for (uint32_t round = 0; round < 200; round++) {
    const uint32_t pages = 11 + round * 7 % 90;
    const std::vector<uint32_t> runs = take_runs(kPeak / 2 / pages, pages, pages);
    const osmem::PageHeapStats stats = heap_.stats();
    most = std::max(most, stats.used_pages + stats.dirty_pages);
    free_all(runs);
  }
  EXPECT_GT(most, kPeak + 2 * kSlackPages);
  EXPECT_LE(most, kPeak + kPeak * osmem::kWidestSlackPercent / 100);
  heap_.check_invariants();
}

// The clean hole would fit exactly, but its pages would have to be touched.
TEST_F(Footprint, AChunkWithDirtyPagesComesFirst) {
  const uint32_t low = take_run(2 * kRunPages);
  uint32_t last = low;
  const auto fill_until = [&](uint32_t page) {
    while (last < page) {
      last = take_run(2 * kRunPages);
    }
  };
  fill_until(kPagesPerChunk);
  const uint32_t high = take_run(kRunPages);
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

TEST_F(Footprint, APlaceOfDirtyPagesIsBetterThanAShorterOne) {
  const std::vector<uint32_t> holes = make_holes_of({10, 12, 14});
  ASSERT_TRUE(heap_.free(holes[0]));
  ASSERT_EQ(heap_.purge(0, 1), 10u);
  ASSERT_TRUE(heap_.free(holes[1]));
  ASSERT_TRUE(heap_.free(holes[2]));
  EXPECT_EQ(heap_.allocate(10, 1).first_page, holes[1]) << "10 clean, 12 and 14 dirty pages to choose from";
  heap_.check_invariants();
}

TEST_F(Footprint, WhatIsLikelyToBeTouchedDecides) {
  const std::vector<uint32_t> holes = make_holes_of({16, 16, 16});
  ASSERT_TRUE(heap_.free_gradual(holes[0], 0x0000));
  ASSERT_TRUE(heap_.free_gradual(holes[1], 0x0001));
  ASSERT_TRUE(heap_.free_gradual(holes[2], 0xffff));
  EXPECT_EQ(heap_.allocate_gradual(16, 1, 1).first_page, holes[1]);
  EXPECT_EQ(heap_.allocate_gradual(16, 1, 16).first_page, holes[2]);
  EXPECT_EQ(heap_.allocate_gradual(16, 1, 16).first_page, holes[0]);
  heap_.check_invariants();
}

TEST_F(Footprint, HighAddressesGoBackFirst) {
  const std::vector<uint32_t> holes = make_holes_of({8, 8, 8});
  for (const uint32_t hole : holes) {
    ASSERT_TRUE(heap_.free(hole));
  }
  ASSERT_EQ(heap_.purge(8, 1), 16u);
  const PageHeap::Run left = heap_.allocate(8, 1);
  EXPECT_EQ(left.first_page, holes[0]);
  EXPECT_FALSE(left.zeroed);
}

// With it the source can give back what it keeps for the chunk.
TEST_F(Footprint, AnEmptyChunkGoesBackWhole) {
  const uint32_t chunk = take_run(kPagesPerChunk);
  ASSERT_TRUE(heap_.free(chunk));
  const uint32_t kept = take_run(1);
  ASSERT_EQ(kept, chunk);
  ASSERT_EQ(heap_.purge(0, 1), kPagesPerChunk - 1);
  EXPECT_EQ(source_.emptied_chunks(), 0);
  ASSERT_TRUE(heap_.free(kept));
  ASSERT_EQ(heap_.purge(0, 1), 1u);
  EXPECT_EQ(source_.emptied_chunks(), 1);
  EXPECT_EQ(source_.purged_pages(), kPagesPerChunk);
  heap_.check_invariants();
}

// Two ranges and the clean pages between them: one call.
TEST_F(Footprint, ACallSpansTheCleanPagesBetweenDirtyOnes) {
  const uint32_t run = take_run(16);
  take_run(1);
  ASSERT_TRUE(heap_.free_gradual(run, 0x8421));
  ASSERT_EQ(heap_.purge(0, 1), 4u);
  EXPECT_EQ(source_.purge_calls(), 1);
  heap_.check_invariants();
}

TEST_F(Footprint, IdlePagesGivenBackMakeRoom) {
  const std::vector<uint32_t> holes = make_holes_of({16, 14});
  ASSERT_TRUE(heap_.free(holes[0]));
  ASSERT_TRUE(heap_.free(holes[1]));
  ASSERT_EQ(heap_.allocate_gradual(16, 1, 16).first_page, holes[0]);
  heap_.forget_peak();
  EXPECT_TRUE(heap_.need(0, 0)) << "2 needed, 16 idle, 14 dirty; a slack of 16";
  ASSERT_TRUE(heap_.purge_idle(holes[0] + 1, 15));
  EXPECT_FALSE(heap_.need(0, 0));
  EXPECT_EQ(source_.purged_pages(), 15u);
}

// A peak of 10,000 pages, and pages that go back at some pace, on a clock of the test's own.
class Slack : public testing::Test {
 protected:
  static constexpr size_t kPeak = 10'000;
  static constexpr size_t kTurnover = kPeak / 2;

  void SetUp() override { footprint_.need(kPeak, 0); }

  // As many pages as are looked at together go back within `ms`.
  void purge_within(uint64_t ms) {
    footprint_.count_purged(kTurnover / 2, now_ms_);
    now_ms_ += ms;
    footprint_.count_purged(kTurnover / 2, now_ms_);
  }

  osmem::Footprint footprint_;
  uint64_t now_ms_ = 1000;
};

TEST_F(Slack, GrowsWhilePagesGoBackAtAPaceThatCosts) {
  EXPECT_EQ(footprint_.slack_percent(), 1);
  EXPECT_GT(footprint_.excess(200), 0u);
  for (const int percent : {2, 4, 8, 12, 12}) {
    purge_within(kTurnover / 50);
    EXPECT_EQ(footprint_.slack_percent(), percent);
  }
  EXPECT_EQ(footprint_.excess(1200), 0u);
  EXPECT_GT(footprint_.excess(1201), 0u);
}

TEST_F(Slack, StaysWhereTheyGoBackSlowly) {
  for (int i = 0; i < 10; i++) {
    purge_within(kTurnover / 50 + 1);
  }
  EXPECT_EQ(footprint_.slack_percent(), 1);
}

TEST_F(Slack, StaysWhereFewGoBack) {
  footprint_.count_purged(kTurnover - 1, now_ms_);
  EXPECT_EQ(footprint_.slack_percent(), 1);
  footprint_.count_purged(1, now_ms_);
  EXPECT_EQ(footprint_.slack_percent(), 2);
}

TEST_F(Slack, ShrinksStepByStepOnceHardlyAnyGoBack) {
  purge_within(1);
  purge_within(1);
  ASSERT_EQ(footprint_.slack_percent(), 4);
  footprint_.age(now_ms_ += 99);
  EXPECT_EQ(footprint_.slack_percent(), 4) << "too early to tell";
  for (const int percent : {2, 1, 1}) {
    footprint_.age(now_ms_ += 100);
    EXPECT_EQ(footprint_.slack_percent(), percent);
  }
}

TEST_F(Slack, StaysWideWhileItsPagesAreInDemand) {
  purge_within(1);
  for (int i = 0; i < 10; i++) {
    footprint_.count_purged(1000, now_ms_ += 100);
    footprint_.age(now_ms_);
    EXPECT_EQ(footprint_.slack_percent(), 2) << "10 pages a ms: too few to grow, too many to shrink";
  }
}

TEST_F(Slack, IsForgottenWithThePeak) {
  purge_within(1);
  footprint_.forget_peak();
  EXPECT_EQ(footprint_.slack_percent(), 1);
}

TEST_F(Slack, OfNothingOrMoreThanTheWidestStays) {
  for (const size_t percent : {size_t{0}, osmem::kWidestSlackPercent, size_t{1000}}) {
    footprint_.set_slack(percent);
    for (int i = 0; i < 100; i++) {
      purge_within(1);
    }
    EXPECT_EQ(static_cast<size_t>(footprint_.slack_percent()), percent);
  }
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
