// Proves that memory comes back after a peak: resident memory above what the process had before is at most the live bytes
// + 5 % + 2 MiB right after os_trim(0), and once a thread has called malloc and free now and then for as long as free pages are
// kept: up to 2 s where page faults are dear, short ranges twice as long (base/tuning.hpp), and a second more. Shapes:
// sawtooth drained at random and in order, a shift of sizes, runs and mappings, threads that exited before or after their
// blocks were freed. Live bytes are usable bytes.
// Does not prove anything about the way there: how high the peak is, or what giving back costs.
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <cstring>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include "allocator/osmem/api/osmem.h"
#include "allocator/osmem/base/tuning.hpp"
#include "allocator/tests/behaviour/resident.hpp"

namespace {

constexpr std::size_t kMiB = std::size_t{1} << 20;
constexpr std::size_t kBurstBytes = 256 * kMiB;
constexpr std::size_t kSlackBytes = 2 * kMiB;
// Callers go on until this much less than the bound is resident: what a thread's exit and code not run before touch is not
// osmem's, and came to 40 KiB once between the last call and the reading.
constexpr std::size_t kMarginBytes = kMiB / 4;
constexpr std::chrono::milliseconds kTick{5};
constexpr int kTicks = (osmem::kLongestAgeMs * osmem::kShortRangeAges + 1000) / kTick.count();  // at most

struct SizeRange {
  std::size_t least;
  std::size_t most;
};
constexpr SizeRange kSmall{16, 2048};
constexpr SizeRange kRuns{8192, 100000};
constexpr SizeRange kMappings{200000, std::size_t{8} << 20};

// Blocks kept in memory of the C library that is resident from the start, so that only osmem's own pages come and go.
class Blocks {
 public:
  Blocks() : blocks_(kRoom, this) { blocks_.clear(); }

  // Small sizes are as likely as large ones by their logarithm, as in real programs.
  void fill(std::size_t bytes, SizeRange sizes, std::mt19937_64& random) {
    std::uniform_real_distribution<double> log_size(std::log2(sizes.least), std::log2(sizes.most));
    for (std::size_t got = 0; got < bytes;) {
      const auto size = static_cast<std::size_t>(std::exp2(log_size(random)));
      void* block = os_malloc(size);
      ASSERT_NE(block, nullptr);
      std::memset(block, 1, size);
      blocks_.push_back(block);
      got += os_usable_size(block);
    }
    ASSERT_LE(blocks_.size(), blocks_.capacity());
  }
  void shuffle(std::mt19937_64& random) { std::shuffle(blocks_.begin(), blocks_.end(), random); }

  // Frees from the front, the oldest first, until `keep_bytes` are left.
  void drain(std::size_t keep_bytes = 0) {
    std::size_t live = live_bytes();
    auto end = blocks_.begin();
    for (; end != blocks_.end() && live > keep_bytes; ++end) {
      live -= os_usable_size(*end);
      os_free(*end);
    }
    blocks_.erase(blocks_.begin(), end);
  }
  [[nodiscard]] std::size_t live_bytes() const {
    std::size_t bytes = 0;
    for (const void* block : blocks_) bytes += os_usable_size(block);
    return bytes;
  }

 private:
  static constexpr std::size_t kRoom = 2'000'000;
  std::vector<void*> blocks_;
};

// A program that has little to do: a call now and then, of varying sizes, until no more than `enough_bytes` are resident.
void call_now_and_then(std::size_t enough_bytes) {
  for (int i = 0; i < kTicks && resident_bytes() > enough_bytes; ++i) {
    os_free(os_malloc(16 + static_cast<std::size_t>(i * 37 % 1500)));
    std::this_thread::sleep_for(kTick);
  }
}

enum class Way { kTrim, kCallsNowAndThen, kCallsOfAnotherThread };

class MemoryBack : public testing::TestWithParam<Way> {
 protected:
  void SetUp() override {
    os_free(os_malloc(1));
    before_bytes_ = resident_bytes();
  }
  void TearDown() override {
    for (Blocks& blocks : blocks_) blocks.drain();
  }

