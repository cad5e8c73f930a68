// Proves, from outside and for each of malloc, calloc and realloc, which system calls osmem-classic
// and altmem make, in which order and of which size, and where their blocks lie: the whole
// transcript of each scenario is pinned. The driver checks contents beside that. What is pinned was
// worked out from the rules: a block of n bytes takes 32 + round_up(n, 8); the first payload lies
// at 32. Does not prove: behaviour under threads or without memory (classic_heap_test.cpp), speed.
#include "allocator/tests/classic_scenarios/fixture.hpp"

namespace {

using scenario::each_function_of;
using scenario::name_of;
using scenario::Scenario;

class ListScenario : public Scenario {};   // rules that osmem-classic and altmem share
class OsmemScenario : public Scenario {};  // osmem-classic's own
class AltmemScenario : public Scenario {};

TEST_P(ListScenario, LargeRequestsDoNotPreallocate) {
  EXPECT_TRUE(happens(R"(
      a get 131033    -> map+32 | mmap 131072
      b get 200000    -> map+32 | mmap 200032
      free a          -> ok     | munmap 131072
      c get 1000001   -> map+32 | mmap 1000040
      free c          -> ok     | munmap 1000040
      free b          -> ok     | munmap 200032
      d get 10        -> 32     | brk 0, brk +131072
      e get 131040    -> map+32 | mmap 131072
  )"));
}

TEST_P(ListScenario, FirstSmallRequestPreallocates) {
  EXPECT_TRUE(happens(R"(
      a get 10        -> 32     | brk 0, brk +131072
      b get 20        -> 80
      c get 4056      -> 136
      free b          -> ok
      free a          -> ok
      free c          -> ok
      d get 4056      -> 32
  )"));
}

TEST_P(ListScenario, NothingForNothing) {
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

TEST_P(ListScenario, LastHeapSizeTakesAllOfThePreallocation) {
  EXPECT_TRUE(happens(R"(
      a malloc 131032 -> 32     | brk 0, brk +131072
      b get 100       -> 131104 | brk +136
      c malloc 131033 -> map+32 | mmap 131072
  )"));
}

TEST_P(ListScenario, ArraysAreLaidOutInOrderAndAgain) {
  EXPECT_TRUE(happens(R"(
      a get 8         -> 32     | brk 0, brk +131072
      b get 100       -> 72
      c get 500       -> 208
      d get 1000      -> 744
      e get 4000      -> 1776
      f get 150000    -> map+32 | mmap 150032
      g get 300000    -> map+32 | mmap 300032
      free a          -> ok
      free b          -> ok
      free c          -> ok
      free d          -> ok
      free e          -> ok
      free f          -> ok     | munmap 150032
      free g          -> ok     | munmap 300032
      a get 8         -> 32
      b get 100       -> 72
      c get 500       -> 208
      d get 1000      -> 744
      e get 4000      -> 1776
  )"));
}

TEST_P(ListScenario, FreedBlocksAreReused) {
  EXPECT_TRUE(happens(R"(
      a get 1000      -> 32     | brk 0, brk +131072
      b get 1000      -> 1064
      c get 1000      -> 2096
      free b          -> ok
      d get 1000      -> 1064
      free a          -> ok
      e get 993       -> 32
      f get 1000      -> 3128
  )"));
}

TEST_P(ListScenario, TheSmallestSufficientBlockServes) {
  EXPECT_TRUE(happens(R"(
      a get 2000      -> 32     | brk 0, brk +131072
      x get 10        -> 2064
      b get 600       -> 2112
      y get 10        -> 2744
      c get 1000      -> 2792
      z get 10        -> 3824
      free a          -> ok
      free b          -> ok
      free c          -> ok
      d get 550       -> 2112
      e get 900       -> 2792
      f get 700       -> 32
  )"));
}

TEST_P(ListScenario, LastFreeBlockIsExpandedByWhatIsMissing) {
  EXPECT_TRUE(happens(R"(
      a malloc 130000 -> 32     | brk 0, brk +131072
      b get 2000      -> 130064 | brk +992
      c get 10        -> 132096 | brk +48
      free c          -> ok
      d get 17        -> 132096 | brk +8
      e malloc 100000 -> 132152 | brk +100032
  )"));
}

TEST_P(ListScenario, BlocksAreNotSplitForLessThanAHeaderAndAByte) {
  EXPECT_TRUE(happens(R"(
      a get 1000      -> 32     | brk 0, brk +131072
      b get 1000      -> 1064
      free a          -> ok
      c get 968       -> 32
      d get 1         -> 2096
      free c          -> ok
      e get 960       -> 32
      f get 8         -> 1024
  )"));
}

TEST_P(ListScenario, FirstBlockIsSplit) {
  EXPECT_TRUE(happens(R"(
      a get 1000      -> 32     | brk 0, brk +131072
      b get 1000      -> 1064
      free a          -> ok
      c get 200       -> 32
      d get 200       -> 264
      e get 496       -> 496
      f get 10        -> 2096
  )"));
}

TEST_P(ListScenario, MiddleBlockIsSplit) {
  EXPECT_TRUE(happens(R"(
      a get 1000      -> 32     | brk 0, brk +131072
      b get 1000      -> 1064
      c get 1000      -> 2096
      free b          -> ok
      d get 200       -> 1064
      e get 700       -> 1296
      f get 10        -> 2032
  )"));
}

TEST_P(ListScenario, LastBlockIsSplit) {
  EXPECT_TRUE(happens(R"(
      a malloc 130000 -> 32     | brk 0, brk +131072
      b get 1008      -> 130064
      free b          -> ok
      c get 100       -> 130064
      d get 100       -> 130200
      e get 700       -> 130336
      f get 100       -> 131104 | brk +136
  )"));
}

TEST_P(ListScenario, OneBlockIsSplitIntoAVector) {
  EXPECT_TRUE(happens(R"(
      a get 2000      -> 32     | brk 0, brk +131072
      b get 10        -> 2064
      free a          -> ok
      c get 100       -> 32
      d get 100       -> 168
      e get 100       -> 304
      f get 100       -> 440
      g get 100       -> 576
      h get 1320      -> 712
      i get 10        -> 2112
  )"));
}

TEST_P(ListScenario, SmallNeighboursCoalesce) {
  EXPECT_TRUE(happens(R"(
      a get 100       -> 32     | brk 0, brk +131072
      b get 100       -> 168
      c get 100       -> 304
      d get 100       -> 440
      e get 10        -> 576
      free a          -> ok
      free b          -> ok
      f get 200       -> 32
      free c          -> ok
      g get 144       -> 264
      free d          -> ok
      free f          -> ok
      free g          -> ok
      h get 512       -> 32
  )"));
}

TEST_P(ListScenario, BigNeighboursCoalesce) {
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
      h malloc 8000   -> 124216 | brk +1144
  )"));
}

TEST_P(ListScenario, ReallocOfAFreedBlockGivesNull) {
  EXPECT_TRUE(happens(R"(
      a get 100       -> 32     | brk 0, brk +131072
      free a          -> ok
      b realloc a 200 -> null
      b realloc a 0   -> null
      free a          -> ok
      c get 100       -> 32
      b realloc c 0   -> null
      d get 50        -> 32
  )"));
}

TEST_P(ListScenario, ReallocShrinksInPlaceAndSplits) {
  EXPECT_TRUE(happens(R"(
      a get 1000      -> 32     | brk 0, brk +131072
      b get 10        -> 1064
      a realloc a 500 -> 32
      d get 464       -> 568
      a realloc a 480 -> 32
      e get 8         -> 1112
      a realloc a 460 -> 32
      f get 8         -> 528
  )"));
}

TEST_P(ListScenario, ReallocExtendsTheHeapForTheLastBlock) {
  EXPECT_TRUE(happens(R"(
      a malloc 130000 -> 32     | brk 0, brk +131072
      b get 1008      -> 130064
      b realloc b 2000 -> 130064 | brk +992
      b realloc b 2001 -> 130064 | brk +8
      a realloc a 130001 -> 132104 | brk +130040
  )"));
}

TEST_P(ListScenario, ReallocMergesTheFreeBlockBehind) {
  EXPECT_TRUE(happens(R"(
      a get 100       -> 32     | brk 0, brk +131072
      a realloc a 300 -> 32
      b get 100       -> 368
      c get 100       -> 504
      free b          -> ok
      a realloc a 400 -> 32
      d get 8         -> 464
  )"));
}

TEST_P(ListScenario, ReallocMovesToTheBestFit) {
  EXPECT_TRUE(happens(R"(
      a get 100       -> 32     | brk 0, brk +131072
      b get 10        -> 168
      c get 2000      -> 216
      d get 10        -> 2248
      e get 1000      -> 2296
      f get 10        -> 3328
      free c          -> ok
      free e          -> ok
      a realloc a 900 -> 2296
      g get 100       -> 32
  )"));
}

TEST_P(ListScenario, ReallocThatMovesLeavesWhatItMerged) {
  EXPECT_TRUE(happens(R"(
      a get 100       -> 32     | brk 0, brk +131072
      b get 100       -> 168
      c get 10        -> 304
      free b          -> ok
      a realloc a 1000 -> 352
      d get 240       -> 32
  )"));
}

TEST_P(ListScenario, ReallocGoesToMappingsAndBackByCopying) {
  EXPECT_TRUE(happens(R"(
      a get 1000      -> 32     | brk 0, brk +131072
      b get 10        -> 1064
      a realloc a 131033 -> map+32 | mmap 131072
      c get 1000      -> 32
      a realloc a 131040 -> map+32
      a realloc a 300000 -> map+32 | mmap 300032, munmap 131072
      a realloc a 200000 -> map+32 | mmap 200032, munmap 300032
      a realloc a 131032 -> 1112 | brk +1072, munmap 200032
      free a          -> ok
      d realloc z 140000 -> map+32 | mmap 140032
      d realloc d 0   -> null | munmap 140032
  )"));
}

TEST_P(ListScenario, ListGoesOnBehindAForeignBreakAndNeverMergesAcross) {
  EXPECT_TRUE(happens(R"(
      a get 10        -> 32     | brk 0, brk +131072
      sbrk 4096       -> ok     | brk +4096
      b malloc 131000 -> 135200 | brk +131032
      free b          -> ok
      free a          -> ok
      c malloc 131032 -> 32
      d malloc 131032 -> 135200 | brk +32
      free c          -> ok
      free d          -> ok
      e malloc 100    -> 135200
      f malloc 131032 -> 32
      sbrk 20         -> ok     | brk +20
      f realloc f 131024 -> 32
      g malloc 131000 -> 266288 | brk +131036
  )"));
}

TEST_P(OsmemScenario, CallocMapsFromAPage) {
  EXPECT_TRUE(happens(R"(
      a calloc 1 4056 -> 32     | brk 0, brk +131072
      b calloc 1 4057 -> map+32 | mmap 4096
      c calloc 3 2000 -> map+32 | mmap 6032
      d malloc 4057   -> 4120
      c realloc c 6001 -> 8216  | munmap 6032
      free b          -> ok     | munmap 4096
  )"));
}

TEST_P(OsmemScenario, ReallocMergesOneAtATime) {
  EXPECT_TRUE(happens(R"(
      a get 100       -> 32     | brk 0, brk +131072
      b get 100       -> 168
      c get 100       -> 304
      d get 10        -> 440
      free b          -> ok
      free c          -> ok
      a realloc a 208 -> 32
      e get 104       -> 304
  )"));
}

TEST_P(OsmemScenario, ReallocGrowthSeesOnlyTheFirstTailOfAShrink) {
  EXPECT_TRUE(happens(R"(
      a get 1000      -> 32     | brk 0, brk +131072
      b get 1000      -> 1064
      c get 10        -> 2096
      free b          -> ok
      a realloc a 500 -> 32
      a realloc a 968 -> 32
      d get 1000      -> 1064
  )"));
}

TEST_P(AltmemScenario, CallocMapsFrom128KiB) {
  EXPECT_TRUE(happens(R"(
      a calloc 1 4057   -> 32     | brk 0, brk +131072
      b calloc 1 131033 -> map+32 | mmap 131072
      c calloc 2 60000  -> 4128
      free b            -> ok     | munmap 131072
  )"));
}

TEST_P(AltmemScenario, ReallocFindsNeighboursMergedByFree) {
  EXPECT_TRUE(happens(R"(
      a get 100       -> 32     | brk 0, brk +131072
      b get 100       -> 168
      c get 100       -> 304
      d get 10        -> 440
      free b          -> ok
      free c          -> ok
      a realloc a 208 -> 32
      e get 104       -> 272
  )"));
}

TEST_P(AltmemScenario, ReallocMergesTheTailForwards) {
  EXPECT_TRUE(happens(R"(
      a get 1000      -> 32     | brk 0, brk +131072
      b get 1000      -> 1064
      c get 10        -> 2096
      free b          -> ok
      a realloc a 500 -> 32
      a realloc a 968 -> 32
      d get 1000      -> 1032
      e get 10        -> 2144
  )"));
}

INSTANTIATE_TEST_SUITE_P(Classic, ListScenario, each_function_of("classic"), name_of);
INSTANTIATE_TEST_SUITE_P(Altmem, ListScenario, each_function_of("altmem"), name_of);
INSTANTIATE_TEST_SUITE_P(, OsmemScenario, each_function_of("classic"), name_of);
INSTANTIATE_TEST_SUITE_P(, AltmemScenario, each_function_of("altmem"), name_of);

}  // namespace
