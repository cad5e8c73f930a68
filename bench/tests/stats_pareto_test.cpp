// Proves who is called on the throughput-RSS front, with what certainty and in which words, on
// geometric means given directly.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

#include "bench/stats/pareto.hpp"

namespace bench {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

struct Point {
  std::string allocator;
  double throughput;
  double peak_rss;
  double scatter = 0.001;  // of the logarithm, alternating by block
};

constexpr int kBlocks = 10;

GeometricMean mean_of(const std::string& metric, const Point& point, double ratio, int blocks) {
  GeometricMean mean;
  mean.metric = metric;
  mean.allocator = point.allocator;
  mean.cells = 30;
  mean.families = 20;
  mean.ratio = ratio;
  for (int block = 0; block < blocks && point.allocator != "glibc"; ++block) {
    mean.log_ratios.push_back({block, std::log(ratio) + (block % 2 == 0 ? 1 : -1) * point.scatter});
  }
  return mean;
}

std::optional<ParetoFront> front_of(const std::vector<Point>& points, int blocks = kBlocks) {
  std::vector<GeometricMean> means;
  std::vector<std::string> names;
  for (const Point& point : points) {
    means.push_back(mean_of("throughput", point, point.throughput, blocks));
    means.push_back(mean_of("peak_rss", point, point.peak_rss, blocks));
    names.push_back(point.allocator);
  }
  return pareto_front(Kind::kSynthetic, means, names, "glibc");
}

const ParetoPoint& at(const ParetoFront& front, std::string_view allocator) {
  for (const ParetoPoint& point : front.points) {
    if (point.allocator == allocator) {
      return point;
    }
  }
  throw std::out_of_range("no such point");
}

TEST(ParetoFront, TwoThatTradeSpeedForMemoryAreBothOnIt) {
  const auto front = front_of({{"glibc", 1, 1}, {"fast", 2, 1.5}, {"bad", 1.5, 1.8}});
  EXPECT_TRUE(at(*front, "glibc").on_front);
  EXPECT_TRUE(at(*front, "glibc").shown);
  EXPECT_TRUE(at(*front, "fast").on_front);
  EXPECT_TRUE(at(*front, "fast").shown);
  const ParetoPoint& bad = at(*front, "bad");
  EXPECT_FALSE(bad.on_front);
  EXPECT_TRUE(bad.shown);
  EXPECT_EQ(bad.rival, "fast");
  EXPECT_NEAR(bad.rival_throughput.ratio, 2 / 1.5, 1e-12);
  EXPECT_NEAR(bad.rival_peak_rss.ratio, 1.5 / 1.8, 1e-12);
}

TEST(ParetoFront, NoisyFiguresShowNothing) {
  const auto front = front_of({{"glibc", 1, 1}, {"mine", 1.05, 0.97, 0.5}});
  EXPECT_TRUE(at(*front, "mine").on_front);
  EXPECT_FALSE(at(*front, "mine").shown);
  EXPECT_EQ(at(*front, "mine").rival, "glibc");
  EXPECT_FALSE(at(*front, "glibc").on_front);
  EXPECT_FALSE(at(*front, "glibc").shown);
}

TEST(ParetoFront, FewBlocksShowNothing) {
  const auto front = front_of({{"glibc", 1, 1}, {"mine", 2, 0.5}}, 3);
  EXPECT_TRUE(at(*front, "mine").on_front);
  EXPECT_FALSE(at(*front, "mine").shown);
}

TEST(ParetoFront, LessThanOnePercentShowsNothing) {
  const auto front = front_of({{"glibc", 1, 1}, {"mine", 1.009, 0.995, 1e-6}});
  EXPECT_TRUE(at(*front, "mine").on_front);
  EXPECT_FALSE(at(*front, "mine").shown);
}

TEST(ParetoFront, OffItIsShownOnlyIfTheRivalIsShownNotToBeWorseInTheOtherFigure) {
  // The rival is far leaner and by its point 2 % faster; but its throughput scatters by 10 %, so it may as well be slower.
  const auto front_with = [](double scatter_of_throughput) {
    const Point rival{"rival", 1.02, 0.5, scatter_of_throughput};
    const Point lean{"rival", 1.02, 0.5, 0.001};
    const Point base{"glibc", 1, 1};
    const std::vector<GeometricMean> means{mean_of("throughput", base, 1, kBlocks), mean_of("peak_rss", base, 1, kBlocks),
                                           mean_of("throughput", rival, 1.02, kBlocks), mean_of("peak_rss", lean, 0.5, kBlocks)};
    const std::vector<std::string> names{"glibc", "rival"};
    return *pareto_front(Kind::kSynthetic, means, names, "glibc");
  };
  EXPECT_FALSE(at(front_with(0.1), "glibc").on_front);
  EXPECT_FALSE(at(front_with(0.1), "glibc").shown);
  EXPECT_TRUE(at(front_with(0.001), "glibc").shown);
}

TEST(ParetoFront, EqualsAreBothOnIt) {
  const auto front = front_of({{"glibc", 1, 1}, {"twin", 1, 1, 0}});
  EXPECT_TRUE(at(*front, "glibc").on_front);
  EXPECT_TRUE(at(*front, "twin").on_front);
  EXPECT_FALSE(at(*front, "twin").shown);
}

TEST(ParetoFront, NeedsTwoCandidatesWithBothFigures) {
  EXPECT_FALSE(front_of({{"glibc", 1, 1}}));
  const std::vector<GeometricMean> means{mean_of("throughput", {"a", 1, 1}, 1, 5),
                                         mean_of("throughput", {"b", 1, 1}, 1, 5)};
  const std::vector<std::string> names{"a", "b"};
  EXPECT_FALSE(pareto_front(Kind::kSynthetic, means, names, "a"));
}

TEST(ParetoFront, IsSaidInWords) {
  const auto front = front_of({{"glibc", 1, 1}, {"mine", 2, 0.5}});
  // Log-ratios ln 2 +- 0.001, ten of them: standard deviation 0.001 sqrt(10 / 9), standard error a
  // third of 0.001, times t(9) = 2.262: half width 0.00075, so 2.00 (2.00 to 2.00).
  EXPECT_THAT(
      sentences(*front),
      ElementsAre(
          HasSubstr("synthetic: on the throughput-RSS front of 2 allocators, where no other is both faster and "
                    "leaner: mine. Geometric means over 20 families, 10 blocks"),
          "mine has 2.00 (2.00 to 2.00) times the throughput of glibc and 0.50 (0.50 to 0.50) "
          "times its peak RSS; on the front, shown against every other.",
          "glibc is the baseline; off the front, shown: mine has 2.00 (2.00 to 2.00) times its "
          "throughput and 0.50 (0.50 to 0.50) times its peak RSS."));
}

}  // namespace
}  // namespace bench
