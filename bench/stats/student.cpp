#include "bench/stats/student.hpp"

#include <algorithm>
#include <cmath>
#include <numbers>

namespace bench {
namespace {

constexpr double kSmall = 1e-15;

// The continued fraction of the incomplete beta function (Abramowitz and Stegun 26.5.8), by the modified method of Lentz. Converges
// quickly for x < (a + 1) / (a + b + 2).
double beta_fraction(double a, double b, double x) {
  const auto away_from_zero = [](double value) { return std::abs(value) < 1e-300 ? 1e-300 : value; };
  double c = 1;
  double d = 1 / away_from_zero(1 - (a + b) * x / (a + 1));
  double fraction = d;
  for (int i = 1; i <= 500; ++i) {
    const double m = i;
    const double even = m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m));
    d = 1 / away_from_zero(1 + even * d);
    c = away_from_zero(1 + even / c);
    fraction *= d * c;
    const double odd = -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1));
    d = 1 / away_from_zero(1 + odd * d);
    c = away_from_zero(1 + odd / c);
    fraction *= d * c;
    if (std::abs(d * c - 1) < kSmall) {
      break;
    }
  }
  return fraction;
}

// I_x(a, b), the regularised incomplete beta function; `y` is 1 - x, given apart because the difference would lose digits.
double incomplete_beta(double a, double b, double x, double y) {
  if (x <= 0) {
    return 0;
  }
  if (y <= 0) {
    return 1;
  }
  const double front = std::exp(std::lgamma(a + b) - std::lgamma(a) - std::lgamma(b) + a * std::log(x) + b * std::log(y));
  return x < (a + 1) / (a + b + 2) ? front * beta_fraction(a, b, x) / a : 1 - front * beta_fraction(b, a, y) / b;
}

}  // namespace

double student_two_sided_p(double t, double degrees) {
  if (std::isinf(t)) {
    return 0;
  }
  if (std::isinf(degrees)) {
    return std::erfc(std::abs(t) / std::numbers::sqrt2);
  }
  const double square = t * t;
  return std::clamp(incomplete_beta(degrees / 2, 0.5, degrees / (degrees + square), square / (degrees + square)), 0.0, 1.0);
}

double student_upper_p(double t, double degrees) {
  const double half = student_two_sided_p(t, degrees) / 2;
  return t >= 0 ? half : 1 - half;
}

double student_quantile(double confidence, double degrees) {
  double low = 0;
  double high = 1;
  while (student_two_sided_p(high, degrees) > 1 - confidence) {
    high *= 2;
  }
  while (high - low > kSmall * high) {
    const double middle = (low + high) / 2;
    if (middle == low || middle == high) {
      break;
    }
    (student_two_sided_p(middle, degrees) > 1 - confidence ? low : high) = middle;
  }
  return high;
}

// Both: the recurrence up to 10, then the asymptotic series (Abramowitz and Stegun 6.3.18 and 6.4.12).
double digamma(double x) {
  double sum = 0;
  for (; x < 10; ++x) {
    sum -= 1 / x;
  }
  const double s = 1 / (x * x);
  return sum + std::log(x) - 0.5 / x - s * (1.0 / 12 - s * (1.0 / 120 - s * (1.0 / 252 - s * (1.0 / 240 - s / 132))));
}

double trigamma(double x) {
  double sum = 0;
  for (; x < 10; ++x) {
    sum += 1 / (x * x);
  }
  const double s = 1 / (x * x);
  return sum + 1 / x + s / 2 + s / x * (1.0 / 6 - s * (1.0 / 30 - s * (1.0 / 42 - s * (1.0 / 30 - s * 5 / 66))));
}

double inverse_trigamma(double y) {
  double low = std::log(1e-9);
  double high = std::log(1e9);
  for (int i = 0; i < 100; ++i) {  // trigamma falls
    const double middle = (low + high) / 2;
    (trigamma(std::exp(middle)) > y ? low : high) = middle;
  }
  return std::exp((low + high) / 2);
}

}  // namespace bench
