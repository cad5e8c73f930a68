// Proves which free pages are too many: more than the demand of this window and the one before, and some slack, leave room for; none that
// the system refused a moment ago; all, near a limit. Of the page heap: places whose pages are dirty serve first; purged are ranges at
// high addresses first, whole, long enough and old enough; an empty chunk goes back whole. Of the price: what it makes of a measured
// cost. Does not prove how much a program's peak shrinks (bench shows that).
#include "allocator/osmem/pages/demand.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <memory>
#include <vector>

#include "allocator/osmem/pages/price.hpp"
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

class FreePages : public testing::Test {
 protected:
  static constexpr uint32_t kRunPages = 10;
  static constexpr uint32_t kRuns = 200;

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

  void SetUp() override {
    source_model = &source_;
    heap_.attach(chunks_.get(), &kSource, &demand_);
  }

  std::unique_ptr<Chunk[]> chunks_ = std::make_unique<Chunk[]>(kChunks);
  SourceModel source_{1, SourceModel::Temper::kWilling};
  PageHeap heap_;
  osmem::Demand demand_;
};

// The clean hole would fit exactly, but its pages would have to be touched.
TEST_F(FreePages, AChunkWithDirtyPagesComesFirst) {
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
  ASSERT_EQ(heap_.purge(1, 0, 1), kRunPages) << "highest addresses first";
  const PageHeap::Run run = heap_.allocate(kRunPages, 1);
  EXPECT_EQ(run.first_page, low);
  EXPECT_FALSE(run.zeroed);
  heap_.check_invariants();
}

TEST_F(FreePages, APlaceOfDirtyPagesIsBetterThanAShorterOne) {
  const std::vector<uint32_t> holes = make_holes_of({10, 12, 14});
  ASSERT_TRUE(heap_.free(holes[0]));
  ASSERT_EQ(heap_.purge(SIZE_MAX, 0, 1), 10u);
  ASSERT_TRUE(heap_.free(holes[1]));
  ASSERT_TRUE(heap_.free(holes[2]));
  EXPECT_EQ(heap_.allocate(10, 1).first_page, holes[1]) << "10 clean, 12 and 14 dirty pages to choose from";
  heap_.check_invariants();
}

TEST_F(FreePages, WhatIsLikelyToBeTouchedDecides) {
  const std::vector<uint32_t> holes = make_holes_of({16, 16, 16});
  ASSERT_TRUE(heap_.free_gradual(holes[0], 0x0000));
  ASSERT_TRUE(heap_.free_gradual(holes[1], 0x0001));
  ASSERT_TRUE(heap_.free_gradual(holes[2], 0xffff));
  EXPECT_EQ(heap_.allocate_gradual(16, 1, 1).first_page, holes[1]);
  EXPECT_EQ(heap_.allocate_gradual(16, 1, 16).first_page, holes[2]);
  EXPECT_EQ(heap_.allocate_gradual(16, 1, 16).first_page, holes[0]);
  heap_.check_invariants();
}

TEST_F(FreePages, HighAddressesGoBackFirst) {
  const std::vector<uint32_t> holes = make_holes_of({8, 8, 8});
  for (const uint32_t hole : holes) {
    ASSERT_TRUE(heap_.free(hole));
  }
  ASSERT_EQ(heap_.purge(9, 0, 1), 16u);
  const PageHeap::Run left = heap_.allocate(8, 1);
  EXPECT_EQ(left.first_page, holes[0]);
  EXPECT_FALSE(left.zeroed);
}

