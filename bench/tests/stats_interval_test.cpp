// Proves that quantiles, Student's t, the corrections and the bootstraps give the values that a
// hand computation or a printed table gives. Does not prove that a "95 %" interval covers 95 %:
// coverage_simulation measures that.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <array>
#include <cmath>
#include <limits>

#include "bench/stats/bootstrap.hpp"
#include "bench/stats/interval.hpp"
#include "bench/stats/quantile.hpp"

namespace bench {
namespace {

using testing::DoubleNear;
using testing::ElementsAre;

TEST(Quantile, InterpolatesBetweenOrderStatistics) {
  // Sorted 10 20 30 40. Position of p is 3 p: 0.25 -> 0.75, so 10 + 0.75 x 10 = 17.5; 0.9 -> 2.7,
  // so 30 + 0.7 x 10 = 37.
  const std::array values{40.0, 10.0, 30.0, 20.0};
  EXPECT_DOUBLE_EQ(quantile(values, 0.25), 17.5);
  EXPECT_DOUBLE_EQ(quantile(values, 0.9), 37);
  EXPECT_DOUBLE_EQ(quantile(values, 0), 10);
  EXPECT_DOUBLE_EQ(quantile(values, 1), 40);
  EXPECT_DOUBLE_EQ(median(values), 25);
}

TEST(Quantile, OfOneValueIsThatValue) {
  const std::array values{7.0};
  EXPECT_DOUBLE_EQ(quantile(values, 0.3), 7);
}

TEST(MedianInterval, IsTheRangeWhereFewValuesAllowNoMore) {
  const std::array values{3.0, 1.0, 2.0};
  const auto interval = median_interval(values, 0.95);
  EXPECT_DOUBLE_EQ(interval->low, 1);
  EXPECT_DOUBLE_EQ(interval->high, 3);
  EXPECT_FALSE(median_interval(std::span(values).first(1), 0.95));
}

TEST(MedianInterval, DropsAsManyExtremesAsTheBinomialAllows) {
  // n = 10: 2 P(X <= 1) = 2 x 11 / 1024 = 0.021 <= 0.05, 2 P(X <= 2) = 2 x 56 / 1024 = 0.109 >
  // 0.05: one goes on each side.
  const std::array ten{1., 2., 3., 4., 5., 6., 7., 8., 9., 10.};
  EXPECT_DOUBLE_EQ(median_interval(ten, 0.95)->low, 2);
  EXPECT_DOUBLE_EQ(median_interval(ten, 0.95)->high, 9);
  // n = 6: 2 P(X <= 0) = 2 / 64 = 0.031, 2 P(X <= 1) = 14 / 64 = 0.22: none goes.
  EXPECT_DOUBLE_EQ(median_interval(std::span(ten).first(6), 0.95)->low, 1);
  EXPECT_DOUBLE_EQ(median_interval(std::span(ten).first(6), 0.95)->high, 6);
}

TEST(StudentT, QuantilesAreThoseOfPrintedTables) {
  EXPECT_NEAR(student_quantile(0.95, 1), 12.7062, 5e-5);
  EXPECT_NEAR(student_quantile(0.95, 2), 4.30265, 5e-6);
  EXPECT_NEAR(student_quantile(0.95, 9), 2.26216, 5e-6);
  EXPECT_NEAR(student_quantile(0.95, 14), 2.14479, 5e-6);
  EXPECT_NEAR(student_quantile(0.99, 30), 2.75000, 5e-6);
}

TEST(StudentT, PValueInClosedForm) {
  // 1 degree is Cauchy's distribution: P(|T| > 1) = 1/2. 2 degrees: P(|T| > t) = 1 - t / sqrt(2 +
  // t^2), so 1/3 at t^2 = 8/5.
  EXPECT_NEAR(student_two_sided_p(1, 1), 0.5, 1e-12);
  EXPECT_NEAR(student_two_sided_p(std::sqrt(1.6), 2), 1.0 / 3, 1e-12);
  EXPECT_DOUBLE_EQ(student_two_sided_p(0, 5), 1);
  EXPECT_NEAR(student_two_sided_p(1.959963985, std::numeric_limits<double>::infinity()), 0.05, 1e-9);
  EXPECT_NEAR(student_two_sided_p(-2.4469118, 6.0), 0.05, 1e-7);
  EXPECT_NEAR(student_upper_p(-1, 1), 0.75, 1e-12);
}

TEST(Estimate, OfOneToFive) {
  // Mean 3; squares 4 + 1 + 0 + 1 + 4 = 10, variance 10 / 4 = 2.5, standard error sqrt(2.5 / 5) =
  // 0.707107. t(4 degrees, 95 %) = 2.776445, half width 1.963243. t = 3 / 0.707107 = 4.242641; with
  // cos^2 = 1 / (1 + 18 / 4) = 2/11 and sin = 3 / sqrt(11), p = 1 - sin (1 + cos^2 / 2) = 1 -
  // 0.904534 x 1.090909 = 0.013236.
  const std::array values{1.0, 2.0, 3.0, 4.0, 5.0};
  const Estimate known = estimate(values);
  EXPECT_DOUBLE_EQ(known.mean, 3);
  EXPECT_NEAR(interval_of(known, 0.95)->low, 1.036757, 1e-6);
  EXPECT_NEAR(interval_of(known, 0.95)->high, 4.963243, 1e-6);
  EXPECT_NEAR(p_of_no_difference(known), 0.013236, 1e-6);
}

TEST(Estimate, OfOneValueHasNoInterval) {
  const std::array values{5.0};
  EXPECT_DOUBLE_EQ(estimate(values).mean, 5);
  EXPECT_FALSE(interval_of(estimate(values), 0.95));
}

TEST(Estimate, OfEqualValuesIsCertain) {
  const std::array twos{2.0, 2.0, 2.0};
  EXPECT_DOUBLE_EQ(interval_of(estimate(twos), 0.95)->low, 2);
  EXPECT_DOUBLE_EQ(p_of_no_difference(estimate(twos)), 0);
  const std::array zeros{0.0, 0.0};
  EXPECT_DOUBLE_EQ(p_of_no_difference(estimate(zeros)), 1);
}

TEST(BenjaminiHochberg, StepsUp) {
  // Sorted 0.01 0.03 0.035: 3/1 x 0.01 = 0.03; 3/2 x 0.03 = 0.045, but never above the one after: 3/3 x 0.035 = 0.035.
  const std::array p_values{0.01, 0.035, 0.03};
  EXPECT_THAT(benjamini_hochberg(p_values),
              ElementsAre(DoubleNear(0.03, 1e-12), DoubleNear(0.035, 1e-12), DoubleNear(0.035, 1e-12)));
}

TEST(BenjaminiHochberg, NeverExceedsOne) {
  const std::array p_values{0.9, 0.8};
  EXPECT_THAT(benjamini_hochberg(p_values), ElementsAre(DoubleNear(0.9, 1e-12), DoubleNear(0.9, 1e-12)));
}

TEST(Gamma, DerivativesAreThoseOfPrintedTables) {
  // digamma(1) is minus Euler's constant, trigamma(1) pi^2 / 6; at 1/2: digamma(1) - 2 ln 2, and pi^2 / 2.
  EXPECT_NEAR(digamma(1), -0.5772156649015329, 1e-12);
  EXPECT_NEAR(digamma(0.5), -1.9635100260214235, 1e-12);
  EXPECT_NEAR(trigamma(1), 1.6449340668482264, 1e-12);
  EXPECT_NEAR(trigamma(0.5), 4.934802200544679, 1e-12);
  EXPECT_NEAR(inverse_trigamma(1.6449340668482264), 1, 1e-9);
}

TEST(CommonScatter, IsTheVarianceOfCellsThatDifferOnlyByChance) {
  // Twelve cells with the same values: less unlike than chance makes them. The variance of {-1, 0, 1} is 1, and with 2 degrees the
  // mean of ln s^2 is ln 1 - digamma(1) + ln 1 above, so exp(0.5772).
  const std::vector<std::vector<double>> cells(12, {-1, 0, 1});
  const Scatter scatter = common_scatter(cells);
  EXPECT_NEAR(scatter.variance, std::exp(0.5772156649015329), 1e-9);
  EXPECT_DOUBLE_EQ(scatter.degrees, 24);
}

TEST(CommonScatter, IsUnknownForAHandfulOfCellsAndForCellsWithoutScatter) {
  const std::vector<std::vector<double>> few(9, {-1, 0, 1});
  EXPECT_EQ(common_scatter(few).degrees, 0);
  const std::vector<std::vector<double>> even(20, {1, 1, 1});
  EXPECT_EQ(common_scatter(even).degrees, 0);
}

TEST(CommonScatter, TellsLittleWhereCellsDifferALot) {
  std::vector<std::vector<double>> cells;
  for (int i = 0; i < 20; ++i) {
    const double size = i % 2 == 0 ? 1 : 1000;
    cells.push_back({-size, 0, size});
  }
  EXPECT_LT(common_scatter(cells).degrees, 1);
}

TEST(Estimate, CountsThePriorAsMoreDifferences) {
  // Variance of 1 to 5: 2.5 with 4 degrees. Prior 1 with 6: (6 x 1 + 4 x 2.5) / 10 = 1.6; standard error sqrt(1.6 / 5).
  const std::array values{1.0, 2.0, 3.0, 4.0, 5.0};
  const Estimate known = estimate(values, {1, 6});
  EXPECT_DOUBLE_EQ(known.degrees, 10);
  EXPECT_NEAR(known.standard_error, std::sqrt(1.6 / 5), 1e-12);
}

TEST(TwoOneSidedTests, GiveTheWorseSidesP) {
  // Mean 1, standard error 0.5, 2 degrees, margin 2: t = 2, P(T > 2) = (1 - 2 / sqrt(6)) / 2 = 0.091752.
  EXPECT_NEAR(p_of_not_within({1, 0.5, 2}, 2), 0.0917517, 1e-6);
  EXPECT_NEAR(p_of_not_within({-1, 0.5, 2}, 2), 0.0917517, 1e-6);
  EXPECT_NEAR(p_of_not_within({3, 0.5, 2}, 2), 1 - 0.0917517, 1e-6);
  EXPECT_DOUBLE_EQ(p_of_not_within({1, 0, 2}, 2), 0);
  EXPECT_DOUBLE_EQ(p_of_not_within({3, 0, 2}, 2), 1);
}

TEST(BcaBootstrap, OfTwoValues) {
  // Resampled means of {0, 1}: 0 and 1 with 1/4 each, 1/2 with 1/2. No bias and no skewness:
  // the 2.5 % and 97.5 % quantiles, 0 and 1.
  const std::array values{0.0, 1.0};
  const Interval interval = bca_interval(values, 0.95, 2000, 1);
  EXPECT_DOUBLE_EQ(interval.low, 0);
  EXPECT_DOUBLE_EQ(interval.high, 1);
}

TEST(BcaBootstrap, LeansTowardsTheLongTail) {
  // The plain percentile interval of these values is about symmetric around the mean 2.5; skewness
  // moves both ends up.
  const std::array values{1., 1., 1., 1., 1., 1., 1., 1., 1., 16.};
  const Interval interval = bca_interval(values, 0.95, 4000, 1);
  EXPECT_GT(interval.high - 2.5, 2.5 - interval.low);
}

TEST(BootstrapT, OfTwoValuesIsUnbounded) {
  // A quarter of the resamples on each side has no spread, more than the 2.5 % that the interval
  // cuts off.
  const std::array values{0.0, 1.0};
  const Interval interval = bootstrap_t_interval(values, 0.95, 2000, 1);
  EXPECT_LT(interval.low, -1e100);
  EXPECT_GT(interval.high, 1e100);
}

TEST(BootstrapT, IsRepeatableAndNearStudentForEvenValues) {
  const std::array values{-9., -7., -5., -3., -1., 1., 3., 5., 7., 9.};
  const Interval interval = bootstrap_t_interval(values, 0.95, 20000, 7);
  const Interval again = bootstrap_t_interval(values, 0.95, 20000, 7);
  const Interval student = *interval_of(estimate(values), 0.95);
  EXPECT_DOUBLE_EQ(interval.low, again.low);
  EXPECT_NEAR(interval.low, student.low, 0.6);
  EXPECT_NEAR(interval.high, student.high, 0.6);
}

}  // namespace
}  // namespace bench
