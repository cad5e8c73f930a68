// Random numbers for the simulations of this folder: the same from a seed in every library.
#pragma once

#include <cmath>
#include <cstdint>
#include <numbers>
#include <random>

namespace bench {

class SimulatedNoise {
 public:
  explicit SimulatedNoise(std::uint64_t seed) : generator_(seed) {}

  // In (0, 1).
  double uniform() { return (static_cast<double>(generator_() >> 11U) + 0.5) * 0x1p-53; }

  // Box and Muller, as std's distributions differ between libraries.
  double normal() {
    const double radius = std::sqrt(-2 * std::log(uniform()));
    return radius * std::cos(2 * std::numbers::pi * uniform());
  }

  // The sum of so many squared normals.
  double chi_square(int degrees) {
    double sum = 0;
    for (int i = 0; i < degrees; ++i) {
      const double z = normal();
      sum += z * z;
    }
    return sum;
  }

  // Student's t; with few degrees its tails are heavy.
  double student(int degrees) { return normal() / std::sqrt(chi_square(degrees) / degrees); }

 private:
  std::mt19937_64 generator_;
};

}  // namespace bench
