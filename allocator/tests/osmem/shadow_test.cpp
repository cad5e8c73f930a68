// Proves, by random calls against a shadow model, that osmem's blocks keep their contents, do not
// overlap, are aligned, and come back: 10^7 operations in all (a tenth in short form, another one each day), one to eight
// threads, with blocks freed by other threads and by threads that exit. Does not prove a particular interleaving (the
// explorer does) nor behaviour without memory (fault tests). OSMEM_HEAP chooses the back end; ctest
// runs each test on both.
#include "allocator/tests/osmem/shadow.hpp"

#include <gtest/gtest.h>

#include <cstdlib>
#include <thread>

#include "allocator/osmem/api/osmem.h"
#include "allocator/tests/level.hpp"

namespace {

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr uint64_t kSlowdown = 10;
#else
constexpr uint64_t kSlowdown = 1;
#endif

uint64_t share_of(uint64_t operations) {
  return operations / kSlowdown / test_level::either<uint64_t>(10, 1);
}

size_t allocated_bytes() {
  struct os_stats stats {};
  EXPECT_TRUE(os_stats(&stats));
  return stats.allocated_bytes;
}

shadow::Options options_for(uint64_t seed) {
  shadow::Options options;
  options.seed = test_level::is_long() ? seed : test_level::mixed(test_level::seed_of_the_day(), seed);
  return options;
}

TEST(Shadow, OneThreadKeepsBlocksApart) {
  shadow::Options options = options_for(11);
  options.overlap = shadow::OverlapCheck::kExact;
  shadow::Exchange exchange;
  const size_t before = allocated_bytes();
  shadow::Driver driver(options, exchange);
  for (int turn = 0; turn < 10; turn++) {
    driver.run(share_of(100000));
    EXPECT_EQ(allocated_bytes(), before + driver.usable_bytes());
  }
  driver.free_all();
  EXPECT_EQ(allocated_bytes(), before);
}

class ShadowThreads : public testing::TestWithParam<unsigned> {};

TEST_P(ShadowThreads, KeepContentsAndReturnEveryBlock) {
  const size_t before = allocated_bytes();
  shadow::Load load;
  load.operations = share_of(2000000);
  load.generation_operations = 25000;
  load.thread_count = GetParam();
  load.options = options_for(100 + GetParam());
  load.options.live_limit_bytes = (size_t{128} << 20) / GetParam();
  shadow::run_load(load);
  EXPECT_EQ(allocated_bytes(), before);
}

INSTANTIATE_TEST_SUITE_P(Counts, ShadowThreads, testing::Values(1u, 2u, 4u, 8u));

TEST(Shadow, ShortThreadsHandTheirBlocksOn) {
  const size_t before = allocated_bytes();
  shadow::Load load;
  load.operations = share_of(1000000);
  load.generation_operations = 200;
  load.thread_count = 3;
  load.options = options_for(7);
  load.options.live_limit_bytes = size_t{16} << 20;
  shadow::run_load(load);
  EXPECT_EQ(allocated_bytes(), before);
}

}  // namespace
