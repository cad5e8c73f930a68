// Proves for large blocks: growing by small steps copies at most twice; fresh calloc memory stays untouched; freeing a
// mapping raises the threshold, so that repeats make no system call; contents survive. Counts are taken at the calls
// themselves: the linker wraps memcpy and the memory system calls of the core (--wrap).
// Does not prove: that the C library's own memcpy inside realloc of another allocator would be seen, nor any time.
#include <gtest/gtest.h>
#include <sys/mman.h>
#include <sys/types.h>
#include <unistd.h>

#include <cstdarg>
#include <cstdint>
#include <cstring>
#include <string>
#include <thread>
#include <algorithm>
#include <vector>

#include "allocator/osmem/api/osmem.h"

namespace {

constexpr std::size_t kMiB = std::size_t{1} << 20;

struct Calls {
  int large_copies = 0;
  int system = 0;
};
Calls g_calls;  // of the one thread there is

}  // namespace

extern "C" {
void* __real_memcpy(void* to, const void* from, size_t bytes);
void* __wrap_memcpy(void* to, const void* from, size_t bytes) {
  if (bytes >= kMiB) ++g_calls.large_copies;
  return __real_memcpy(to, from, bytes);
}
void* __real_mmap(void* address, size_t bytes, int protection, int flags, int fd, off_t offset);
void* __wrap_mmap(void* address, size_t bytes, int protection, int flags, int fd, off_t offset) {
  ++g_calls.system;
  return __real_mmap(address, bytes, protection, flags, fd, offset);
}
int __real_munmap(void* address, size_t bytes);
int __wrap_munmap(void* address, size_t bytes) {
  ++g_calls.system;
  return __real_munmap(address, bytes);
}
int __real_mprotect(void* address, size_t bytes, int protection);
int __wrap_mprotect(void* address, size_t bytes, int protection) {
  ++g_calls.system;
  return __real_mprotect(address, bytes, protection);
}
int __real_madvise(void* address, size_t bytes, int advice);
int __wrap_madvise(void* address, size_t bytes, int advice) {
  ++g_calls.system;
  return __real_madvise(address, bytes, advice);
}
void* __real_mremap(void* address, size_t old_bytes, size_t bytes, int flags, ...);
void* __wrap_mremap(void* address, size_t old_bytes, size_t bytes, int flags, ...) {
  ++g_calls.system;
  if ((flags & MREMAP_FIXED) == 0) return __real_mremap(address, old_bytes, bytes, flags);
  va_list rest;
  va_start(rest, flags);
  void* target = va_arg(rest, void*);
  va_end(rest);
  return __real_mremap(address, old_bytes, bytes, flags, target);
}
void* __real_sbrk(intptr_t bytes);
void* __wrap_sbrk(intptr_t bytes) {
  ++g_calls.system;
  return __real_sbrk(bytes);
}
}

