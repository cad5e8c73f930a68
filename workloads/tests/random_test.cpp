// Proves: the generator is xoshiro256** seeded by splitmix64, bit for bit; draws keep to their
// bounds and reach them; streams differ; shuffling permutes. Does not prove statistical quality,
// which its authors have published.
#include "workloads/random.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <set>
#include <vector>

namespace workloads {
namespace {

TEST(Random, FirstNumbersOfSeedZero) {
  // From the reference algorithm: splitmix64 from 0 fills the state with e220a8397b1dcdaf,
  // 6e789e6aa1b965f4, 06c45d188009454f, f88bb8a8724c81ec; the first result is rotl(5 * second, 7)
  // * 9.
  Random random(0);
  EXPECT_EQ(random.next(), 0x99ec5f36cb75f2b4U);
}

TEST(Random, StreamsDifferAndRepeat) {
  Random a(7, 0);
  Random b(7, 1);
  Random again(7, 1);
  const std::uint64_t from_b = b.next();
  EXPECT_NE(a.next(), from_b);
  EXPECT_EQ(again.next(), from_b);
}

TEST(Random, BetweenReachesBothEndsAndNoMore) {
  Random random(1);
  std::set<std::uint64_t> seen;
  for (int i = 0; i < 1000; ++i) {
    seen.insert(random.between(3, 6));
  }
  EXPECT_EQ(seen, (std::set<std::uint64_t>{3, 4, 5, 6}));
}

TEST(Random, RealIsBelowOne) {
  Random random(2);
  double sum = 0;
  for (int i = 0; i < 10000; ++i) {
    const double x = random.real();
    ASSERT_GE(x, 0.0);
    ASSERT_LT(x, 1.0);
    sum += x;
  }
  EXPECT_NEAR(sum / 10000, 0.5, 0.02);
}

TEST(Random, PowerLawPrefersSmallAndStaysInBounds) {
  Random random(3);
  int small = 0;
  for (int i = 0; i < 10000; ++i) {
    const std::uint64_t x = random.power_law(4, 32768, 2.0);
    ASSERT_GE(x, 4U);
    ASSERT_LE(x, 32768U);
    if (x < 8) {
      ++small;
    }
  }
  // The integral of x^-2 from 4 to 8 is half of that from 4 to infinity.
  EXPECT_NEAR(small, 5000, 250);
}

TEST(Random, ShuffleIsAPermutation) {
  Random random(4);
  std::vector<int> items(100);
  for (int i = 0; i < 100; ++i) {
    items[static_cast<std::size_t>(i)] = i;
  }
  std::vector<int> shuffled = items;
  random.shuffle(shuffled);
  EXPECT_NE(shuffled, items);
  std::sort(shuffled.begin(), shuffled.end());
  EXPECT_EQ(shuffled, items);
}

}  // namespace
}  // namespace workloads
