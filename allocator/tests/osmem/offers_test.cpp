// Proves for pages inside used slabs: where one block in twenty survives, scattered, and nobody calls, a process holds at most 26 % of its
// peak; os_trim() gives such pages back, too; survivors keep their contents, freed blocks come back whole, and a block of a page that
// went back is not freed twice unseen; threads may free, allocate and fork while others give their pages back.
// Does not prove how fast that is.
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstring>
#include <random>
#include <thread>
#include <vector>

#include "allocator/osmem/api/osmem.h"
#include "allocator/tests/behaviour/resident.hpp"
#include "allocator/tests/level.hpp"

namespace {

constexpr std::size_t kMiB = std::size_t{1} << 20;
constexpr std::size_t kSizes[] = {512, 1024, 2048};
constexpr unsigned kKeep = 20;

struct Kept {
  unsigned char* block;
  std::size_t bytes;
  unsigned char mark;

  [[nodiscard]] bool is_sound() const {
    return std::all_of(block, block + bytes, [this](unsigned char byte) { return byte == mark; });
  }
};

class Survivors {
 public:
  explicit Survivors(std::size_t bytes) {
    blocks_.reserve(bytes / kSizes[0]);
    for (std::size_t got = 0; got < bytes;) {
      const std::size_t size = kSizes[blocks_.size() % std::size(kSizes)];
      const auto mark = static_cast<unsigned char>(blocks_.size() * 31 + 1);
      auto* block = static_cast<unsigned char*>(os_malloc(size));
      std::memset(block, mark, size);
      blocks_.push_back({block, size, mark});
      got += size;
    }
  }
  ~Survivors() {
    for (const Kept& kept : blocks_) os_free(kept.block);
  }
  Survivors(const Survivors&) = delete;
  Survivors& operator=(const Survivors&) = delete;

  // Frees all but one in kKeep, drawn at random; returns one that goes, of a slab that is not the last.
  unsigned char* thin_out(unsigned seed) {
    std::mt19937 random(seed);
    unsigned char* freed = nullptr;
    std::size_t left = blocks_.size() / 3;
    const auto goes = [&](const Kept& kept) {
      if (random() % kKeep == 0) return false;
      if (left-- == 0) freed = kept.block;
      os_free(kept.block);
      return true;
    };
    blocks_.erase(std::remove_if(blocks_.begin(), blocks_.end(), goes), blocks_.end());
    return freed;
  }
  [[nodiscard]] bool are_sound() const {
    return std::all_of(blocks_.begin(), blocks_.end(), [](const Kept& kept) { return kept.is_sound(); });
  }

