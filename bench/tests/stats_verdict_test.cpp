// Proves which verdict a row gets, and why: difference, sameness within the margin, neither; the false discovery rate; who takes no part;
// looks before the end. The rates themselves are measured by verdict_simulation.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

#include "bench/stats/verdict.hpp"

namespace bench {
namespace {

using testing::ElementsAre;

// A row whose log-ratios are `log_ratio` plus `scatter` and minus it in turn.
Summary row_with(double log_ratio, double scatter, int blocks, const std::string& allocator = "mine") {
  Summary row;
  row.workload = "pair";
  row.metric = "throughput";
  row.allocator = allocator;
  for (int block = 0; block < blocks; ++block) {
    row.log_ratios.push_back({block, log_ratio + (block % 2 == 0 ? 1 : -1) * scatter});
  }
  row.ratio = std::exp(estimate(log_ratio_values(row.log_ratios)).mean);
  return row;
}

Summary judged(Summary row, const SummaryOptions& options = {}) {
  judge({&row, 1}, options);
  return row;
}

TEST(Verdict, SaysDifferenceSamenessOrNeither) {
  EXPECT_EQ(verdict_word(judged(row_with(std::log(1.1), 0.01, 10))), "faster");
  EXPECT_EQ(verdict_word(judged(row_with(std::log(0.9), 0.01, 10))), "slower");
  EXPECT_EQ(verdict_word(judged(row_with(0, 0.01, 10))), "same");
  EXPECT_EQ(verdict_word(judged(row_with(0, 0.2, 10))), "not decided");
}

TEST(Verdict, IsNeverTheSameWhereTheOwnIntervalExcludesOne) {
  // 0.5 % with a standard error of 0.03 %: within the margin beyond doubt, and not 1 beyond doubt.
  const Summary row = judged(row_with(0.005, 0.001, 10));
  EXPECT_GT(row.ratio_interval->low, 1);
  EXPECT_LT(*row.p_same, 1e-6);
  EXPECT_EQ(row.verdict, Verdict::kUndecided);
}

TEST(Verdict, CallsNoDifferenceBelowHalfTheMargin) {
  EXPECT_EQ(judged(row_with(std::log(1.009), 1e-5, 10)).verdict, Verdict::kUndecided);
  EXPECT_EQ(judged(row_with(std::log(1.011), 1e-5, 10)).verdict, Verdict::kHigher);
}

TEST(Verdict, NeedsFiveBlocks) {
  EXPECT_EQ(judged(row_with(1, 0.001, 4)).verdict, Verdict::kUndecided);
  EXPECT_EQ(judged(row_with(1, 0.001, 5)).verdict, Verdict::kHigher);
}

TEST(Verdict, TakesAMarginOfTheUsers) {
  SummaryOptions wide;
  wide.margin = 0.2;
  EXPECT_EQ(judged(row_with(0, 0.1, 10)).verdict, Verdict::kUndecided);
  EXPECT_EQ(judged(row_with(0, 0.1, 10), wide).verdict, Verdict::kSame);
}

TEST(Verdict, IsWithheldAmongManyThatShowNothing) {
  // Log-ratios 0 and a in turn, eight of them: mean a/2, standard deviation a/2 sqrt(8/7), so t = sqrt(7) = 2.6458 with 7 degrees of
  // freedom, p = 0.033: enough alone. Nineteen rows beside it with a mean of 0 leave 20 x 0.033. (All scatter alike, so that what they
  // have in common is the same variance with more degrees; p is then a little smaller, but far from 0.05 / 20.)
  const double half = std::log(1.06) / 2;
  EXPECT_EQ(judged(row_with(half, half, 8)).verdict, Verdict::kHigher);
  std::vector<Summary> rows{row_with(half, half, 8)};
  for (int i = 0; i < 19; ++i) {
    rows.push_back(row_with(0, half, 8));
  }
  judge(rows, {});
  EXPECT_NE(rows[0].verdict, Verdict::kHigher);
}

// One row with p = 0.033, as above, of the allocator `first_of`, and rows of "mine" that show nothing: each of another metric.
std::vector<Summary> rows_of_metrics(int metrics, const char* first_of) {
  const double half = std::log(1.06) / 2;
  std::vector<Summary> rows{row_with(half, half, 8, first_of)};
  for (int i = 1; i < metrics; ++i) {
    rows.push_back(row_with(0, half, 8));
    rows.back().metric = "metric" + std::to_string(i);
  }
  return rows;
}

TEST(Verdict, IsWithheldAmongManyMetricsOfItsAllocatorThatShowNothing) {
  std::vector<Summary> rows = rows_of_metrics(4, "mine");  // 4 x 0.033
  judge(rows, {});
  EXPECT_EQ(rows[0].verdict, Verdict::kUndecided);
}

TEST(Verdict, IsNotWithheldForTheMetricsOfAnotherAllocator) {
  std::vector<Summary> rows = rows_of_metrics(4, "other");
  judge(rows, {});
  EXPECT_EQ(rows[0].verdict, Verdict::kHigher);
}

TEST(Verdict, CountsThatNeverDifferAreNoTests) {
  std::vector<Summary> rows = rows_of_metrics(1, "mine");
  for (int i = 0; i < 9; ++i) {
    rows.push_back(row_with(0, 0, 8));
    rows.back().metric = "count" + std::to_string(i);
  }
  judge(rows, {});
  EXPECT_EQ(rows[0].verdict, Verdict::kHigher);
  EXPECT_EQ(rows[1].verdict, Verdict::kSame);
}

TEST(Verdict, ManyDifferencesOfAnotherMetricDoNotLoosenTheBound) {
  // Twenty throughputs, one with p = 0.033 alone; a hundred memories that differ beyond doubt.
  const double half = std::log(1.06) / 2;
  std::vector<Summary> rows{row_with(half, half, 8)};
  for (int i = 0; i < 119; ++i) {
    rows.push_back(i < 19 ? row_with(0, half, 8) : row_with(1, 0.001, 8));
    rows.back().metric = i < 19 ? "throughput" : "peak_rss";
  }
  judge(rows, {});
  EXPECT_EQ(rows[0].verdict, Verdict::kUndecided);
  EXPECT_EQ(rows.back().verdict, Verdict::kHigher);
}

TEST(Verdict, ReferencesAndCopiesTakeNoPart) {
  SummaryOptions options;
  options.without_verdict = {"limit"};
  std::vector<Summary> rows{row_with(1, 0.001, 10, "limit"), row_with(1, 0.001, 10)};
  judge(rows, options);
  EXPECT_EQ(rows[0].verdict, Verdict::kNone);
  EXPECT_TRUE(rows[0].ratio_interval);
  EXPECT_FALSE(rows[0].p_differs);
  EXPECT_FALSE(rows[0].detectable);
  EXPECT_EQ(rows[1].verdict, Verdict::kHigher);
}

TEST(Verdict, SaysHowLargeADifferenceWouldHaveBeenSeen) {
  // One row: p needed 0.05, t(9) = 2.2622; power 80 %: t(9) at one-sided 0.8 is 0.8834. Standard error: scatter / 3.
  const Summary row = judged(row_with(0, 0.3, 10));
  EXPECT_NEAR(std::log1p(*row.detectable), (2.26216 + 0.88340) * 0.1, 1e-5);
  // Never less than what may be called a difference.
  EXPECT_NEAR(std::log1p(*judged(row_with(0, 1e-6, 10)).detectable), std::log(1.02) / 2, 1e-12);
}

TEST(Looks, DoubleFromTheFirst) {
  EXPECT_THAT(looks_at({5, 4}, 5), ElementsAre(5));
  EXPECT_THAT(looks_at({5, 4}, 10), ElementsAre(5, 10));
  EXPECT_THAT(looks_at({5, 4}, 12), ElementsAre(5, 10, 12));
  EXPECT_THAT(looks_at({5, 4}, 40), ElementsAre(5, 10, 20, 40));
  EXPECT_THAT(looks_at({5, 2}, 40), ElementsAre(5, 40));
  EXPECT_THAT(looks_at({}, 40), ElementsAre(40));
}

TEST(Looks, PayForEachOther) {
  SummaryOptions four;
  four.looks = {10, 4};
  const Summary once = judged(row_with(0.02, 0.03, 10));
  const Summary first_of_four = judged(row_with(0.02, 0.03, 10), four);
  EXPECT_NEAR(*first_of_four.p_differs, 4 * *once.p_differs, 1e-12);
  EXPECT_GT(first_of_four.ratio_interval->high, once.ratio_interval->high);
}

TEST(Looks, KeepWhatAnEarlierOneShowed) {
  SummaryOptions options;
  options.looks = {10, 4};
  Summary row = row_with(1, 0.001, 10);
  const double early = *judged(row, options).p_differs;
  for (int block = 10; block < 20; ++block) {
    row.log_ratios.push_back({block, block % 2 == 0 ? 5.0 : -5.0});
  }
  EXPECT_LE(*judged(row, options).p_differs, early);
}

TEST(IsOpen, WhereAVerdictIsMissingAndTheIntervalIsWide) {
  EXPECT_TRUE(is_open(judged(row_with(0, 0.2, 10)), 0.02));
  EXPECT_FALSE(is_open(judged(row_with(0, 0.2, 10)), 0.5));     // precise enough for who asks
  EXPECT_FALSE(is_open(judged(row_with(0, 0.001, 10)), 0.02));  // decided
  EXPECT_FALSE(is_open(judged(row_with(1, 0.2, 1)), 0.02));     // nothing to compare
}

}  // namespace
}  // namespace bench
