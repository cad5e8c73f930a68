// Proves that many threads that allocate a little, free it and wait hold little memory together, whatever sizes they used; and that
// their blocks are sound: each its own, with the contents it was given; that one generation of threads after the other holds no more than
// the first ones. Does not prove anything of threads that wait after heavy use.
#include <gtest/gtest.h>

#include <barrier>
#include <cstring>
#include <thread>
#include <vector>

#include "allocator/osmem/api/osmem.h"
#include "allocator/tests/behaviour/resident.hpp"

namespace {

constexpr int kThreads = 128;
constexpr int kBlocks = 100;

size_t size_of(int thread, int block) { return 16 + static_cast<size_t>(thread * 31 + block * 53) % 1009; }

unsigned char mark_of(int thread, int block) { return static_cast<unsigned char>(thread + block * 7); }

// False: a block lost its contents to another one.
bool use_blocks(int thread) {
  void* blocks[kBlocks];
  for (int i = 0; i < kBlocks; ++i) {
    blocks[i] = os_malloc(size_of(thread, i));
    std::memset(blocks[i], mark_of(thread, i), size_of(thread, i));
  }
  bool sound = true;
  for (int i = 0; i < kBlocks; ++i) {
    const auto* bytes = static_cast<const unsigned char*>(blocks[i]);
    sound = sound && bytes[0] == mark_of(thread, i) && bytes[size_of(thread, i) - 1] == mark_of(thread, i);
    os_free(blocks[i]);
  }
  return sound;
}

TEST(ManyThreads, HoldLittleTogetherWhileTheyWait) {
  use_blocks(0);  // the heap has started
  std::barrier waiting(kThreads + 1);
  std::vector<char> sound(kThreads);
  std::vector<std::thread> threads;
  const size_t before = resident_bytes();
  for (int i = 0; i < kThreads; ++i) {
    threads.emplace_back([&waiting, &sound, i] {
      sound[static_cast<size_t>(i)] = use_blocks(i);
      waiting.arrive_and_wait();  // all have used their blocks
      waiting.arrive_and_wait();  // and have been looked at
    });
  }
  waiting.arrive_and_wait();
  const size_t grown = resident_bytes() - before;
  waiting.arrive_and_wait();
  for (std::thread& thread : threads) thread.join();
  for (const char held : sound) EXPECT_TRUE(held);
  // Stacks and the C library's own included, a page for each class that a thread used would be 20 MB.
  EXPECT_LT(grown, size_t{8} << 20);
}

size_t active_bytes() {
  struct os_stats stats = {};
  EXPECT_TRUE(os_stats(&stats));
  return stats.active_bytes;
}

// Blocks of a thread that has ended are freed by one that keeps many blocks of these sizes where it can, and hardly allocates any of
// them: what lay in its lists would hold the slabs of 20 generations.
TEST(Generations, HoldNoMoreFromOneToTheNext) {
  constexpr size_t kSizes[] = {96, 112, 128, 144, 160, 176};
  constexpr size_t kOfASize = 45;
  std::vector<void*> blocks(20'000);
  for (const size_t bytes : kSizes) {
    for (int round = 0; round < 20; ++round) {
      for (void*& block : blocks) block = os_malloc(bytes);
      for (void* block : blocks) os_free(block);
    }
  }
  const auto generation = [&] {
    for (const size_t bytes : kSizes) os_free(os_malloc(bytes));
    std::vector<void*> inherited;
    inherited.reserve(std::size(kSizes) * kOfASize);
    std::thread([&] {
      for (size_t i = 0; i < inherited.capacity(); ++i) inherited.push_back(os_malloc(kSizes[i % std::size(kSizes)]));
    }).join();
    for (void* block : inherited) os_free(block);
  };
  for (int i = 0; i < 5; ++i) generation();
  const size_t before = active_bytes();
  for (int i = 0; i < 60; ++i) generation();
  EXPECT_LE(active_bytes(), before + (size_t{256} << 10));
}

// What a guest of the nursery allocated comes home from any thread, and its slabs stay there.
TEST(ManyThreads, BlocksOfTheNurseryAreFreedByOthers) {
  std::barrier all(kThreads);
  std::vector<std::thread> threads;
  std::vector<void*> blocks(kThreads);
  std::vector<char> sound(kThreads);
  for (int i = 0; i < kThreads; ++i) {
    threads.emplace_back([&, i] {
      const auto mine = static_cast<size_t>(i);
      for (int round = 0; round < 20; ++round) {
        blocks[mine] = os_malloc(100);
        std::memset(blocks[mine], i, 100);
        all.arrive_and_wait();
        const size_t other = (mine + static_cast<size_t>(round) + 1) % kThreads;
        sound[mine] = static_cast<unsigned char*>(blocks[other])[99] == static_cast<unsigned char>(other);
        os_free(blocks[other]);
        all.arrive_and_wait();
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  for (const char held : sound) EXPECT_TRUE(held);
}

}  // namespace
