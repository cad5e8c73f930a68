// Bit ranges over a fixed set of words: the alphabet of the page heap. Bit i of the set is bit i % 64 of word i / 64.
// All functions are O(words) at worst; ranges are [first, first + count).
#pragma once

#include <array>
#include <bit>
#include <cstdint>

namespace osmem {

template <std::uint32_t kBits>
class RunBits {
 public:
  static_assert(kBits % 64 == 0);
  static constexpr std::uint32_t kWords = kBits / 64;

  [[nodiscard]] bool test(std::uint32_t bit) const { return (words_[bit / 64] >> (bit % 64)) & 1; }
  void set(std::uint32_t bit) { words_[bit / 64] |= std::uint64_t{1} << (bit % 64); }
  void clear(std::uint32_t bit) { words_[bit / 64] &= ~(std::uint64_t{1} << (bit % 64)); }

  void set_range(std::uint32_t first, std::uint32_t count) {
    for_words(first, count, [this](std::uint32_t word, std::uint64_t mask) { words_[word] |= mask; });
  }

  void clear_range(std::uint32_t first, std::uint32_t count) {
    for_words(first, count, [this](std::uint32_t word, std::uint64_t mask) { words_[word] &= ~mask; });
  }

  [[nodiscard]] std::uint32_t count_range(std::uint32_t first, std::uint32_t count) const {
    std::uint32_t total = 0;
    for_words(first, count, [this, &total](std::uint32_t word, std::uint64_t mask) {
      total += static_cast<std::uint32_t>(std::popcount(words_[word] & mask));
    });
    return total;
  }

  // Bits [first, first + count), count <= 64, as the low bits of a word.
  [[nodiscard]] std::uint64_t bits(std::uint32_t first, std::uint32_t count) const {
    std::uint64_t result = 0;
    for_words(first, count, [this, first, &result](std::uint32_t word, std::uint64_t mask) {
      const std::uint64_t found = words_[word] & mask;
      result |= word * 64 >= first ? found << (word * 64 - first) : found >> (first - word * 64);
    });
    return result;
  }

  // The first set (clear) bit at or after `from`; kBits if there is none.
  [[nodiscard]] std::uint32_t next_set(std::uint32_t from) const { return next(from, 0); }
  [[nodiscard]] std::uint32_t next_clear(std::uint32_t from) const { return next(from, ~std::uint64_t{0}); }

  // One past the last set (clear) bit below `before`; 0 if there is none.
  [[nodiscard]] std::uint32_t end_of_set_before(std::uint32_t before) const { return end_before(before, 0); }
  [[nodiscard]] std::uint32_t end_of_clear_before(std::uint32_t before) const {
    return end_before(before, ~std::uint64_t{0});
  }

 private:
  template <typename Apply>
  static void for_words(std::uint32_t first, std::uint32_t count, Apply apply) {
    while (count != 0) {
      const std::uint32_t offset = first % 64;
      const std::uint32_t taken = count < 64 - offset ? count : 64 - offset;
      const std::uint64_t mask =
          (taken == 64 ? ~std::uint64_t{0} : (std::uint64_t{1} << taken) - 1) << offset;
      apply(first / 64, mask);
      first += taken;
      count -= taken;
    }
  }

  [[nodiscard]] std::uint32_t next(std::uint32_t from, std::uint64_t flip) const {
    if (from >= kBits) return kBits;
    std::uint32_t word = from / 64;
    std::uint64_t bits = (words_[word] ^ flip) & (~std::uint64_t{0} << (from % 64));
    while (bits == 0) {
      if (++word == kWords) return kBits;
      bits = words_[word] ^ flip;
    }
    return word * 64 + static_cast<std::uint32_t>(std::countr_zero(bits));
  }

  [[nodiscard]] std::uint32_t end_before(std::uint32_t before, std::uint64_t flip) const {
    while (before != 0) {
      const std::uint32_t word = (before - 1) / 64;
      const std::uint32_t kept = (before - 1) % 64 + 1;
      const std::uint64_t mask = kept == 64 ? ~std::uint64_t{0} : (std::uint64_t{1} << kept) - 1;
      const std::uint64_t bits = (words_[word] ^ flip) & mask;
      if (bits != 0) return word * 64 + 64 - static_cast<std::uint32_t>(std::countl_zero(bits));
      before = word * 64;
    }
    return 0;
  }

  std::array<std::uint64_t, kWords> words_{};
};

}  // namespace osmem
