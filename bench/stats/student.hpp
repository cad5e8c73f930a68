// Student's t with any positive number of degrees of freedom, and the functions of its estimates. Pure functions; any thread.
#pragma once

namespace bench {

// P(T > t); degrees may be infinite, which is the normal distribution.
double student_upper_p(double t, double degrees);

// P(|T| > |t|).
double student_two_sided_p(double t, double degrees);

// The t > 0 with P(|T| > t) = 1 - confidence.
double student_quantile(double confidence, double degrees);

// The first and second derivative of ln Gamma, for x > 0; 12 digits.
double digamma(double x);
double trigamma(double x);
// The x > 0 with trigamma(x) = y, for y > 0.
double inverse_trigamma(double y);

}  // namespace bench