// With it the source can give back what it keeps for the chunk.
TEST_F(FreePages, AnEmptyChunkGoesBackWhole) {
  const uint32_t chunk = take_run(kPagesPerChunk);
  ASSERT_TRUE(heap_.free(chunk));
  const uint32_t kept = take_run(1);
  ASSERT_EQ(kept, chunk);
  ASSERT_EQ(heap_.purge(SIZE_MAX, 0, 1), kPagesPerChunk - 1);
  EXPECT_EQ(source_.emptied_chunks(), 0);
  ASSERT_TRUE(heap_.free(kept));
  ASSERT_EQ(heap_.purge(SIZE_MAX, 0, 1), 1u);
  EXPECT_EQ(source_.emptied_chunks(), 1);
  EXPECT_EQ(source_.purged_pages(), kPagesPerChunk);
  heap_.check_invariants();
}

// Two ranges and the clean pages between them: one call.
TEST_F(FreePages, ACallSpansTheCleanPagesBetweenDirtyOnes) {
  const uint32_t run = take_run(16);
  take_run(1);
  ASSERT_TRUE(heap_.free_gradual(run, 0x8421));
  ASSERT_EQ(heap_.purge(SIZE_MAX, 0, 1), 4u);
  EXPECT_EQ(source_.purge_calls(), 1);
  heap_.check_invariants();
}

TEST_F(FreePages, AreNeededOrSupply) {
  constexpr uint32_t kSlabPages = 4;
  ASSERT_TRUE(heap_.free(take_run(kSlabPages)));
  EXPECT_EQ(demand_.supply(), kSlabPages);
  const PageHeap::Run slab = heap_.allocate_gradual(kSlabPages, kSlabPages, 1);
  EXPECT_EQ(slab.touched_pages, 0xf) << "the pages of the run before are dirty";
  EXPECT_EQ(demand_.supply(), kSlabPages) << "none is handed out yet";
  demand_.need(1, 1);
  EXPECT_EQ(demand_.supply(), kSlabPages - 1);
  demand_.unneed(1, 1);
  ASSERT_TRUE(heap_.free_gradual(slab.first_page, 0xf));
  EXPECT_EQ(demand_.supply(), kSlabPages);
  const uint32_t run = take_run(2 * kSlabPages);
  EXPECT_EQ(demand_.needed(), 2 * kSlabPages);
  ASSERT_TRUE(heap_.resize(run, kSlabPages));
  EXPECT_EQ(demand_.needed(), kSlabPages);
  heap_.purge(SIZE_MAX, 0, 1);
  EXPECT_EQ(demand_.supply(), 0u);
  heap_.check_invariants();
}

TEST_F(FreePages, GoBackWhenTheyAreOldEnough) {
  const std::vector<uint32_t> holes = make_holes_of({100, 100});
  ASSERT_TRUE(heap_.free(holes[0]));
  source_.pass_ms(1000);
  ASSERT_TRUE(heap_.free(holes[1]));
  EXPECT_EQ(heap_.purge(SIZE_MAX, 1100, 1), 0u);
  EXPECT_LE(heap_.purge(SIZE_MAX, 900, 1), 100u) << "the second hole is new, and so is what shares its stamp";
  source_.pass_ms(1000);
  heap_.purge(SIZE_MAX, 900, 1);
  EXPECT_EQ(heap_.dirty_pages(), 0u);
  EXPECT_EQ(source_.purged_pages(), 200u);
  heap_.check_invariants();
}

// A stamp counts for 64 pages: 0 to 63, 64 to 127, 128 to 191.
TEST_F(FreePages, OfALongRangeOnlyTheOldPartGoesBack) {
  const uint32_t run = take_run(192);
  ASSERT_EQ(run, 0u);
  ASSERT_TRUE(heap_.free(run));
  source_.pass_ms(1000);
  const uint32_t front = take_run(64);
  ASSERT_EQ(front, 0u);
  ASSERT_TRUE(heap_.free(front));
  EXPECT_EQ(heap_.purge(SIZE_MAX, 500, 1), 128u);
  EXPECT_EQ(source_.purge_calls(), 1);
  EXPECT_EQ(heap_.dirty_pages(), 64u);
  heap_.check_invariants();
}

