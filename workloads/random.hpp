// Seeded random numbers, the same on every machine and with every standard library.
//
// xoshiro256** (Blackman and Vigna, 2018), its state filled by splitmix64 as its authors advise. A
// stream number gives each thread or purpose an independent sequence from the one seed of a
// measurement. Not thread-safe; copy it freely.
#pragma once

#include <bit>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <utility>

namespace workloads {

class Random {
 public:
  explicit Random(std::uint64_t seed, std::uint64_t stream = 0) {
    std::uint64_t counter = seed ^ (stream * 0xd1342543de82ef95U);
    for (std::uint64_t& word : state_) {
      word = split_mix(counter);
    }
  }

  // 64 random bits.
  std::uint64_t next() {
    const std::uint64_t result = std::rotl(state_[1] * 5, 7) * 9;
    const std::uint64_t shifted = state_[1] << 17;
    state_[2] ^= state_[0];
    state_[3] ^= state_[1];
    state_[1] ^= state_[2];
    state_[0] ^= state_[3];
    state_[2] ^= shifted;
    state_[3] = std::rotl(state_[3], 45);
    return result;
  }

  // Uniform in [0, limit); limit > 0. The bias is below limit / 2^64.
  std::uint64_t below(std::uint64_t limit) {
    __extension__ using Wide = unsigned __int128;
    return static_cast<std::uint64_t>((Wide{next()} * limit) >> 64);
  }

  // Uniform in [low, high], both included.
  std::uint64_t between(std::uint64_t low, std::uint64_t high) {
    return low + below(high - low + 1);
  }

  // Uniform in [0, 1).
  double real() { return static_cast<double>(next() >> 11) * 0x1.0p-53; }

  // True `numerator` times in `denominator`.
  bool chance(std::uint64_t numerator, std::uint64_t denominator) {
    return below(denominator) < numerator;
  }

  // In [low, high] with a density proportional to x^-exponent (exponent > 1), by inversion.
  std::uint64_t power_law(double low, double high, double exponent) {
    const double k = 1.0 - exponent;
    const double a = std::pow(low, k);
    const double b = std::pow(high + 1.0, k);
    const auto drawn = static_cast<std::uint64_t>(std::pow(a + (b - a) * real(), 1.0 / k));
    return drawn > static_cast<std::uint64_t>(high) ? static_cast<std::uint64_t>(high) : drawn;
  }

  // Puts `items` (anything with size() and operator[]) in random order (Fisher and Yates).
  template <typename Items>
  void shuffle(Items& items) {
    for (std::size_t i = items.size(); i > 1; --i) {
      std::swap(items[i - 1], items[below(i)]);
    }
  }

 private:
  static std::uint64_t split_mix(std::uint64_t& counter) {
    counter += 0x9e3779b97f4a7c15U;
    std::uint64_t z = counter;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9U;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebU;
    return z ^ (z >> 31);
  }

  std::uint64_t state_[4];
};

}  // namespace workloads
