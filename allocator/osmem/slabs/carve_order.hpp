// In which order fresh blocks are handed out: by address, or in the hardened build at random, so that where the next block
// lies cannot be told from where the last one does.
#pragma once

#include <sys/auxv.h>

#include <atomic>
#include <cstdint>
#include <cstring>
#include <numeric>

#include "allocator/osmem/base/config.hpp"

namespace osmem {

// A random word, another one each time; by one xorshift for all threads. Not for secrets.
inline std::uint64_t random_word() {
  static constinit std::atomic<std::uint64_t> state{0};
  // Relaxed, both: any value will do, and two threads may get the same.
  std::uint64_t word = state.load(std::memory_order_relaxed);
  if (word == 0) {
    word = 0x9e3779b97f4a7c15U;
    if (const auto random = getauxval(AT_RANDOM); random != 0) std::memcpy(&word, reinterpret_cast<const void*>(random), sizeof word);
  }
  word ^= word << 13;
  word ^= word >> 7;
  word ^= word << 17;
  state.store(word, std::memory_order_relaxed);  // relaxed: as above
  return word;
}

// The numbers below `count`, each once. Random: from a random one on in steps that have no divisor in common with `count`.
class CarveOrder {
 public:
  explicit CarveOrder(std::uint32_t count) : count_(count) {
    if constexpr (kHardened) {
      if (count < 3) return;
      const std::uint64_t word = random_word();
      first_ = static_cast<std::uint32_t>((word >> 32) % count);
      step_ = 1 + static_cast<std::uint32_t>(word % (count - 1));
      while (std::gcd(step_, count) != 1) step_ = step_ == count - 1 ? 1 : step_ + 1;
    }
  }
  [[nodiscard]] std::uint32_t operator()(std::uint32_t i) const { return kHardened ? (first_ + i * step_) % count_ : i; }

 private:
  std::uint32_t count_;
  std::uint32_t first_ = 0;
  std::uint32_t step_ = 1;
};

}  // namespace osmem