namespace {

std::size_t page_bytes() { return static_cast<std::size_t>(sysconf(_SC_PAGESIZE)); }

std::size_t resident_pages(void* block, std::size_t bytes) {
  const std::size_t mask = page_bytes() - 1;
  const std::uintptr_t first = (reinterpret_cast<std::uintptr_t>(block) + mask) & ~mask;
  const std::size_t pages = (reinterpret_cast<std::uintptr_t>(block) + bytes - first) / page_bytes();
  std::vector<unsigned char> state(pages);
  EXPECT_EQ(mincore(reinterpret_cast<void*>(first), pages * page_bytes(), state.data()), 0);
  std::size_t count = 0;
  for (const unsigned char s : state) count += s & 1U;
  return count;
}

// Marks and checks a word in every page, so that a page that is lost or swapped shows.
void mark(char* block, std::size_t from, std::size_t to) {
  for (std::size_t i = from; i < to; i += 4096) std::memcpy(block + i, &i, sizeof i);
}
bool marked(const char* block, std::size_t bytes) {
  for (std::size_t i = 0; i < bytes; i += 4096) {
    std::size_t word = 0;
    std::memcpy(&word, block + i, sizeof word);
    if (word != i) return false;
  }
  return true;
}

char* grow(char* block, std::size_t from, std::size_t to, std::size_t step) {
  for (std::size_t bytes = from + step; bytes <= to; bytes += step) {
    char* grown = static_cast<char*>(os_realloc(block, bytes));
    if (grown == nullptr) return nullptr;
    block = grown;
    mark(block, bytes - step, bytes);
  }
  return block;
}

// What earlier tests left in osmem's caches goes back, so that each starts like a new process.
template <typename Base>
class FreshHeap : public Base {
 protected:
  void SetUp() override {
    os_free(os_malloc(1));  // a thread without a heap has nowhere to note what it knows
    os_trim(0);
  }
};

class LargeRealloc : public FreshHeap<testing::Test> {};

TEST_F(LargeRealloc, GrowingByPagesFrom64To128MiBCopiesAtMostTwice) {
  char* block = static_cast<char*>(os_malloc(64 * kMiB));
  ASSERT_NE(block, nullptr);
  mark(block, 0, 64 * kMiB);
  g_calls = {};
  block = grow(block, 64 * kMiB, 128 * kMiB, 4096);
  ASSERT_NE(block, nullptr);
  EXPECT_LE(g_calls.large_copies, 2);
  EXPECT_LT(g_calls.system, 16384 / 100) << "room is taken ahead: not one call for each of the 16,384 steps";
  RecordProperty("large_copies", g_calls.large_copies);
  RecordProperty("system_calls", g_calls.system);
  EXPECT_TRUE(marked(block, 128 * kMiB));
  os_free(block);
}

TEST_F(LargeRealloc, GrowingWithNeighboursCopiesAtMostTwice) {
  char* block = static_cast<char*>(os_malloc(64 * kMiB));
  ASSERT_NE(block, nullptr);
  mark(block, 0, 64 * kMiB);
  std::vector<void*> neighbours;
  g_calls = {};
  for (std::size_t bytes = 64 * kMiB; bytes < 128 * kMiB; bytes += kMiB) {
    block = grow(block, bytes, bytes + kMiB, 4096);
    ASSERT_NE(block, nullptr);
    neighbours.push_back(os_malloc(3 * kMiB));
  }
  EXPECT_LE(g_calls.large_copies, 2);
  EXPECT_TRUE(marked(block, 128 * kMiB));
  for (void* neighbour : neighbours) os_free(neighbour);
  os_free(block);
}

TEST_F(LargeRealloc, ShrinkingInPlaceKeepsTheFrontAndTheTailIsFree) {
  char* block = static_cast<char*>(os_malloc(64 * kMiB));
  ASSERT_NE(block, nullptr);
  mark(block, 0, 64 * kMiB);
  g_calls = {};
  char* shrunk = static_cast<char*>(os_realloc(block, 16 * kMiB));
  EXPECT_EQ(shrunk, block);
  EXPECT_EQ(g_calls.large_copies, 0);
  EXPECT_TRUE(marked(shrunk, 16 * kMiB));
  EXPECT_GE(os_trim(0), 48 * kMiB);
  struct os_stats stats = {};
  ASSERT_TRUE(os_stats(&stats));
  EXPECT_LT(stats.mapped_bytes, 17 * kMiB);
  EXPECT_TRUE(marked(shrunk, 16 * kMiB));
  os_free(shrunk);
}

// One step of a buffer that is filled, cut and filled again.
char* resized(char* block, std::size_t bytes) {
  auto* moved = static_cast<char*>(os_realloc(block, bytes));
  EXPECT_NE(moved, nullptr);
  return moved;
}

TEST_F(LargeRealloc, ABlockThatGrewAndShrankGrowsAgainOnItsOldPages) {
  char* block = resized(resized(nullptr, 3 * kMiB), 6 * kMiB);
  mark(block, 0, 6 * kMiB);
  block = resized(block, 3 * kMiB);
  g_calls = {};
  char* again = resized(block, 6 * kMiB);
  EXPECT_EQ(again, block);
  EXPECT_EQ(g_calls.system, 0);
  EXPECT_EQ(resident_pages(again, 6 * kMiB), 6 * kMiB / page_bytes());
  EXPECT_TRUE(marked(again, 3 * kMiB));
  os_free(again);
}

TEST_F(LargeRealloc, AMappingThatGrewIsReusedWithItsTail) {
  char* block = resized(resized(nullptr, 3 * kMiB), 6 * kMiB);
  mark(block, 0, 6 * kMiB);
  os_free(block);
  g_calls = {};
  block = resized(resized(nullptr, 3 * kMiB), 6 * kMiB);
  EXPECT_EQ(g_calls.system, 0);
  EXPECT_EQ(resident_pages(block, 6 * kMiB), 6 * kMiB / page_bytes());
  os_free(block);
}

TEST_F(LargeRealloc, AnIdleTailGoesBackOnTrim) {
  char* block = resized(resized(nullptr, 3 * kMiB), 8 * kMiB);
  mark(block, 0, 8 * kMiB);
  block = resized(block, 2 * kMiB);
  EXPECT_GE(os_trim(0), 6 * kMiB);
  struct os_stats stats = {};
  ASSERT_TRUE(os_stats(&stats));
  EXPECT_EQ(stats.mapped_bytes, 2 * kMiB);
  EXPECT_TRUE(marked(block, 2 * kMiB));
  block = resized(block, 5 * kMiB);
  mark(block, 2 * kMiB, 5 * kMiB);
  EXPECT_TRUE(marked(block, 5 * kMiB));
  os_free(block);
}

TEST_F(LargeRealloc, CallocOnAMappingWithATailIsZero) {
  char* block = resized(resized(nullptr, 3 * kMiB), 6 * kMiB);
  std::memset(block, 0xa5, 6 * kMiB);
  os_free(block);
  block = static_cast<char*>(os_calloc(1, 4 * kMiB));
  ASSERT_NE(block, nullptr);
  for (std::size_t i = 0; i < 4 * kMiB; ++i) ASSERT_EQ(block[i], 0) << "byte " << i;
  os_free(block);
}

TEST_F(LargeRealloc, IdleTailsAreBounded) {
  std::vector<char*> blocks;
  for (int i = 0; i < 20; ++i) {
    blocks.push_back(resized(resized(resized(nullptr, 3 * kMiB), 8 * kMiB), 2 * kMiB));
  }
  struct os_stats stats = {};
  ASSERT_TRUE(os_stats(&stats));
  EXPECT_LE(stats.mapped_bytes, 20 * 2 * kMiB + 32 * kMiB);
  for (char* block : blocks) os_free(block);
}

// Sizes that come and go: no page is given up for a smaller request that the next larger one has to touch again.
TEST_F(LargeRealloc, WhatASmallerRequestLeavesServesTheNextLargerOne) {
  for (int round = 0; round < 10; ++round) {
    char* large = resized(nullptr, 24 * kMiB);
    const std::size_t resident = resident_pages(large, 24 * kMiB);
    EXPECT_EQ(resident, round == 0 ? 0 : 24 * kMiB / page_bytes()) << "in round " << round;
    mark(large, 0, 24 * kMiB);
    os_free(large);
    g_calls = {};
    char* small = resized(nullptr, 3 * kMiB);
    char* other = resized(nullptr, 5 * kMiB);
    os_free(small);
    os_free(other);
    EXPECT_EQ(g_calls.system, 0);
  }
}

TEST_F(LargeRealloc, FreeMappingsAreBoundedByTheDemand) {
  std::vector<char*> blocks;
  for (int i = 0; i < 16; ++i) blocks.push_back(resized(nullptr, 4 * kMiB));
  for (int i = 0; i < 16; i += 2) {
    os_free(blocks[i]);
    blocks[i] = resized(nullptr, 7 * kMiB);
    struct os_stats stats = {};
    ASSERT_TRUE(os_stats(&stats));
    std::size_t live = 0;
    for (char* block : blocks) live += os_usable_size(block);
    EXPECT_LE(stats.mapped_bytes, std::max(live, 64 * kMiB) * 9 / 8 + kMiB);
  }
  for (char* block : blocks) os_free(block);
}

// A thread remembers the mapping it resized last. It must forget it with the mapping.
TEST_F(LargeRealloc, WhatIsKnownOfAMappingEndsWithIt) {
  char* block = resized(resized(nullptr, 3 * kMiB), 3 * kMiB - 8);
  const auto address = reinterpret_cast<std::uintptr_t>(block);
  os_free(block);
  char* shorter = static_cast<char*>(os_malloc(2 * kMiB));
  ASSERT_EQ(reinterpret_cast<std::uintptr_t>(shorter), address) << "the test needs the same address again";
  mark(shorter, 0, 2 * kMiB);
  char* longer = resized(shorter, 3 * kMiB - 8);
  EXPECT_GE(os_usable_size(longer), 3 * kMiB - 8);
  EXPECT_TRUE(marked(longer, 2 * kMiB));
  mark(longer, 2 * kMiB, 3 * kMiB - 8);
  os_free(longer);
}

TEST_F(LargeRealloc, AResizeByAnotherThreadIsSeen) {
  char* block = resized(resized(nullptr, 3 * kMiB), 3 * kMiB - 8);
  mark(block, 0, 2 * kMiB);
  char* shorter = nullptr;
  std::thread([&] { shorter = resized(block, 2 * kMiB); }).join();
  ASSERT_EQ(os_usable_size(shorter), 2 * kMiB);
  char* longer = resized(shorter, 3 * kMiB - 8);
  EXPECT_GE(os_usable_size(longer), 3 * kMiB - 8);
  EXPECT_TRUE(marked(longer, 2 * kMiB));
  os_free(longer);
}

class LargeCalloc : public FreshHeap<testing::TestWithParam<std::size_t>> {};

TEST_P(LargeCalloc, FreshMemoryIsZeroAndStaysUntouched) {
  const std::size_t bytes = GetParam();
  char* block = static_cast<char*>(os_calloc(1, bytes));
  ASSERT_NE(block, nullptr);
  EXPECT_EQ(resident_pages(block, bytes), 0U);
  for (std::size_t i = 0; i < bytes; i += 4096) ASSERT_EQ(block[i], 0);
  std::memset(block, 1, bytes);
  EXPECT_EQ(resident_pages(block, bytes), bytes / page_bytes()) << "the method sees pages that are there";
  os_free(block);
}

TEST_P(LargeCalloc, UsedMemoryIsZeroAgain) {
  const std::size_t bytes = GetParam();
  for (int round = 0; round < 3; ++round) {
    char* block = static_cast<char*>(os_calloc(bytes / 8, 8));
    ASSERT_NE(block, nullptr);
    for (std::size_t i = 0; i < bytes; ++i) ASSERT_EQ(block[i], 0) << "byte " << i << " in round " << round;
    std::memset(block, 0xa5, bytes);
    os_free(block);
  }
}

INSTANTIATE_TEST_SUITE_P(Sizes, LargeCalloc, testing::Values(kMiB, 64 * kMiB),
                         [](const auto& size) { return std::to_string(size.param / kMiB) + "MiB"; });

class LargeRepeats : public FreshHeap<testing::TestWithParam<std::size_t>> {};

TEST_P(LargeRepeats, MakeNoSystemCalls) {
  const std::size_t bytes = GetParam();
  for (int i = 0; i < 3; ++i) {  // the first frees raise the threshold, and make room in the heap or in the cache
    void* block = os_malloc(bytes);
    ASSERT_NE(block, nullptr);
    std::memset(block, 1, bytes);
    os_free(block);
  }
  g_calls = {};
  for (int i = 0; i < 1000; ++i) {
    void* block = os_malloc(bytes);
    ASSERT_NE(block, nullptr);
    os_free(block);
  }
  EXPECT_EQ(g_calls.system, 0);
}

INSTANTIATE_TEST_SUITE_P(Sizes, LargeRepeats, testing::Values(kMiB / 4, kMiB, 2 * kMiB, 5 * kMiB, 25 * kMiB),
                         [](const auto& size) { return std::to_string(size.param / 1024) + "KiB"; });

}  // namespace
