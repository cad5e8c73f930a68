// Proves for huge pages, by counts of page faults and resident memory: once large blocks have come back written whole, the next one is
// touched by few faults; blocks that are touched here and there stay lean, before and after, and also where they get memory that had huge
// pages; zeroed memory is zero wherever it comes from; a long block that grows by realloc gets them, too, and so do many small blocks, which
// waste one at most and give parts of them back. Skipped where the system gives none on advice.
// Does not prove what that saves in time.
#include <gtest/gtest.h>
#include <sys/resource.h>

#include <algorithm>
#include <cstddef>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

#include "allocator/osmem/api/osmem.h"
#include "allocator/tests/behaviour/resident.hpp"

namespace {

constexpr std::size_t kMiB = std::size_t{1} << 20;
constexpr std::size_t kBytes = 16 * kMiB;
constexpr long kSmallPages = kBytes / 4096;

long faults() {
  rusage usage = {};
  getrusage(RUSAGE_SELF, &usage);
  return usage.ru_minflt;
}

// Each test starts like a new process: ctest runs each in one of its own.
class HugePages : public testing::Test {
 protected:
  void SetUp() override {
    std::ifstream mode("/sys/kernel/mm/transparent_hugepage/enabled");
    const std::string modes{std::istreambuf_iterator<char>(mode), {}};
    if (modes.find("[madvise]") == std::string::npos) GTEST_SKIP() << "the system gives none on advice: " << modes;
    os_trim(0);
  }
};

// Blocks that live side by side, so that none gets memory of another.
void write_whole_and_free(std::size_t bytes, int count) {
  std::vector<char*> blocks;
  for (int i = 0; i < count; ++i) {
    blocks.push_back(static_cast<char*>(os_malloc(bytes)));
    ASSERT_NE(blocks.back(), nullptr);
    std::memset(blocks.back(), i + 1, bytes);
  }
  for (char* block : blocks) os_free(block);
}

void touch_here_and_there(char* block, std::size_t bytes) {
  for (int i = 0; i < 8; ++i) block[bytes / 8 * static_cast<std::size_t>(i)] = 1;
}

void touch_and_free(std::size_t bytes, int count) {
  for (int i = 0; i < count; ++i) {
    auto* block = static_cast<char*>(os_malloc(bytes));
    ASSERT_NE(block, nullptr);
    touch_here_and_there(block, bytes);
    os_free(block);
  }
}

TEST_F(HugePages, AreForBlocksAfterOthersWereWrittenWhole) {
  write_whole_and_free(kBytes, 3);
  os_trim(0);
  auto* block = static_cast<char*>(os_malloc(kBytes));
  ASSERT_NE(block, nullptr);
  const long before = faults();
  std::memset(block, 1, kBytes);
  EXPECT_LT(faults() - before, kSmallPages / 8);
  os_free(block);
}

TEST_F(HugePages, AreNotForBlocksThatAreTouchedHereAndThere) {
  write_whole_and_free(kBytes, 3);
  os_trim(0);
  touch_and_free(2 * kBytes, 2);
  os_trim(0);
  const std::size_t before = resident_bytes();
  auto* block = static_cast<char*>(os_malloc(2 * kBytes));
  ASSERT_NE(block, nullptr);
  touch_here_and_there(block, 2 * kBytes);
  EXPECT_LT(resident_bytes(), before + kMiB);
  os_free(block);
}

TEST_F(HugePages, OfAFreedBlockDoNotStayUnderAZeroedOne) {
  write_whole_and_free(kBytes, 3);
  os_trim(0);
  write_whole_and_free(kBytes, 1);
  const std::size_t before = resident_bytes();
  auto* block = static_cast<char*>(os_calloc(1, kBytes - kMiB));
  ASSERT_NE(block, nullptr);
  EXPECT_TRUE(std::all_of(block, block + kMiB, [](char c) { return c == 0; }));
  touch_here_and_there(block, kBytes - kMiB);
  EXPECT_LT(resident_bytes(), before);
  EXPECT_EQ(std::count(block, block + kBytes - kMiB, 0), static_cast<std::ptrdiff_t>(kBytes - kMiB - 8));
  os_free(block);
}

TEST_F(HugePages, AreForALongBlockThatGrows) {
  auto* block = static_cast<char*>(os_malloc(64 * kMiB));
  ASSERT_NE(block, nullptr);
  std::memset(block, 1, 64 * kMiB);
  const long before = faults();
  for (std::size_t bytes = 64 * kMiB; bytes < 96 * kMiB; bytes += kMiB) {
    block = static_cast<char*>(os_realloc(block, bytes + kMiB));
    ASSERT_NE(block, nullptr);
    std::memset(block + bytes, 2, kMiB);
  }
  EXPECT_LT(faults() - before, 2 * kSmallPages / 4);
  EXPECT_EQ(std::count(block, block + 64 * kMiB, 1), static_cast<std::ptrdiff_t>(64 * kMiB));
  os_free(block);
}

// Small blocks, `bytes` in all.
std::vector<void*> fill_with_small_blocks(std::size_t bytes) {
  constexpr std::size_t kSmallBytes = 112;
  std::vector<void*> blocks(bytes / kSmallBytes);
  for (void*& block : blocks) {
    block = os_malloc(kSmallBytes);
    std::memset(block, 1, kSmallBytes);
  }
  return blocks;
}

TEST_F(HugePages, AreForSmallBlocksOnceTheyAreMany) {
  std::vector<void*> blocks = fill_with_small_blocks(32 * kMiB);  // their own table included, resident from here on
  const std::size_t resident_before = resident_bytes();
  const long faults_before = faults();
  const std::vector<void*> more = fill_with_small_blocks(64 * kMiB);
  const long small_pages = 64 * static_cast<long>(kMiB) / 4096;
  const long of_the_table = static_cast<long>(more.size() * sizeof(void*) / 4096);
  EXPECT_LT(faults() - faults_before, small_pages / 16 + 2 * of_the_table);
  EXPECT_LT(resident_bytes() - resident_before, 64 * kMiB + more.size() * sizeof(void*) + 4 * kMiB) << "one more than needed at most";
  blocks.insert(blocks.end(), more.begin(), more.end());
  for (void* block : blocks) os_free(block);
}

// Run once more with OSMEM_HUGE_PAGES=0.
TEST_F(HugePages, AreHadUnlessTheyAreNotWanted) {
  const bool wanted = std::getenv("OSMEM_HUGE_PAGES") == nullptr;
  write_whole_and_free(kBytes, 3);
  auto* large = static_cast<char*>(os_malloc(kBytes));
  ASSERT_NE(large, nullptr);
  std::memset(large, 1, kBytes);
  const std::vector<void*> blocks = fill_with_small_blocks(64 * kMiB);
  if (wanted) {
    EXPECT_GT(rollup_bytes("AnonHugePages:"), 32 * kMiB);
  } else {
    EXPECT_EQ(rollup_bytes("AnonHugePages:"), 0u);
  }
  for (void* block : blocks) os_free(block);
  os_free(large);
}

TEST_F(HugePages, OfSmallBlocksGoBackInPart) {
  std::vector<void*> blocks = fill_with_small_blocks(96 * kMiB);
  const std::size_t full = resident_bytes();
  // What stays is one block in 4,000, so that hardly a huge page goes back whole.
  std::vector<void*> kept;
  for (std::size_t i = 0; i < blocks.size(); ++i) {
    if (i % 4000 == 0) {
      kept.push_back(blocks[i]);
    } else {
      os_free(blocks[i]);
    }
  }
  os_trim(0);
  EXPECT_LT(resident_bytes(), full - 80 * kMiB);
  for (void* block : kept) os_free(block);
}

}  // namespace