TEST_F(FreePages, ShortRangesWait) {
  const std::vector<uint32_t> holes = make_holes_of({33, 34});
  ASSERT_TRUE(heap_.free(holes[0]));
  ASSERT_TRUE(heap_.free(holes[1]));
  EXPECT_EQ(heap_.purge(SIZE_MAX, 0, osmem::kCheapPurgePages), 34u);
  EXPECT_EQ(source_.purge_calls(), 1);
}

TEST_F(FreePages, NoMoreThanIsAskedForGoesBackOfALongRange) {
  ASSERT_TRUE(heap_.free(take_run(1000)));
  EXPECT_EQ(heap_.purge(200, 0, 1), 200u);
  EXPECT_EQ(heap_.purge(1, 0, 1), osmem::kCheapPurgePages) << "but one call's worth at least";
  EXPECT_EQ(source_.purge_calls(), 2);
  heap_.check_invariants();
}

// Where four chunks are needed a huge page is less than the slack.
class HugePagesOfTheHeap : public FreePages {
 protected:
  static constexpr uint32_t kSlabPages = 4;
  static constexpr uint32_t kPagesBefore = 4 * kPagesPerChunk;
  void SetUp() override {
    FreePages::SetUp();
    source_.give_exactly();
    source_.mark_huge_in(chunks_.get());
    ASSERT_TRUE(heap_.allocate(kPagesPerChunk, kPagesPerChunk).found);
  }
  void need_much() { demand_.need(kPagesBefore, 0); }
  PageHeap::Run slab_in_a_fresh_chunk() { return heap_.allocate_gradual(kSlabPages, kPagesPerChunk, kSlabPages); }
};

TEST_F(HugePagesOfTheHeap, AreAskedForWhereASlabTouchesOneFirst) {
  need_much();
  const size_t before = demand_.supply();
  const PageHeap::Run slab = slab_in_a_fresh_chunk();
  ASSERT_TRUE(slab.found);
  EXPECT_EQ(source_.huge_pages(), 1);
  EXPECT_EQ(demand_.supply() - before, osmem::kHugePages) << "all of it is resident";
  EXPECT_EQ(slab.dirty_pages, kSlabPages);
  EXPECT_FALSE(slab.zeroed);
  ASSERT_TRUE(heap_.allocate_gradual(kSlabPages, 1, kSlabPages).found);
  EXPECT_EQ(source_.huge_pages(), 1) << "once";
  heap_.check_invariants();
}

TEST_F(HugePagesOfTheHeap, AreNotWhereOneIsMoreThanTheSlack) {
  ASSERT_TRUE(slab_in_a_fresh_chunk().found);
  EXPECT_EQ(source_.huge_pages(), 0);
}

TEST_F(HugePagesOfTheHeap, AreNotForRunsThatMayBeTouchedInPart) {
  need_much();
  ASSERT_TRUE(heap_.allocate(kSlabPages, kPagesPerChunk).found);
  EXPECT_EQ(source_.huge_pages(), 0);
}

TEST_F(HugePagesOfTheHeap, AreNotWhereTheSlackIsUsedUp) {
  need_much();
  demand_.unneed(0, kPagesBefore / 8);
  ASSERT_TRUE(slab_in_a_fresh_chunk().found);
  EXPECT_EQ(source_.huge_pages(), 0);
}

TEST_F(HugePagesOfTheHeap, GoBackWithWhatNobodyTook) {
  need_much();
  const PageHeap::Run slab = slab_in_a_fresh_chunk();
  ASSERT_TRUE(heap_.free_gradual(slab.first_page, slab.touched_pages));
  EXPECT_EQ(heap_.purge(SIZE_MAX, 0, 1), osmem::kHugePages);
  EXPECT_EQ(demand_.supply(), 0u);
  heap_.check_invariants();
}