 private:
  std::vector<Kept> blocks_;
};

TEST(PagesInsideSlabs, ServeAgain) {
  Survivors survivors(32 * kMiB);
  survivors.thin_out(3);
  os_trim(0);
  struct os_stats trimmed{};
  ASSERT_TRUE(os_stats(&trimmed));
  Survivors others(28 * kMiB);
  struct os_stats filled{};
  ASSERT_TRUE(os_stats(&filled));
  EXPECT_GE(filled.allocated_bytes, trimmed.allocated_bytes + 28 * kMiB);
  // They have found room beside the survivors.
  EXPECT_LT(filled.active_bytes, filled.allocated_bytes + 4 * kMiB);
  EXPECT_TRUE(survivors.are_sound());
  EXPECT_TRUE(others.are_sound());
}

TEST(PagesInsideSlabs, AreNoLeaksAndGoHomeWhenTheSurvivorsDo) {
  struct os_stats before{};
  ASSERT_TRUE(os_stats(&before));
  {
    Survivors survivors(16 * kMiB);
    survivors.thin_out(4);
    os_trim(0);
  }
  os_trim(0);
  struct os_stats after{};
  ASSERT_TRUE(os_stats(&after));
  EXPECT_LE(after.allocated_bytes, before.allocated_bytes + 64 * 1024);
  EXPECT_LE(after.active_bytes, before.active_bytes + kMiB);
}

#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)  // their shadow memory would be counted, and they end a child otherwise
TEST(PagesInsideSlabs, ComeBackWithoutACall) {
  const std::size_t before = resident_bytes();
  Survivors survivors(160 * kMiB);
  const std::size_t peak = resident_bytes() - before;
  survivors.thin_out(1);
  // Two seconds of age, and then as long as the host takes for some ten thousand system calls.
  constexpr auto kPatience = std::chrono::seconds(test_level::kHangSeconds);
  const auto start = std::chrono::steady_clock::now();
  const auto grown = [before] { return resident_bytes() - std::min(resident_bytes(), before); };
  while (grown() > peak * 26 / 100 && std::chrono::steady_clock::now() - start < kPatience) {
    std::this_thread::sleep_for(std::chrono::milliseconds(50));
  }
  EXPECT_LE(grown(), peak * 26 / 100) << "of " << peak;
  EXPECT_TRUE(survivors.are_sound());
}

TEST(PagesInsideSlabs, ComeBackByATrim) {
  const std::size_t before = resident_bytes();
  Survivors survivors(32 * kMiB);
  const std::size_t peak = resident_bytes() - before;
  survivors.thin_out(2);
  EXPECT_GT(os_trim(0), peak / 2) << "what it says it gave back";
  EXPECT_LE(resident_bytes() - std::min(resident_bytes(), before), peak * 26 / 100) << "of " << peak;
  EXPECT_TRUE(survivors.are_sound());
}

TEST(PagesInsideSlabsDeathTest, SeeABlockFreedTwice) {
  EXPECT_DEATH(
      {
        Survivors survivors(16 * kMiB);
        unsigned char* freed = survivors.thin_out(5);
        os_trim(0);
        for (int i = 0; i < 100; ++i) os_free(freed);
      },
      "free");
}

TEST(PagesInsideSlabsDeathTest, FollowNoLinkThatWasOverwritten) {
  for (const std::uintptr_t wrong : {std::uintptr_t{1}, std::uintptr_t{0}, ~std::uintptr_t{0}}) {
    EXPECT_DEATH(
        {
          Survivors survivors(16 * kMiB);
          unsigned char* freed = survivors.thin_out(6);
          // 0: the block itself, a ring.
          const std::uintptr_t link = wrong == 0 ? reinterpret_cast<std::uintptr_t>(freed) : reinterpret_cast<std::uintptr_t>(freed) + wrong;
          std::memcpy(freed, &link, sizeof link);
          os_trim(0);
        },
        "overwritten|before");
  }
}
#endif

// Threads thin out and fill, and give back each other's pages meanwhile.
TEST(PagesInsideSlabs, BearThreadsThatGoOn) {
  constexpr int kThreads = 3;
  const int rounds = test_level::either(6, 200);
  std::atomic<int> working{kThreads};
  std::atomic<bool> sound{true};
  std::vector<std::thread> threads;
  for (int t = 0; t < kThreads; ++t) {
    threads.emplace_back([&, t] {
      for (int round = 0; round < rounds; ++round) {
        Survivors survivors(4 * kMiB);
        survivors.thin_out(static_cast<unsigned>(t * 1000 + round));
        if (round % 3 == 0) os_trim(0);
        Survivors others(2 * kMiB);
        if (!survivors.are_sound() || !others.are_sound()) sound = false;
      }
      --working;
    });
  }
  while (working != 0) os_trim(0);
  for (std::thread& thread : threads) thread.join();
  EXPECT_TRUE(sound);
}

// The child has one thread, and whatever the others were at is given up.
TEST(PagesInsideSlabs, BearForks) {
  const int forks = test_level::either(20, 500);
  std::atomic<bool> done{false};
  std::thread trimmer([&] {
    while (!done) {
      Survivors survivors(2 * kMiB);
      survivors.thin_out(7);
      os_trim(0);
    }
  });
  for (int i = 0; i < forks; ++i) {
    auto survivors = std::make_unique<Survivors>(4 * kMiB);
    survivors->thin_out(static_cast<unsigned>(i));
    const pid_t child = fork();
    ASSERT_NE(child, -1);
    if (child == 0) {
      alarm(test_level::kHangSeconds);
      os_trim(0);
      bool sound = survivors->are_sound();
      {
        Survivors others(4 * kMiB);
        sound = sound && others.are_sound();
      }
      survivors.reset();
      _exit(sound ? 0 : 1);
    }
    int status = 0;
    ASSERT_EQ(waitpid(child, &status, 0), child);
    ASSERT_EQ(status, 0) << "fork " << i;
  }
  done = true;
  trimmer.join();
}

}  // namespace
