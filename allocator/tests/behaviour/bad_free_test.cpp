// Proves which wrong pointers the default build catches: it dies by SIGABRT with one line that says
// what and where: foreign, wild and interior pointers, blocks of other threads' slabs, runs and
// mappings freed twice; in a slab of the freeing thread's own, what is freed while the class's bin is
// armed (threads/free_checks.hpp), as it is for the first frees of a heap. Does not prove anything of
// later frees there: the hit path has no room for a look.
#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdint>
#include <cstdlib>
#include <thread>

#include "allocator/osmem/api/osmem.h"

namespace {

constexpr size_t kRunBytes = 50000;
constexpr size_t kMappingBytes = size_t{4} << 20;
constexpr const char* kLine = "^osmem: (free|realloc|malloc_usable_size)[^\n]*0x[0-9a-f]+[^\n]*\n$";

int global_object;

void* of_another_thread(size_t size) {
  void* block = nullptr;
  std::thread([&] { block = os_malloc(size); }).join();
  return block;
}

char* inside(void* block, size_t offset) { return static_cast<char*>(block) + offset; }

class BadPointer : public testing::Test {
 protected:
  BadPointer() { os_free(os_malloc(1)); }  // the heap has started
};

void expect_caught_by_all(void* pointer) {
  EXPECT_EXIT(os_free(pointer), testing::KilledBySignal(SIGABRT), kLine);
  EXPECT_EXIT(os_free_sized(pointer, 10), testing::KilledBySignal(SIGABRT), kLine);
  EXPECT_EXIT(exit(os_realloc(pointer, 100) != nullptr), testing::KilledBySignal(SIGABRT), kLine);
  EXPECT_EXIT(exit(os_usable_size(pointer) != 0), testing::KilledBySignal(SIGABRT), kLine);
}

TEST_F(BadPointer, StackGlobalAndCLibrary) {
  int local = 0;
  expect_caught_by_all(&local);
  expect_caught_by_all(&global_object);
  void* const foreign = malloc(100);
  expect_caught_by_all(foreign);
  free(foreign);
}

TEST_F(BadPointer, Wild) {
  for (const uintptr_t address :
       {uintptr_t{8}, uintptr_t{0xdeadbeef}, uintptr_t{1} << 46, UINTPTR_MAX, uintptr_t{1} << 63}) {
    expect_caught_by_all(reinterpret_cast<void*>(address));
  }
}

TEST_F(BadPointer, InsideARun) {
  void* const run = os_malloc(kRunBytes);
  for (const size_t offset : {size_t{1}, size_t{16}, size_t{4096}, size_t{8200}}) {
    expect_caught_by_all(inside(run, offset));
  }
  os_free(run);
}

TEST_F(BadPointer, InsideAMapping) {
  void* const mapping = os_malloc(kMappingBytes);
  for (const size_t offset : {size_t{16}, size_t{4096}, kMappingBytes / 2}) {
    expect_caught_by_all(inside(mapping, offset));
  }
  os_free(mapping);
}

TEST_F(BadPointer, InsideABlockOfAnotherThread) {
  for (const size_t size : {48, 1000, 20000}) {
    void* const block = of_another_thread(size);
    expect_caught_by_all(inside(block, 1));
    expect_caught_by_all(inside(block, 16));
    os_free(block);
  }
}

TEST_F(BadPointer, ResizeInsideABlockOfThisThread) {
  void* const block = os_malloc(1000);
  EXPECT_EXIT(exit(os_realloc(inside(block, 16), 100) != nullptr), testing::KilledBySignal(SIGABRT), kLine);
  EXPECT_EXIT(exit(os_usable_size(inside(block, 8)) != 0), testing::KilledBySignal(SIGABRT), kLine);
  os_free(block);
}

TEST_F(BadPointer, FreedTwice) {
  void* const run = os_malloc(kRunBytes);
  os_free(run);
  expect_caught_by_all(run);
  void* const mapping = os_malloc(kMappingBytes);
  os_free(mapping);
  expect_caught_by_all(mapping);
}

TEST_F(BadPointer, InsideABlockOfThisThread) {
  for (const size_t size : {48, 600, 5000}) {
    char* const block = static_cast<char*>(os_malloc(size));
    EXPECT_EXIT(os_free(inside(block, 16)), testing::KilledBySignal(SIGABRT), "into a block, not to its start; a block of");
    EXPECT_EXIT(os_free(inside(block, 1)), testing::KilledBySignal(SIGABRT), "into a block, not to its start; a block of");
    os_free(block);
  }
}

TEST_F(BadPointer, OfThisThreadFreedTwice) {
  for (const size_t size : {48, 600, 5000}) {
    void* const a = os_malloc(size);
    void* const b = os_malloc(size);
    void* const c = os_malloc(size);
    const auto twice = [&](bool others_between) {
      os_free(a);
      if (others_between) os_free(b);
      os_free(a);
      exit(0);
    };
    EXPECT_EXIT(twice(false), testing::KilledBySignal(SIGABRT), "free.*freed before.*; a block of");
    EXPECT_EXIT(twice(true), testing::KilledBySignal(SIGABRT), "free.*freed before.*; a block of");
    os_free(a);
    os_free(b);
    os_free(c);
  }
}

void free_what_waits_for_its_owner() {
  void* const block = os_malloc(48);
  std::thread([&] { os_free(block); }).join();
  os_free(block);
  exit(0);
}

TEST_F(BadPointer, FreedByAnotherThreadBefore) {
  EXPECT_EXIT(free_what_waits_for_its_owner(), testing::KilledBySignal(SIGABRT), "free.*freed before, by another thread");
}

TEST_F(BadPointer, FreedWithAnotherSize) {
  for (const size_t size : {100, 1000, 50000, 3 << 20}) {
    void* const block = os_malloc(size);
    EXPECT_EXIT(os_free_sized(block, 4 * size), testing::KilledBySignal(SIGABRT), "its size is not the one that was told");
    os_free_sized(block, size);
  }
}

// The write that malloc would follow to memory that is no heap's.
void hand_out_after_a_stale_write() {
  alarm(20);
  static void* nowhere[8];
  void** const a = static_cast<void**>(os_malloc(64));
  void** const b = static_cast<void**>(os_malloc(64));
  os_free(a);
  os_free(b);
  *b = nowhere;
  for (int i = 0; i < 1000; ++i) {
    if (os_malloc(64) == static_cast<void*>(nowhere)) exit(1);
  }
  exit(0);
}

TEST_F(BadPointer, OverwrittenLinkIsNotFollowed) {
  EXPECT_EXIT(hand_out_after_a_stale_write(), testing::KilledBySignal(SIGABRT), "malloc.*the link in a free block was overwritten");
}

// The second free closes the thread's list to a ring; the walk that gives the list back must not go round for ever.
void free_one_twice(size_t size) {
  constexpr size_t kMoreThanAnyList = 2000;
  alarm(20);
  static void* blocks[kMoreThanAnyList];
  for (void*& block : blocks) block = os_malloc(size);
  // Not the first ones: they may be borrowed, and lie in other lists.
  os_free(blocks[kMoreThanAnyList / 2]);
  for (size_t i = kMoreThanAnyList / 2; i < kMoreThanAnyList; ++i) os_free(blocks[i]);
  exit(0);
}

TEST_F(BadPointer, FreedTwiceIntoTheThreadsOwnList) {
  for (const size_t size : {48, 600, 5000}) {
    EXPECT_EXIT(free_one_twice(size), testing::KilledBySignal(SIGABRT), kLine);
  }
}

void of_another_thread_twice() {
  alarm(20);
  void* const block = of_another_thread(1000);
  std::thread([&] { os_free(os_malloc(1000)); }).join();
  os_free(block);
  os_free(block);
  for (int i = 0; i < 2000; ++i) os_free(os_malloc(1000));
  os_trim(0);
  exit(0);
}

TEST_F(BadPointer, FreedTwiceAfterItsThreadHasEnded) {
  EXPECT_EXIT(of_another_thread_twice(), testing::KilledBySignal(SIGABRT), kLine);
}

// A pointer behind the last block that fits into a slab.
TEST_F(BadPointer, BehindTheLastBlockOfASlab) {
  constexpr size_t kSliceBytes = size_t{16} << 10;
  void* const block = of_another_thread(1500);
  const uintptr_t slab = reinterpret_cast<uintptr_t>(block) & ~(kSliceBytes - 1);
  expect_caught_by_all(reinterpret_cast<void*>(slab + kSliceBytes - 16));
  os_free(block);
}

}  // namespace
