// Proves, for a million random calls on each list heap (50,000 in short form, others each day): blocks are
// aligned, large enough, apart from each other and keep their contents over everything that happens
// to others and over resizing; calloc's are zero; and every equation of broken_invariant() holds,
// also where other code moves the break and where memory runs out on the way. Does not prove:
// addresses (the scenarios do), threads.
#include <gtest/gtest.h>

#include <iostream>
#include <map>
#include <random>
#include <vector>

#include "allocator/tests/classic_heaps.hpp"
#include "allocator/tests/level.hpp"

namespace {

using classic_tests::AllHeaps;
using classic_tests::HeapNames;

struct Live {
  unsigned char* address;
  std::size_t size;
  unsigned char seed;
};

unsigned char pattern(unsigned char seed, std::size_t at) {
  return static_cast<unsigned char>(seed + at * 13 + (at >> 8));
}

// A model of what the program may rely on, beside the heap under test.
template <class Heap>
class Shadow {
 public:
  explicit Shadow(unsigned seed) : random_(seed) {}

  void step() {
    if (below(2000) == 0) {
      heap_.list().source().move_break(below(3) * 8 + below(2) * 3);
    } else if (below(2000) == 0) {
      heap_.list().source().intrude_next(8 + below(300));
    } else if (failing_steps_ == 0 && below(1000) == 0) {
      failing_steps_ = 20;
      heap_.list().source().fail_from_call(static_cast<int>(below(3)));
    }
    act();
    if (failing_steps_ > 0 && --failing_steps_ == 0) {
      heap_.list().source().fail_from_call(-1);
    }
  }

  void act() {
    const std::size_t choice = below(100);
    if (live_.size() > kMostLive || (choice < 45 && !live_.empty())) {
      choice < 20 && live_.size() <= kMostLive ? resize() : release(below(live_.size()));
    } else if (choice < 75) {
      const std::size_t size = random_size();
      add(heap_.allocate(size), size, false);
    } else if (choice < 90) {
      const std::size_t size = random_size();
      add(heap_.allocate(size, classic::Contents::kZero), size, true);
    } else {
      const std::size_t size = random_size();
      const std::size_t alignment = std::size_t{1} << below(17);
      void* ptr = heap_.allocate_aligned(alignment, size);
      ASSERT_EQ(reinterpret_cast<std::uintptr_t>(ptr) % alignment, 0u);
      add(ptr, size, false);
    }
  }

  void check_all() {
    ASSERT_EQ(heap_.list().broken_invariant(), nullptr);
    for (const Live& block : live_) {
      check(block, block.size);
    }
  }

  void drain() {
    while (!live_.empty()) {
      release(live_.size() - 1);
    }
    ASSERT_EQ(heap_.list().broken_invariant(), nullptr);
    ASSERT_EQ(heap_.list().mapped_bytes(), 0u);
  }

  [[nodiscard]] std::size_t refused() const { return refused_; }
  [[nodiscard]] std::size_t served() const { return served_; }

 private:
  static constexpr std::size_t kMostLive = 300;

  std::size_t below(std::size_t limit) {
    return std::uniform_int_distribution<std::size_t>(0, limit - 1)(random_);
  }

  // Mostly small, some around the mapping thresholds, few large; more of them while memory runs
  // out.
  std::size_t random_size() {
    const std::size_t kind = below(100);
    if (failing_steps_ > 0 && kind < 30) {
      return 100000 + below(200000);
    }
    if (kind < 90) {
      return 1 + below(400);
    }
    return kind < 99 || below(4) != 0 ? 1 + below(6000) : 125000 + below(30000);
  }

  void check(const Live& block, std::size_t size) {
    for (std::size_t i = 0; i < size; ++i) {
      ASSERT_EQ(block.address[i], pattern(block.seed, i)) << "byte " << i << " of " << block.size;
    }
  }

  void fill(const Live& block) {
    for (std::size_t i = 0; i < block.size; ++i) {
      block.address[i] = pattern(block.seed, i);
    }
  }

  // No byte of [address, address + size) belongs to another block.
  void check_apart(const Live& block) {
    const auto after = by_address_.lower_bound(block.address);
    if (after != by_address_.end()) {
      ASSERT_LE(block.address + block.size, after->first);
    }
    if (after != by_address_.begin()) {
      const auto before = std::prev(after);
      ASSERT_LE(before->first + before->second, block.address);
    }
  }

  void add(void* ptr, std::size_t size, bool zeroed) {
    if (ptr == nullptr) {
      ++refused_;
      return;
    }
    ++served_;
    const Live block{static_cast<unsigned char*>(ptr), size,
                     static_cast<unsigned char>(below(256))};
    ASSERT_EQ(reinterpret_cast<std::uintptr_t>(ptr) % Heap::kAlignment, 0u);
    ASSERT_TRUE(heap_.owns(ptr));
    ASSERT_GE(heap_.usable_bytes(ptr), size);
    check_apart(block);
    for (std::size_t i = 0; zeroed && i < size; ++i) {
      ASSERT_EQ(block.address[i], 0) << "byte " << i;
    }
    fill(block);
    live_.push_back(block);
    by_address_[block.address] = size;
  }

  void forget(std::size_t index) {
    by_address_.erase(live_[index].address);
    live_[index] = live_.back();
    live_.pop_back();
  }

  void release(std::size_t index) {
    check(live_[index], live_[index].size);
    heap_.release(live_[index].address);
    forget(index);
  }

  void resize() {
    const std::size_t index = below(live_.size());
    const Live old = live_[index];
    const std::size_t size = random_size();
    void* ptr = heap_.resize(old.address, size);
    if (ptr == nullptr) {
      ++refused_;
      check(old, old.size);
      return;
    }
    forget(index);
    check({static_cast<unsigned char*>(ptr), old.size, old.seed}, std::min(old.size, size));
    add(ptr, size, false);
  }

  Heap heap_;
  std::mt19937 random_;
  std::vector<Live> live_;
  std::map<unsigned char*, std::size_t> by_address_;
  int failing_steps_ = 0;  // steps left until memory is there again
  std::size_t refused_ = 0;
  std::size_t served_ = 0;
};

template <class Heap>
class ListHeapFuzz : public testing::Test {};
TYPED_TEST_SUITE(ListHeapFuzz, AllHeaps, HeapNames);

TYPED_TEST(ListHeapFuzz, BlocksStayApartAndKeepTheirContents) {
  const unsigned rounds = test_level::either(1U, 20U);
  const unsigned first_seed = test_level::is_long() ? 4000 : static_cast<unsigned>(test_level::seed_of_the_day());
  constexpr int kStepsPerRound = 50000;
  std::size_t refused = 0;
  std::size_t served = 0;
  for (unsigned round = 0; round < rounds; ++round) {
    const unsigned seed = first_seed + round;
    SCOPED_TRACE("seed " + std::to_string(seed));
    Shadow<TypeParam> shadow(seed);
    for (int step = 0; step < kStepsPerRound && !this->HasFatalFailure(); ++step) {
      shadow.step();
      if (step % 500 == 0) {
        shadow.check_all();
      }
    }
    shadow.drain();
    refused += shadow.refused();
    served += shadow.served();
  }
  std::cout << rounds << " rounds from seed " << first_seed << ", served " << served << ", refused " << refused << "\n";
  EXPECT_GT(served, std::size_t{rounds} * kStepsPerRound / 4);
  EXPECT_GT(refused, 0u) << "memory never ran out, so its handling was not tried";
}

}  // namespace
