// Proves what became of a cell from one run to the next: passed, broken, mended, failed in both, only on one side; that a failure now and
// then before does not excuse one in most blocks after.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "bench/stats/cell_fates.hpp"

namespace bench {
namespace {

using testing::IsEmpty;
using testing::SizeIs;

// A letter a block: '.' passed (with three metrics), 'x' crashed.
std::vector<Sample> run_of(const std::string& blocks, const std::string& workload = "pair") {
  std::vector<Sample> samples;
  for (int block = 0; block < static_cast<int>(blocks.size()); ++block) {
    if (blocks[static_cast<std::size_t>(block)] == 'x') {
      samples.push_back({block, workload, 1, "mine", "throughput", "", std::nullopt, Status::kCrashed, "signal 11"});
      continue;
    }
    for (const char* metric : {"throughput", "peak_rss", "mean_rss"}) {
      samples.push_back({block, workload, 1, "mine", metric, "", 1.0, Status::kOk, ""});
    }
  }
  return samples;
}

std::vector<CellFate> fates(const std::vector<Sample>& before, const std::vector<Sample>& after) {
  return fates_between({before, "mine"}, {after, "mine"});
}

Fate only_fate(const std::string& before, const std::string& after) {
  const auto found = fates(run_of(before), run_of(after));
  EXPECT_THAT(found, SizeIs(1));
  return found.empty() ? Fate::kOnlyBefore : found.front().fate;
}

TEST(CellFates, ACellThatPassedInBothHasNone) { EXPECT_THAT(fates(run_of("....."), run_of(".....")), IsEmpty()); }

TEST(CellFates, OneFailureBreaksACellThatPassed) {
  EXPECT_EQ(only_fate(".....", "....x"), Fate::kBroke);
  EXPECT_EQ(fates(run_of("....."), run_of("....x")).front().how, "CRASHED: signal 11");
}

TEST(CellFates, NoFailureMendsOne) { EXPECT_EQ(only_fate("x....", "....."), Fate::kMended); }

TEST(CellFates, AFailureNowAndThenDoesNotExcuseOneThatBecameTheRule) {
  EXPECT_EQ(only_fate("x....", "xx..."), Fate::kFailedInBoth);
  EXPECT_EQ(only_fate("x....", "xxx.."), Fate::kBroke);
  EXPECT_EQ(only_fate("xxx..", "xxxxx"), Fate::kFailedInBoth);
}

TEST(CellFates, ACellOfOneSideIsNamedSo) {
  const auto found = fates(run_of(".", "pair"), run_of(".", "larson"));
  ASSERT_THAT(found, SizeIs(2));
  EXPECT_EQ(found[0].fate, Fate::kOnlyAfter);
  EXPECT_EQ(found[1].fate, Fate::kOnlyBefore);
}

}  // namespace
}  // namespace bench
