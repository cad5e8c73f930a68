// Proves for blocks that grow by realloc: from 4 KiB on they move by a quarter at a time at least; the blocks they leave behind serve the
// next ones; so do the pages of a run that becomes a mapping; a block grows on the pages of one that
// had grown before; contents survive.
// Does not prove: how large mappings grow (large_test.cpp), nor any time.
#include <gtest/gtest.h>

#include <cstdint>
#include <cstring>

#include "allocator/osmem/api/osmem.h"
#include "allocator/tests/behaviour/resident.hpp"

namespace {

constexpr std::size_t kKiB = 1024;

class Growth : public testing::Test {
 protected:
  void SetUp() override {
    os_free(os_malloc(1));
    os_trim(0);
    block_ = static_cast<unsigned char*>(os_malloc(kStep));
    std::memset(block_, 1, kStep);
  }
  void TearDown() override { os_free(block_); }

  // Grows the block by steps, each filled with its own number, and counts the moves.
  void grow_to(std::size_t bytes) {
    for (; bytes_ < bytes; bytes_ += kStep) {
      auto* grown = static_cast<unsigned char*>(os_realloc(block_, bytes_ + kStep));
      ASSERT_NE(grown, nullptr);
      moves_ += grown != block_ ? 1 : 0;
      block_ = grown;
      std::memset(block_ + bytes_, mark(bytes_), kStep);
    }
  }
  void expect_contents() const {
    for (std::size_t at = 0; at < bytes_; ++at) ASSERT_EQ(block_[at], mark(at)) << "at " << at;
  }

  static constexpr std::size_t kStep = 512;
  static unsigned char mark(std::size_t at) { return static_cast<unsigned char>(at / kStep + 1); }

  unsigned char* block_ = nullptr;
  std::size_t bytes_ = kStep;
  int moves_ = 0;
};

TEST_F(Growth, OfARunIntoAMappingLeavesItsPagesToTheNext) {
  constexpr std::size_t kRun = 100 * kKiB;
  grow_to(4 * kRun);
  const std::size_t before = resident_bytes();
  void* next = std::memset(os_malloc(kRun), 1, kRun);
  EXPECT_LT(resident_bytes(), before + kRun / 2);
  os_free(next);
  expect_contents();
}

TEST_F(Growth, BySmallStepsMovesByQuarters) {
  grow_to(4 * kKiB);
  moves_ = 0;
  grow_to(32 * kKiB);
  EXPECT_LE(moves_, 10) << "eight times as large in steps of a quarter";
  expect_contents();
}

TEST_F(Growth, LeavesItsOldBlocksToTheNext) {
  const std::size_t before = resident_bytes();
  grow_to(100 * kKiB);
  EXPECT_LE(resident_bytes(), before + 100 * kKiB + 200 * kKiB);
  expect_contents();
}

TEST_F(Growth, GoesWhereTheLastBlockHadGrown) {
  constexpr std::size_t kLong = 1024 * kKiB;
  grow_to(kLong);
  const std::size_t before = resident_bytes();
  os_free(block_);
  block_ = static_cast<unsigned char*>(os_malloc(kStep));
  std::memset(block_, 1, kStep);
  bytes_ = kStep;
  grow_to(kLong);
  EXPECT_LE(resident_bytes(), before + 160 * kKiB) << "up to 128 KiB it is no mapping";
  expect_contents();
}

}  // namespace
