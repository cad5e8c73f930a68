// Proves for blocks of up to 512 bytes: a loop that takes a class up and down keeps its blocks; they go back before
// another class touches fresh memory, and on trim; aligned blocks are aligned although their class has borrowed others.
// Does not prove: what a loop costs, nor that a thread which sleeps gives anything back.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <random>
#include <vector>

#include "allocator/osmem/api/osmem.h"

namespace {

constexpr std::size_t kKiB = 1024;
constexpr std::size_t kLoopBlocks = 6000;
constexpr std::size_t kLoopBlockBytes = 64;
constexpr std::size_t kLoopBytes = kLoopBlocks * kLoopBlockBytes;

std::size_t active_bytes() {
  struct os_stats stats = {};
  EXPECT_TRUE(os_stats(&stats));
  return stats.active_bytes;
}

std::vector<char*> allocate_many(std::size_t count, std::size_t bytes) {
  std::vector<char*> blocks(count);
  for (char*& block : blocks) {
    block = static_cast<char*>(os_malloc(bytes));
    EXPECT_NE(block, nullptr);
    std::memset(block, 1, bytes);
  }
  return blocks;
}

void free_all(const std::vector<char*>& blocks) {
  for (char* block : blocks) os_free(block);
}

// A heap whose thread has taken 64-byte blocks up and down until it keeps them all.
class SmallLoop : public testing::Test {
 protected:
  void SetUp() override {
    os_free(os_malloc(kLoopBlockBytes));
    os_trim(0);
    before_bytes_ = active_bytes();
    constexpr int kTurns = 20;
    for (int turn = 0; turn < kTurns; ++turn) free_all(allocate_many(kLoopBlocks, kLoopBlockBytes));
  }
  std::size_t before_bytes_ = 0;
};

TEST_F(SmallLoop, KeepsItsBlocks) { EXPECT_GE(active_bytes(), before_bytes_ + kLoopBytes); }

TEST_F(SmallLoop, LendsItsMemoryBeforeFreshMemoryIsTouched) {
  const std::size_t kept_bytes = active_bytes();
  const std::vector<char*> others = allocate_many(kLoopBytes / 2 / 512, 512);
  EXPECT_LE(active_bytes(), kept_bytes);
  free_all(others);
}

TEST_F(SmallLoop, GivesBackOnTrim) {
  os_trim(0);
  EXPECT_LE(active_bytes(), before_bytes_ + 64 * kKiB);
}

TEST_F(SmallLoop, HandsOutEachBlockOnce) {
  std::vector<char*> blocks = allocate_many(2 * kLoopBlocks, kLoopBlockBytes);
  std::sort(blocks.begin(), blocks.end());
  for (std::size_t i = 1; i < blocks.size(); ++i) ASSERT_GE(blocks[i] - blocks[i - 1], 64);
  free_all(blocks);
}

TEST(SmallAligned, IsAlignedBesideBorrowedBlocks) {
  std::mt19937 random(1);
  for (const std::size_t alignment : {32U, 64U, 128U, 256U, 512U}) {
    // Blocks of the next larger classes, most of them free again in slabs that stay, are there to be borrowed.
    std::vector<char*> larger = allocate_many(4000, alignment + 16);
    std::shuffle(larger.begin(), larger.end(), random);
    const std::vector<char*> kept(larger.begin(), larger.begin() + 400);
    free_all({larger.begin() + 400, larger.end()});
    std::vector<char*> blocks;
    for (int i = 0; i < 3000; ++i) {
      char* plain = static_cast<char*>(os_malloc(alignment));
      char* aligned = static_cast<char*>(os_aligned_alloc(alignment, alignment - static_cast<std::size_t>(i) % 16));
      ASSERT_NE(aligned, nullptr);
      ASSERT_EQ(reinterpret_cast<std::uintptr_t>(aligned) % alignment, 0U) << "alignment " << alignment;
      blocks.insert(blocks.end(), {plain, aligned});
      if (i % 3 == 0) {
        os_free(blocks[blocks.size() / 2]);
        blocks.erase(blocks.begin() + static_cast<std::ptrdiff_t>(blocks.size() / 2));
      }
    }
    free_all(blocks);
    free_all(kept);
  }
}

}  // namespace
