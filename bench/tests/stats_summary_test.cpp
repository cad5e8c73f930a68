// Proves how samples become rows, ratios, verdicts, geometric means and warnings, on samples small
// enough to compute by hand. Does not prove that the samples themselves are right.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

#include "bench/stats/geometric_mean.hpp"
#include "bench/stats/summary.hpp"
#include "bench/stats/warning.hpp"

namespace bench {
namespace {

using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;

// Values of one allocator in one cell, block 0 first.
std::vector<Sample> series(const std::string& allocator, const std::vector<double>& values,
                           const std::string& workload = "pair",
                           const std::string& metric = "throughput") {
  std::vector<Sample> samples;
  for (const double value : values) {
    samples.push_back({static_cast<int>(samples.size()), workload, 1, allocator, metric, "ops/s",
                       value, Status::kOk, ""});
  }
  return samples;
}

std::vector<Sample> operator+(std::vector<Sample> a, const std::vector<Sample>& b) {
  a.insert(a.end(), b.begin(), b.end());
  return a;
}

// By value: the rows are often a temporary.
Summary row_of(const std::vector<Summary>& rows, std::string_view allocator,
               std::string_view workload = "pair") {
  for (const Summary& row : rows) {
    if (row.allocator == allocator && row.workload == workload) {
      return row;
    }
  }
  throw std::out_of_range("no such row");
}

TEST(Summarise, PairsByBlock) {
  // Block 1 ran at half speed for both. Paired, the ratio is 1.2 in every block and certain;
  // unpaired, it would drown.
  const auto rows = summarise(
      series("glibc", {100, 50, 100, 100, 100}) + series("mine", {120, 60, 120, 120, 120}),
      "glibc");
  const Summary& mine = row_of(rows, "mine");
  EXPECT_EQ(mine.n, 5);
  EXPECT_DOUBLE_EQ(*mine.median, 120);
  EXPECT_NEAR(*mine.ratio, 1.2, 1e-12);
  EXPECT_NEAR(mine.ratio_interval->low, 1.2, 1e-9);
  EXPECT_NEAR(mine.ratio_interval->high, 1.2, 1e-9);
  EXPECT_EQ(verdict_word(mine), "faster");
  EXPECT_EQ(judgement(mine), Judgement::kBetter);
  EXPECT_FALSE(row_of(rows, "glibc").ratio);
}

TEST(Summarise, TakesTheRatioOfNeighbouringSlicesWhereThereIsOne) {
  // The values say 1.2 everywhere; in block 1 the slices said 1.5.
  auto mine = series("mine", {120, 120, 120});
  mine[1].log_ratio = std::log(1.5);
  const auto rows = summarise(series("glibc", {100, 100, 100}) + mine, "glibc");
  EXPECT_NEAR(*row_of(rows, "mine").ratio, std::cbrt(1.2 * 1.5 * 1.2), 1e-12);
}

TEST(Summarise, IntervalIsThatOfTheMeanLogRatio) {
  // Ratios 1/2 1 2 2 4: logarithms ln 2 x {-1, 0, 1, 1, 2}, mean 0.6 ln 2. Squares around 0.6: 2.56
  // + 0.36 + 0.16 + 0.16 + 1.96 = 5.2; standard error sqrt(5.2 / 4 / 5) = 0.509902; t(4)
  // = 2.776445: half width 1.415715 (times ln 2). Ratio 2^0.6 = 1.515717, interval 2^-0.815715 =
  // 0.568124 to 2^2.015715 = 4.043814.
  const auto rows =
      summarise(series("glibc", {2, 2, 2, 2, 2}) + series("mine", {1, 2, 4, 4, 8}), "glibc");
  const Summary& mine = row_of(rows, "mine");
  EXPECT_NEAR(*mine.ratio, 1.515717, 1e-6);
  EXPECT_NEAR(mine.ratio_interval->low, std::exp2(-0.815715), 1e-5);
  EXPECT_NEAR(mine.ratio_interval->high, std::exp2(2.015715), 1e-5);
  EXPECT_EQ(verdict_word(mine), "not decided");
}

TEST(Summarise, OneRepetitionHasARatioButNoIntervalAndNoVerdict) {
  const auto rows = summarise(series("glibc", {10}) + series("mine", {20}), "glibc");
  const Summary& mine = row_of(rows, "mine");
  EXPECT_DOUBLE_EQ(*mine.ratio, 2);
  EXPECT_FALSE(mine.ratio_interval);
  EXPECT_FALSE(mine.range);
  EXPECT_EQ(verdict_word(mine), "");
}

TEST(Summarise, MemoryIsLargerOrSmallerAndLessIsBetter) {
  const auto rows =
      summarise(series("glibc", {1e6, 1e6, 1e6, 1e6, 1e6}, "pair", "peak_rss") +
                    series("lean", {8e5, 8e5, 8e5, 8e5, 8e5}, "pair", "peak_rss") +
                    series("fat", {1.5e6, 1.5e6, 1.5e6, 1.5e6, 1.5e6}, "pair", "peak_rss"),
                "glibc");
  EXPECT_EQ(verdict_word(row_of(rows, "lean")), "smaller");
  EXPECT_EQ(judgement(row_of(rows, "lean")), Judgement::kBetter);
  EXPECT_EQ(verdict_word(row_of(rows, "fat")), "larger");
  EXPECT_EQ(judgement(row_of(rows, "fat")), Judgement::kWorse);
}

TEST(Summarise, OneFailureFailsTheCell) {
  auto samples = series("glibc", {10, 10, 10}) + series("mine", {20, 20});
  samples.push_back(
      {2, "pair", 1, "mine", "throughput", "ops/s", {}, Status::kCrashed, "signal 11"});
  const auto rows = summarise(samples, "glibc");
  const Summary& mine = row_of(rows, "mine");
  EXPECT_EQ(mine.status, Status::kCrashed);
  EXPECT_EQ(mine.detail, "signal 11");
  EXPECT_EQ(mine.n, 2);
  EXPECT_FALSE(mine.median);
  EXPECT_FALSE(mine.ratio);
  EXPECT_EQ(row_of(rows, "glibc").status, Status::kOk);
}

TEST(Summarise, AFailureWithoutMetricFailsEveryMetricOfItsCell) {
  auto samples = series("glibc", {10, 10}) + series("glibc", {5, 5}, "pair", "peak_rss");
  samples.push_back({0, "pair", 1, "mine", "", "", {}, Status::kTimeout, "60 s"});
  const auto rows = summarise(samples, "glibc");
  ASSERT_THAT(rows, SizeIs(4));
  for (const Summary& row : rows) {
    EXPECT_EQ(row.status, row.allocator == "mine" ? Status::kTimeout : Status::kOk) << row.metric;
  }
}

TEST(Summarise, AFailureWhereNobodyHasAFigureIsStillARow) {
  const std::vector<Sample> samples{
      {0, "pair", 1, "mine", "", "", {}, Status::kOutOfMemory, "killed"}};
  const auto rows = summarise(samples, "glibc");
  ASSERT_THAT(rows, SizeIs(1));
  EXPECT_EQ(rows[0].metric, "throughput");
  EXPECT_EQ(rows[0].status, Status::kOutOfMemory);
}

TEST(Summarise, WithoutABaselineFigureThereIsNoRatio) {
  auto samples = series("mine", {20, 20, 20});
  samples.push_back({0, "pair", 1, "glibc", "throughput", "ops/s", {}, Status::kFailed, "exit 1"});
  const Summary& mine = row_of(summarise(samples, "glibc"), "mine");
  EXPECT_DOUBLE_EQ(*mine.median, 20);
  EXPECT_FALSE(mine.ratio);
  EXPECT_EQ(mine.verdict, Verdict::kNone);
}

TEST(Summarise, PairsOnlyBlocksThatBothHave) {
  // Cut off before the subject's block 2: blocks 0 and 1 pair, with ratios 2 and 4; sqrt(2 x 4)
  // = 2.828427.
  const Summary& mine =
      row_of(summarise(series("glibc", {10, 10, 99}) + series("mine", {20, 40}), "glibc"), "mine");
  EXPECT_NEAR(*mine.ratio, 2.828427, 1e-6);
  EXPECT_THAT(mine.log_ratios, SizeIs(2));
}

TEST(Summarise, AResidentSetOfAFewPagesHasNoRatio) {
  const auto rss = [](double baseline_bytes) {
    auto samples = series("glibc", {baseline_bytes}) + series("mine", {262144});
    for (Sample& sample : samples) {
      sample.metric = "peak_rss";
      sample.unit = "bytes";
    }
    return summarise(samples, "glibc");
  };
  EXPECT_FALSE(row_of(rss(65535), "mine").ratio);
  EXPECT_NEAR(*row_of(rss(65536), "mine").ratio, 4, 1e-9);
  EXPECT_EQ(geometric_means(rss(65536), "glibc")[0].cells, 1);
}

TEST(Summarise, AFigureOfZeroHasNoRatio) {
  const Summary& mine =
      row_of(summarise(series("glibc", {3, 0}) + series("mine", {3, 4}), "glibc"), "mine");
  EXPECT_DOUBLE_EQ(*mine.median, 3.5);
  EXPECT_FALSE(mine.ratio);
}

TEST(GeometricMeans, OverFamiliesAndBlocks) {
  // Ratios: family a 2 in both blocks; family b 8 and 2, so 4. Mean sqrt(2 x 4) = 2.828427. By block: sqrt(2 x 8) = 4 and
  // sqrt(2 x 2) = 2.
  const auto rows = summarise(series("glibc", {1, 1}, "a") + series("mine", {2, 2}, "a") +
                                  series("glibc", {1, 1}, "b") + series("mine", {8, 2}, "b"),
                              "glibc");
  const auto means = geometric_means(rows, "glibc");
  ASSERT_THAT(means, SizeIs(2));
  EXPECT_DOUBLE_EQ(*means[0].ratio, 1);
  EXPECT_EQ(means[1].allocator, "mine");
  EXPECT_EQ(means[1].cells, 2);
  EXPECT_EQ(means[1].families, 2);
  EXPECT_NEAR(*means[1].ratio, 2.828427, 1e-6);
  ASSERT_THAT(means[1].log_ratios, SizeIs(2));
  EXPECT_NEAR(means[1].log_ratios[0].log_ratio, std::log(4), 1e-12);
  EXPECT_NEAR(means[1].log_ratios[1].log_ratio, std::log(2), 1e-12);
  EXPECT_TRUE(means[1].interval);
}

TEST(GeometricMeans, OneWorkloadAtSeveralSizesHasOneVote) {
  // grow: 16, 16 and 16 at three sizes, one vote of 16; pair and json 1 each. Mean 16^(1/3) = 2.519842; without grow 1.
  std::vector<Sample> samples;
  for (const std::string workload : {"grow", "grow:max=1", "grow:max=2"}) {
    samples = samples + series("glibc", {1}, workload) + series("mine", {16}, workload);
  }
  for (const std::string workload : {"pair", "json"}) {
    samples = samples + series("glibc", {1}, workload) + series("mine", {1}, workload);
  }
  const auto means = geometric_means(summarise(samples, "glibc"), "glibc");
  EXPECT_EQ(means[1].families, 3);
  EXPECT_EQ(means[1].cells, 5);
  EXPECT_NEAR(*means[1].ratio, 2.519842, 1e-6);
  ASSERT_TRUE(means[1].without);
  EXPECT_EQ(means[1].without->family, "grow");
  EXPECT_NEAR(means[1].without->ratio, 1, 1e-12);
  EXPECT_FALSE(means[0].without);
}

TEST(GeometricMeans, NeverGoOverAllKinds) {
  auto samples = series("glibc", {1}, "pair") + series("mine", {2}, "pair");
  for (Sample& sample : samples) {
    sample.kind = Kind::kSynthetic;
  }
  auto programs = series("glibc", {1}, "program/lua") + series("mine", {8}, "program/lua");
  for (Sample& sample : programs) {
    sample.kind = Kind::kPrograms;
  }
  const auto means = geometric_means(summarise(samples + programs, "glibc"), "glibc");
  ASSERT_THAT(means, SizeIs(4));
  EXPECT_EQ(means[1].kind, Kind::kPrograms);
  EXPECT_DOUBLE_EQ(*means[1].ratio, 8);
  EXPECT_EQ(means[3].kind, Kind::kSynthetic);
  EXPECT_DOUBLE_EQ(*means[3].ratio, 2);
}

TEST(GeometricMeans, LeaveOutCellsThatAnyoneFailed) {
  auto samples = series("glibc", {1}, "a") + series("mine", {2}, "a") + series("other", {3}, "a") +
                 series("glibc", {1}, "b") + series("mine", {100}, "b");
  samples.push_back({0, "b", 1, "other", "throughput", "ops/s", {}, Status::kCrashed, ""});
  for (const GeometricMean& mean : geometric_means(summarise(samples, "glibc"), "glibc")) {
    EXPECT_EQ(mean.cells, 1) << mean.allocator;
    ASSERT_THAT(mean.left_out, SizeIs(1)) << mean.allocator;
    EXPECT_EQ(mean.left_out[0].workload, "b");
    EXPECT_EQ(mean.left_out[0].threads, 1);
    EXPECT_EQ(mean.left_out[0].why, "CRASHED under other");
    EXPECT_DOUBLE_EQ(*mean.ratio, mean.allocator == "mine" ? 2 : mean.allocator == "other" ? 3 : 1);
  }
}

TEST(GeometricMeans, SayWhichCellsHaveNoRatioAndWhy) {
  // Zero has no logarithm: not under the baseline (b), not in one (c), not in one block of one (d).
  const auto rows = summarise(series("glibc", {1, 1}, "a") + series("mine", {2, 2}, "a") +
                                  series("glibc", {0, 0}, "b") + series("mine", {1, 1}, "b") +
                                  series("glibc", {1, 1}, "c") + series("mine", {0, 0}, "c") +
                                  series("glibc", {1, 1}, "d") + series("mine", {0, 1}, "d"),
                              "glibc");
  for (const GeometricMean& mean : geometric_means(rows, "glibc")) {
    EXPECT_EQ(mean.cells, 1);
    std::vector<std::string> said;
    for (const LeftOutCell& cell : mean.left_out) {
      said.push_back(cell.workload + ": " + cell.why);
    }
    EXPECT_THAT(said, testing::ElementsAre("b: 0 under glibc", "c: 0 under mine",
                                           "d: no ratio under mine"));
  }
}

TEST(GeometricMeans, HaveNoFigureWhenNoCellIsLeft) {
  auto samples = series("glibc", {1}, "a") + series("mine", {2}, "a");
  samples.push_back({0, "a", 1, "other", "throughput", "ops/s", {}, Status::kFailed, ""});
  for (const GeometricMean& mean : geometric_means(summarise(samples, "glibc"), "glibc")) {
    EXPECT_FALSE(mean.ratio) << mean.allocator;
    EXPECT_THAT(mean.left_out, SizeIs(1));
  }
}

TEST(NoiseWarnings, QuietSamplesRaiseNone) {
  EXPECT_THAT(noise_warnings(series("glibc", {100, 101, 99, 100, 102, 98})), IsEmpty());
}

TEST(NoiseWarnings, ScatterOverTenPercent) {
  // Sorted 80 90 100 110 120: quartiles 90 and 110, 20 % of the median 100.
  const auto warnings = noise_warnings(series("glibc", {100, 80, 120, 90, 110}));
  ASSERT_THAT(warnings, SizeIs(1));
  EXPECT_THAT(warnings[0].what, HasSubstr("in 1 of 1 series: pair, 1 thread, glibc: 20 %"));
  EXPECT_THAT(warnings[0].remedy, HasSubstr("--repetitions"));
}

TEST(NoiseWarnings, SlowFirstBlockAndOutlier) {
  // The first block is 50 % below the slowest other, and far over 3 interquartile ranges (1) from
  // the quartiles.
  const auto warnings = noise_warnings(series("glibc", {50, 100, 101, 100, 101, 100, 101}));
  ASSERT_THAT(warnings, SizeIs(2));
  EXPECT_THAT(warnings[0].what, HasSubstr("first block"));
  EXPECT_THAT(warnings[1].what, HasSubstr("glibc: 1 of 7"));
}

TEST(NoiseWarnings, TimedRegionUnderAMillisecond) {
  const auto warnings = noise_warnings(series("glibc", {0.0004}, "pair", "wall_time"));
  ASSERT_THAT(warnings, SizeIs(1));
  EXPECT_THAT(warnings[0].what, HasSubstr("400 us"));
  EXPECT_THAT(warnings[0].remedy, HasSubstr("--min-time"));
}

}  // namespace
}  // namespace bench
