// Proves that quantiles, Student's t, Holm's correction and the bootstraps give the values that a
// hand computation or a printed table gives. Does not prove that a "95 %" interval covers 95 %:
// coverage_simulation measures that.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <array>
#include <cmath>

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
}

TEST(EstimateMean, OfOneToFive) {
  // Mean 3; squares 4 + 1 + 0 + 1 + 4 = 10, variance 10 / 4 = 2.5, standard error sqrt(2.5 / 5) =
  // 0.707107. t(4 degrees, 95 %) = 2.776445, half width 1.963243. t = 3 / 0.707107 = 4.242641; with
  // cos^2 = 1 / (1 + 18 / 4) = 2/11 and sin = 3 / sqrt(11), p = 1 - sin (1 + cos^2 / 2) = 1 -
  // 0.904534 x 1.090909 = 0.013236.
  const std::array values{1.0, 2.0, 3.0, 4.0, 5.0};
  const MeanEstimate estimate = estimate_mean(values, 0.95);
  EXPECT_DOUBLE_EQ(estimate.mean, 3);
  EXPECT_NEAR(estimate.interval->low, 1.036757, 1e-6);
  EXPECT_NEAR(estimate.interval->high, 4.963243, 1e-6);
  EXPECT_NEAR(*estimate.p_value, 0.013236, 1e-6);
}

TEST(EstimateMean, OfOneValueHasNoInterval) {
  const std::array values{5.0};
  const MeanEstimate estimate = estimate_mean(values, 0.95);
  EXPECT_DOUBLE_EQ(estimate.mean, 5);
  EXPECT_FALSE(estimate.interval);
  EXPECT_FALSE(estimate.p_value);
}

TEST(EstimateMean, OfEqualValuesIsCertain) {
  const std::array twos{2.0, 2.0, 2.0};
  EXPECT_DOUBLE_EQ(estimate_mean(twos, 0.95).interval->low, 2);
  EXPECT_DOUBLE_EQ(*estimate_mean(twos, 0.95).p_value, 0);
  const std::array zeros{0.0, 0.0};
  EXPECT_DOUBLE_EQ(*estimate_mean(zeros, 0.95).p_value, 1);
}

TEST(Holm, StepsDown) {
  // Sorted 0.01 0.03 0.04: 3 x 0.01 = 0.03; 2 x 0.03 = 0.06; 1 x 0.04 = 0.04, but never below the
  // one before: 0.06.
  const std::array p_values{0.01, 0.04, 0.03};
  EXPECT_THAT(holm(p_values), ElementsAre(DoubleNear(0.03, 1e-12), DoubleNear(0.06, 1e-12),
                                          DoubleNear(0.06, 1e-12)));
}

TEST(Holm, NeverExceedsOne) {
  const std::array p_values{0.9, 0.8};
  EXPECT_THAT(holm(p_values), ElementsAre(1, 1));
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
  const Interval student = *estimate_mean(values, 0.95).interval;
  EXPECT_DOUBLE_EQ(interval.low, again.low);
  EXPECT_NEAR(interval.low, student.low, 0.6);
  EXPECT_NEAR(interval.high, student.high, 0.6);
}

}  // namespace
}  // namespace bench