// One that went back whole becomes resident whole again.
class HugePagesThatWentBack : public HugePagesOfTheHeap {
 protected:
  void SetUp() override {
    HugePagesOfTheHeap::SetUp();
    need_much();
    const PageHeap::Run slab = slab_in_a_fresh_chunk();
    place_ = slab.first_page;
    ASSERT_TRUE(heap_.free_gradual(slab.first_page, slab.touched_pages));
    ASSERT_EQ(heap_.purge(SIZE_MAX, 0, 1), osmem::kHugePages);
    ASSERT_EQ(demand_.supply(), 0u);
  }
  uint32_t place_ = 0;
};

TEST_F(HugePagesThatWentBack, AreCountedWhereASlabTouchesThemAgain) {
  ASSERT_EQ(slab_in_a_fresh_chunk().first_page, place_);
  EXPECT_EQ(demand_.supply(), osmem::kHugePages);
  EXPECT_EQ(source_.huge_pages(), 1) << "it is one still";
}

TEST_F(HugePagesThatWentBack, EndWhereARunTouchesThem) {
  ASSERT_EQ(heap_.allocate(kSlabPages, kPagesPerChunk).first_page, place_);
  EXPECT_EQ(source_.small_pages(), 1);
  EXPECT_EQ(demand_.supply(), 0u);
}

TEST_F(HugePagesThatWentBack, EndWhereTheSlackIsUsedUp) {
  demand_.unneed(0, kPagesBefore / 8);
  ASSERT_EQ(slab_in_a_fresh_chunk().first_page, place_);
  EXPECT_EQ(source_.small_pages(), 1);
}

TEST_F(HugePagesThatWentBack, EndWhereARunGrowsIntoThem) {
  constexpr uint32_t kHalf = osmem::kHugePages;
  const PageHeap::Run front = heap_.allocate(kHalf, kPagesPerChunk);
  ASSERT_EQ(front.first_page, place_);
  ASSERT_EQ(heap_.allocate_gradual(kSlabPages, kHalf, kSlabPages).first_page, place_ + kHalf);
  ASSERT_EQ(source_.huge_pages(), 2);
  ASSERT_TRUE(heap_.free_gradual(place_ + kHalf, 0));
  ASSERT_EQ(heap_.purge(SIZE_MAX, 0, 1), kHalf - kSlabPages);
  const int small_before = source_.small_pages();
  ASSERT_TRUE(heap_.resize(place_, kHalf + 8));
  EXPECT_EQ(source_.small_pages(), small_before + 1);
}

class Bounds : public testing::Test {
 protected:
  static constexpr size_t kPeak = 10240;
  static constexpr size_t kSlack = kPeak / 8;
  static constexpr uint64_t kWindowMs = 1000;

  // All of the peak becomes supply.
  void free_all() {
    demand_.need(kPeak, 0);
    demand_.unneed(kPeak, kPeak);
  }

  osmem::Demand demand_;
};

TEST_F(Bounds, WhatTheDemandLeavesRoomForStays) {
  free_all();
  EXPECT_EQ(demand_.excess(), 0u);
  demand_.need(kSlack, 0);
  EXPECT_EQ(demand_.excess(), 0u) << "needed and supply are the demand and the slack";
  demand_.need(1, 0);
  EXPECT_EQ(demand_.excess(), kSlack / 2 + 1) << "half of the slack is free again";
}

TEST_F(Bounds, OldDemandIsForgottenAfterAWindowMore) {
  demand_.roll(kWindowMs, kWindowMs);
  free_all();
  demand_.roll(2 * kWindowMs - 1, kWindowMs);
  demand_.roll(2 * kWindowMs, kWindowMs);
  EXPECT_EQ(demand_.excess(), 0u) << "it was in the window before";
  demand_.roll(3 * kWindowMs, kWindowMs);
  EXPECT_GE(demand_.excess(), kPeak - osmem::kLeastSlackPages);
}

TEST_F(Bounds, TheSlackIsAShareOfTheDemand) {
  demand_.set_slack(512, osmem::kLeastSlackPages);
  free_all();
  demand_.need(kPeak / 2, 0);
  EXPECT_EQ(demand_.excess(), 0u);
  demand_.need(1, 0);
  EXPECT_GT(demand_.excess(), 0u);
}