  void sawtooth_drained_at_random(SizeRange sizes, int teeth) {
    for (int tooth = 0; tooth < teeth; ++tooth) {
      blocks_[0].fill(kBurstBytes, sizes, random_);
      blocks_[0].shuffle(random_);
      blocks_[0].drain();
    }
  }
  // Runs `work(blocks, random)` in threads of its own, and waits for their exits.
  template <typename Work>
  void in_threads(Work work) {
    std::vector<std::thread> threads;
    for (Blocks& blocks : blocks_) {
      threads.emplace_back([&blocks, work, seed = threads.size()] {
        std::mt19937_64 random(seed);
        work(blocks, random);
      });
    }
    for (std::thread& thread : threads) thread.join();
  }
  void expect_back() const {
    if (GetParam() == Way::kTrim) os_trim(0);
    std::size_t live = 0;
    for (const Blocks& blocks : blocks_) live += blocks.live_bytes();
    const std::size_t most_bytes = live + live / 20 + kSlackBytes;
    const std::size_t enough_bytes = before_bytes_ + most_bytes - kMarginBytes;
    if (GetParam() == Way::kCallsNowAndThen) call_now_and_then(enough_bytes);
    if (GetParam() == Way::kCallsOfAnotherThread) std::thread(call_now_and_then, enough_bytes).join();
    const std::size_t now = resident_bytes();
    const std::size_t grown = now > before_bytes_ ? now - before_bytes_ : 0;
    struct os_stats stats = {};
    ASSERT_TRUE(os_stats(&stats));
    std::printf("live %zu KiB, resident %zu KiB more than before; active %zu, dirty %zu, metadata %zu KiB\n", live >> 10,
                grown >> 10, stats.active_bytes >> 10, stats.dirty_bytes >> 10, stats.metadata_bytes >> 10);
    EXPECT_LE(grown, most_bytes);
  }

  std::mt19937_64 random_{20240611};
  std::array<Blocks, 4> blocks_;
  std::size_t before_bytes_ = 0;
};

TEST_P(MemoryBack, AfterASawtoothDrainedAtRandom) {
  sawtooth_drained_at_random(kSmall, 3);
  expect_back();
}

TEST_P(MemoryBack, AfterASawtoothDrainedInOrder) {
  for (int tooth = 0; tooth < 3; ++tooth) {
    blocks_[0].fill(kBurstBytes, kSmall, random_);
    blocks_[0].drain();
  }
  expect_back();
}

TEST_P(MemoryBack, AfterTheOldestThreeQuartersWent) {
  blocks_[0].fill(kBurstBytes, kSmall, random_);
  blocks_[0].drain(kBurstBytes / 4);
  expect_back();
}

TEST_P(MemoryBack, AfterAShiftToLargerSizes) {
  sawtooth_drained_at_random(kSmall, 1);
  blocks_[0].fill(kBurstBytes / 4, SizeRange{2049, 16384}, random_);
  expect_back();
}

TEST_P(MemoryBack, AfterAShiftToSmallerSizes) {
  sawtooth_drained_at_random(SizeRange{2049, 16384}, 1);
  blocks_[0].fill(kBurstBytes / 4, SizeRange{16, 64}, random_);
  expect_back();
}

TEST_P(MemoryBack, AfterRunsOfPages) {
  sawtooth_drained_at_random(kRuns, 3);
  expect_back();
}

TEST_P(MemoryBack, AfterMappings) {
  sawtooth_drained_at_random(kMappings, 3);
  expect_back();
}

TEST_P(MemoryBack, AfterThreadsThatDrainedAndExited) {
  in_threads([](Blocks& blocks, std::mt19937_64& random) {
    blocks.fill(kBurstBytes / 4, kSmall, random);
    blocks.shuffle(random);
    blocks.drain();
  });
  expect_back();
}

TEST_P(MemoryBack, AfterThreadsThatExitedBeforeTheDrain) {
  in_threads([](Blocks& blocks, std::mt19937_64& random) { blocks.fill(kBurstBytes / 4, kSmall, random); });
  for (Blocks& blocks : blocks_) {
    blocks.shuffle(random_);
    blocks.drain();
  }
  expect_back();
}

std::string name_of(const testing::TestParamInfo<Way>& way) {
  switch (way.param) {
    case Way::kTrim: return "AtOnceByTrim";
    case Way::kCallsNowAndThen: return "WithCallsNowAndThen";
    case Way::kCallsOfAnotherThread: return "WithCallsOfAnotherThread";
  }
  return "";
}

INSTANTIATE_TEST_SUITE_P(Ways, MemoryBack,
                         testing::Values(Way::kTrim, Way::kCallsNowAndThen, Way::kCallsOfAnotherThread), name_of);

}  // namespace
