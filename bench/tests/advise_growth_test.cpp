// Growth of memory by quarters of a run: what counts as growing, and whose it is. Made-up levels; nothing is measured.
#include <gtest/gtest.h>

#include <vector>

#include "bench/advise/growth.hpp"

namespace bench {
namespace {

constexpr double kMib = 1 << 20;

std::vector<LevelPoint> line(double from_bytes, double to_bytes) {
  std::vector<LevelPoint> points;
  for (int i = 0; i <= 40; ++i) {
    points.push_back({i * 0.1, from_bytes + (to_bytes - from_bytes) * i / 40});
  }
  return points;
}

TEST(Growth, QuartersAreMeansOverTime) {
  const auto trend = trend_of(std::vector<LevelPoint>{{0, 8}, {1, 8}, {1, 4}, {2, 4}, {2, 6}, {3, 6}, {3, 10}, {4, 10}});
  ASSERT_TRUE(trend);
  EXPECT_DOUBLE_EQ(trend->second_bytes, 4);
  EXPECT_DOUBLE_EQ(trend->third_bytes, 6);
  EXPECT_DOUBLE_EQ(trend->fourth_bytes, 10);
}

TEST(Growth, TooFewPointsOrNoTimeGiveNoTrend) {
  EXPECT_FALSE(trend_of(std::vector<LevelPoint>(7, {1, 1})));
  EXPECT_FALSE(trend_of(std::vector<LevelPoint>(20, {1, 1})));
}

TEST(Growth, ALevelLineDoesNotGrowAndNeitherDoesLessThanAMebibyte) {
  EXPECT_FALSE(trend_of(line(50 * kMib, 50 * kMib))->grows());
  EXPECT_FALSE(trend_of(line(0, kMib))->grows());
  EXPECT_TRUE(trend_of(line(0, 40 * kMib))->grows());
}

TEST(Growth, AFallAfterAPeakIsNoGrowth) {
  auto points = line(0, 40 * kMib);
  points.push_back({8, kMib});
  points.push_back({9, kMib});
  EXPECT_FALSE(trend_of(points)->grows());
}

TEST(Growth, LiveBytesTellALeakFromFragmentation) {
  const Trend rising = *trend_of(line(0, 40 * kMib));
  const Trend level = *trend_of(line(5 * kMib, 5 * kMib));
  EXPECT_EQ(growth_of(rising, rising), Growth::kLive);
  EXPECT_EQ(growth_of(rising, level), Growth::kFragmentation);
  EXPECT_EQ(growth_of(level, rising), Growth::kLevel);
}

}  // namespace
}  // namespace bench