TEST_F(Bounds, OfSmallHeapsSomePagesStay) {
  demand_.need(8, 0);
  demand_.unneed(8, 8);
  demand_.need(16, 0);
  EXPECT_EQ(demand_.excess(), 0u);
}

TEST_F(Bounds, NearTheLimitAllGoesBack) {
  demand_.set_limit(kPeak);
  free_all();
  EXPECT_EQ(demand_.excess(), kPeak);
  demand_.gone(kPeak / 4);
  EXPECT_EQ(demand_.excess(), 0u);
}

TEST_F(Bounds, WhatWasRefusedIsNotAskedForAgainAndAgain) {
  free_all();
  demand_.need(2 * kSlack, 0);
  ASSERT_GT(demand_.excess(), 0u);
  demand_.refuse();
  EXPECT_EQ(demand_.excess(), 0u);
  demand_.roll(kWindowMs, kWindowMs);
  EXPECT_GT(demand_.excess(), 0u) << "but in the next window";
}

TEST_F(Bounds, AForgottenPeakCountsNoMore) {
  free_all();
  demand_.forget_peak();
  EXPECT_GE(demand_.excess(), kPeak - osmem::kLeastSlackPages);
  EXPECT_TRUE(demand_.would_raise_peak(1));
}

TEST(Price, AgeIsWhatTheLossOfAPageCostsAtThePriceOfMemory) {
  osmem::Price price;
  EXPECT_EQ(price.age_ms(500, 500), 1048u) << "1 us at 4 GiB a CPU";
  EXPECT_EQ(price.age_ms(10, 10), osmem::kLeastAgeMs);
  EXPECT_EQ(price.age_ms(20000, 0), osmem::kLongestAgeMs);
  price.set_memory_per_cpu(osmem::kLeanMemoryPerCpu);
  EXPECT_EQ(price.age_ms(1000, 1000), 524u);
}

TEST(Price, SlackGrowsWithIt) {
  osmem::Price price;
  EXPECT_EQ(price.slack_share(), osmem::kSlackShare);
  price.set_memory_per_cpu(osmem::kLeanMemoryPerCpu);
  EXPECT_EQ(price.slack_share(), osmem::kSlackShare / 4);
  price.set_memory_per_cpu(osmem::kFastMemoryPerCpu);
  EXPECT_EQ(price.slack_share(), osmem::kSlackShare * 4);
}

TEST(Price, SlackGrowsWithWhatAFaultCosts) {
  osmem::Price price;
  const size_t least = price.least_slack_pages();
  price.note_fault(3 * osmem::kDearFaultNs);
  EXPECT_EQ(price.slack_share(), osmem::kSlackShare * 3);
  EXPECT_EQ(price.least_slack_pages(), least) << "that is a matter of memory alone";
}

TEST(Price, SlackStaysWithinBounds) {
  osmem::Price price;
  price.set_memory_per_cpu(64 * osmem::kFastMemoryPerCpu);
  price.note_fault(100 * osmem::kDearFaultNs);
  EXPECT_EQ(price.slack_share(), osmem::kMostSlackShare);
  EXPECT_EQ(price.least_slack_pages(), osmem::kLeastSlackPages * 4);
  price.set_memory_per_cpu(1);
  EXPECT_EQ(price.slack_share(), osmem::kLeastSlackShare);
  EXPECT_EQ(price.least_slack_pages(), osmem::kLeastSlackPages / 4);
}

TEST(Price, TheLeastOfAHandfulOfFirstTouchesCounts) {
  osmem::Price price;
  for (uint64_t ns = 5000; price.wants_fault(); ns -= 100) {
    price.note_fault(ns);
  }
  EXPECT_EQ(price.fault_ns(), 5000 - 100 * (osmem::kTimedFaults - 1));
}

}  // namespace
