// How much a test does, and for how long at most.
//
// OSMEM_TEST_LEVEL is `short` (also where it is not set: everyday use) or `long` (everything in full, for a night). A test
// that has both forms says in its folder's README what the short one leaves out. What a short form picks is chosen by
// seed_of_the_day(), so that another day sees other picks; OSMEM_TEST_SEED repeats one.
//
// Hosts differ by a factor of ten in what a page's first touch and a fork cost. So loops over dear steps ask a Budget, which
// ends them early with what was done printed, and fails where not even the least number could be done.
// Nothing here allocates: these tests run under the allocator that they test.
#pragma once

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <ctime>

namespace test_level {

// Longer than any child of a test works, on any host: a child that is still there then hangs. Seconds.
inline constexpr unsigned kHangSeconds = 120;

inline bool is_long() {
  const char* const level = getenv("OSMEM_TEST_LEVEL");
  if (level == nullptr || strcmp(level, "short") == 0) {
    return false;
  }
  if (strcmp(level, "long") != 0) {
    fprintf(stderr, "OSMEM_TEST_LEVEL=%s: unknown level; known are short and long\n", level);
    exit(2);
  }
  return true;
}

template <typename T>
T either(T in_short, T in_long) {
  return is_long() ? in_long : in_short;
}

// Days since 1970, or OSMEM_TEST_SEED. Prints what it gives.
inline uint64_t seed_of_the_day() {
  const char* const given = getenv("OSMEM_TEST_SEED");
  const uint64_t seed = given != nullptr ? strtoull(given, nullptr, 10) : static_cast<uint64_t>(time(nullptr)) / 86400;
  printf("seed of the day: OSMEM_TEST_SEED=%llu\n", static_cast<unsigned long long>(seed));
  return seed;
}

// A well mixed word of the seed and the number: the finaliser of MurmurHash3.
inline uint64_t mixed(uint64_t seed, uint64_t number) {
  uint64_t word = seed * 0x9e3779b97f4a7c15u + number;
  word = (word ^ (word >> 33)) * 0xff51afd7ed558ccdu;
  word = (word ^ (word >> 33)) * 0xc4ceb9fe1a85ec53u;
  return word ^ (word >> 33);
}

struct Extent {
  uint64_t wanted;
  uint64_t least;
  double seconds;  // after which no further turn begins
};

// `while (budget.goes_on()) turn();` One thread's. At its end prints how many turns there were; exits with 1 where the time
// is over before the least number.
class Budget {
 public:
  Budget(const char* what, const Extent& in_short, const Extent& in_long)
      : what_(what), extent_(either(in_short, in_long)), start_(now()) {}

  bool goes_on() {
    const double took = now() - start_;
    const bool is_late = took > extent_.seconds;
    if (begun_ < extent_.wanted && !is_late) {
      begun_++;
      return true;
    }
    const bool is_short = begun_ < extent_.least;
    fprintf(is_short ? stderr : stdout, "%s: %llu of %llu in %.1f s%s\n", what_, static_cast<unsigned long long>(begun_),
            static_cast<unsigned long long>(extent_.wanted), took, is_short ? ", fewer than the least that shows anything" : "");
    if (is_short) {
      fprintf(stderr, "%s: at least %llu are needed within %.0f s\n", what_, static_cast<unsigned long long>(extent_.least),
              extent_.seconds);
      exit(1);
    }
    return false;
  }
  uint64_t begun() const { return begun_; }

 private:
  static double now() {
    timespec time{};
    clock_gettime(CLOCK_MONOTONIC, &time);
    return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_nsec) * 1e-9;
  }

  const char* const what_;
  const Extent extent_;
  const double start_;  // s of the monotonic clock
  uint64_t begun_ = 0;
};

}  // namespace test_level
