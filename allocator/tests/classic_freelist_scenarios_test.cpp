// Proves, from outside and for each of memalloc, defalloc and memresize, which system calls
// freelist makes and where its blocks lie: the whole transcript of each scenario is pinned, and the
// driver checks contents. What is pinned was worked out from the rules: a block of n bytes takes 32
// + round_up(n, 16); the break moves in steps of 128 KiB; the free block that was linked last
// serves first. Does not prove: its options, threads, behaviour without memory
// (classic_heap_test.cpp), speed.
#include "allocator/tests/classic_scenarios/fixture.hpp"

namespace {

class FreelistScenario : public scenario::Scenario {};

TEST_P(FreelistScenario, LargeRequestsDoNotPreallocate) {
  EXPECT_TRUE(happens(R"(
      a get 131033    -> map+32 | mmap 131072
      b get 200000    -> map+32 | mmap 200032
      free a          -> ok     | munmap 131072
      c get 1000001   -> map+32 | mmap 1000048
      free c          -> ok     | munmap 1000048
      free b          -> ok     | munmap 200032
      d get 10        -> 32     | brk 0, brk +131072
      e get 131025    -> map+32 | mmap 131072
  )"));
}

TEST_P(FreelistScenario, FirstSmallRequestPreallocates) {
  EXPECT_TRUE(happens(R"(
      a get 10        -> 32     | brk 0, brk +131072
      b get 20        -> 80
      c get 4056      -> 144
      free b          -> ok
      free a          -> ok
      free c          -> ok
      d get 4056      -> 32
      e get 100000    -> 4128
  )"));
}

TEST_P(FreelistScenario, NothingForNothing) {
  EXPECT_TRUE(happens(R"(
      a malloc 0      -> null
      a calloc 0 8    -> null
      a calloc 8 0    -> null
      a realloc z 0   -> null
      free z          -> ok
      a calloc 9223372036854775808 2                     -> null
      a calloc 4294967296 4294967297                     -> null
      a malloc 18446744073709551615                      -> null
      a realloc z 9223372036854775807                    -> null
  )"));
}

TEST_P(FreelistScenario, ArraysAreLaidOutInOrderAndAgain) {
  EXPECT_TRUE(happens(R"(
      a get 8         -> 32     | brk 0, brk +131072
      b get 100       -> 80
      c get 500       -> 224
      d get 1000      -> 768
      e get 4000      -> 1808
      f get 150000    -> map+32 | mmap 150032
      free a          -> ok
      free b          -> ok
      free c          -> ok
      free d          -> ok
      free e          -> ok
      free f          -> ok     | munmap 150032
      a get 8         -> 32
      b get 100       -> 80
      c get 500       -> 224
      d get 1000      -> 768
      e get 4000      -> 1808
  )"));
}

TEST_P(FreelistScenario, FreedBlocksAreReused) {
  EXPECT_TRUE(happens(R"(
      a get 1000      -> 32     | brk 0, brk +131072
      b get 1000      -> 1072
      c get 1000      -> 2112
      free b          -> ok
      d get 1000      -> 1072
      free a          -> ok
      e get 993       -> 32
      f get 1000      -> 3152
  )"));
}

TEST_P(FreelistScenario, TheLastFreedSufficientBlockServes) {
  EXPECT_TRUE(happens(R"(
      a get 2000      -> 32     | brk 0, brk +131072
      x get 10        -> 2064
      b get 600       -> 2112
      y get 10        -> 2752
      c get 1000      -> 2800
      z get 10        -> 3840
      free a          -> ok
      free b          -> ok
      free c          -> ok
      d get 550       -> 2800
      e get 400       -> 3392
      f get 600       -> 2112
      g get 600       -> 32
  )"));
}

TEST_P(FreelistScenario, LastFreeBlockIsExpandedByAStep) {
  EXPECT_TRUE(happens(R"(
      a malloc 130000 -> 32     | brk 0, brk +131072
      b get 2000      -> 130064 | brk +131072
      c get 10        -> 132096
  )"));
}

TEST_P(FreelistScenario, BlocksAreNotSplitForLessThanABlock) {
  EXPECT_TRUE(happens(R"(
      a get 1000      -> 32     | brk 0, brk +131072
      b get 1000      -> 1072
      free a          -> ok
      c get 976       -> 32
      d get 1         -> 2112
      free c          -> ok
      e get 960       -> 32
      f get 16        -> 1024
  )"));
}

TEST_P(FreelistScenario, FirstBlockIsSplit) {
  EXPECT_TRUE(happens(R"(
      a get 1000      -> 32     | brk 0, brk +131072
      b get 1000      -> 1072
      free a          -> ok
      c get 200       -> 32
      d get 200       -> 272
      e get 480       -> 512
      f get 10        -> 1024
  )"));
}

TEST_P(FreelistScenario, MiddleBlockIsSplit) {
  EXPECT_TRUE(happens(R"(
      a get 1000      -> 32     | brk 0, brk +131072
      b get 1000      -> 1072
      c get 1000      -> 2112
      free b          -> ok
      d get 200       -> 1072
      e get 700       -> 1312
      f get 10        -> 2048
      g get 100       -> 3152
  )"));
}

TEST_P(FreelistScenario, LastBlockIsSplit) {
  EXPECT_TRUE(happens(R"(
      a malloc 130000 -> 32     | brk 0, brk +131072
      b get 1008      -> 130064
      free b          -> ok
      c get 100       -> 130064
      d get 100       -> 130208
      e get 700       -> 130352
      f get 100       -> 131104 | brk +131072
  )"));
}

TEST_P(FreelistScenario, OneBlockIsSplitIntoAVector) {
  EXPECT_TRUE(happens(R"(
      a get 2000      -> 32     | brk 0, brk +131072
      b get 10        -> 2064
      free a          -> ok
      c get 100       -> 32
      d get 100       -> 176
      e get 100       -> 320
      f get 100       -> 464
      g get 100       -> 608
      h get 1280      -> 752
      i get 10        -> 2112
  )"));
}

TEST_P(FreelistScenario, SmallNeighboursCoalesce) {
  EXPECT_TRUE(happens(R"(
      a get 100       -> 32     | brk 0, brk +131072
      b get 100       -> 176
      c get 100       -> 320
      d get 100       -> 464
      e get 10        -> 608
      free a          -> ok
      free c          -> ok
      free b          -> ok
      f get 400       -> 32
      free d          -> ok
      free f          -> ok
      g get 544       -> 32
  )"));
}

TEST_P(FreelistScenario, BigNeighboursCoalesce) {
  EXPECT_TRUE(happens(R"(
      a malloc 40000  -> 32     | brk 0, brk +131072
      b malloc 40000  -> 40064
      c malloc 40000  -> 80096
      d get 4000      -> 120128
      e malloc 6912   -> 124160
      free a          -> ok
      free c          -> ok
      free b          -> ok
      f malloc 120064 -> 32
      free d          -> ok
      free e          -> ok
      g get 4056      -> 120128
      h malloc 8000   -> 124224 | brk +131072
  )"));
}

TEST_P(FreelistScenario, ResizingAFreedBlockGivesNull) {
  EXPECT_TRUE(happens(R"(
      a get 100       -> 32     | brk 0, brk +131072
      b get 100       -> 176
      free a          -> ok
      c realloc a 200 -> null
      c realloc a 0   -> null
      free a          -> ok
      d get 100       -> 32
      c realloc d 0   -> null
      e get 50        -> 32
  )"));
}

TEST_P(FreelistScenario, ResizingShrinksInPlaceAndSplits) {
  EXPECT_TRUE(happens(R"(
      a get 1000      -> 32     | brk 0, brk +131072
      b get 10        -> 1072
      a realloc a 500 -> 32
      d get 464       -> 576
      a realloc a 480 -> 32
      e get 8         -> 1120
      a realloc a 460 -> 32
      f get 8         -> 528
  )"));
}

TEST_P(FreelistScenario, ResizingExtendsTheHeapForTheLastBlock) {
  EXPECT_TRUE(happens(R"(
      a malloc 130000 -> 32     | brk 0, brk +131072
      b get 1008      -> 130064
      b realloc b 2000 -> 130064 | brk +131072
      b realloc b 2001 -> 130064
      a realloc a 130001 -> 132112
  )"));
}

TEST_P(FreelistScenario, ResizingExtendsThroughTheLastFreeBlock) {
  EXPECT_TRUE(happens(R"(
      a malloc 100000 -> 32     | brk 0, brk +131072
      b get 1000      -> 100064
      b realloc b 31024 -> 100064 | brk +131072
      c get 8         -> 131120
  )"));
}

TEST_P(FreelistScenario, ResizingMovesWhereTheNeighbourIsTooSmall) {
  EXPECT_TRUE(happens(R"(
      a get 100       -> 32     | brk 0, brk +131072
      b get 100       -> 176
      c get 10        -> 320
      free b          -> ok
      a realloc a 1000 -> 368
      d get 240       -> 32
      a realloc a 1100 -> 368
  )"));
}

TEST_P(FreelistScenario, ResizingGoesToMappingsAndBackByCopying) {
  EXPECT_TRUE(happens(R"(
      a get 1000      -> 32     | brk 0, brk +131072
      b get 10        -> 1072
      a realloc a 131033 -> map+32 | mmap 131072
      c get 1000      -> 32
      a realloc a 131040 -> map+32
      a realloc a 300000 -> map+32 | mmap 300032, munmap 131072
      a realloc a 131024 -> 1120 | brk +131072, munmap 300032
      d realloc z 140000 -> map+32 | mmap 140032
      d realloc d 0   -> null | munmap 140032
  )"));
}

TEST_P(FreelistScenario, HeapGoesOnBehindAForeignBreakAndNeverMergesAcross) {
  EXPECT_TRUE(happens(R"(
      a get 10        -> 32     | brk 0, brk +131072
      sbrk 4096       -> ok     | brk +4096
      b malloc 131000 -> 135264 | brk +262144
      free b          -> ok
      free a          -> ok
      c malloc 131024 -> 32
      d malloc 131024 -> 135264
      sbrk 20         -> ok     | brk +20
      e malloc 131000 -> 397440 | brk +262144
  )"));
}

INSTANTIATE_TEST_SUITE_P(, FreelistScenario, scenario::each_function_of("freelist"),
                         scenario::name_of);

}  // namespace
