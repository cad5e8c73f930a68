// Covers of Boolean functions: what two-level logic minimisation computes with.
//
// A cube is a product of literals over n variables in positional notation, two bits a variable: 01
// the variable is false, 10 true, 11 it does not matter, 00 the cube is empty. A cover is a list of
// cubes: a sum of products. As in the minimisers of old, each cube is a block of memory of its own,
// and operations make new covers.
#pragma once

#include <algorithm>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <utility>
#include <vector>

namespace workloads {

class Cube {
 public:
  // The cube of all points of a space of `variables` dimensions.
  explicit Cube(std::size_t variables)
      : words_((variables + kPerWord - 1) / kPerWord, ~std::uint64_t{0}) {
    const std::size_t rest = variables % kPerWord;
    if (rest != 0) {
      words_.back() = (std::uint64_t{1} << (2 * rest)) - 1;
    }
  }

  // 1: false, 2: true, 3: does not matter.
  [[nodiscard]] unsigned literal(std::size_t variable) const {
    return static_cast<unsigned>(words_[variable / kPerWord] >> shift(variable)) & 3U;
  }
  void set_literal(std::size_t variable, unsigned value) {
    std::uint64_t& word = words_[variable / kPerWord];
    word =
        (word & ~(std::uint64_t{3} << shift(variable))) | (std::uint64_t{value} << shift(variable));
  }

  // Whether every point of `other` is one of this cube.
  [[nodiscard]] bool contains(const Cube& other) const {
    for (std::size_t i = 0; i < words_.size(); ++i) {
      if ((other.words_[i] & ~words_[i]) != 0) {
        return false;
      }
    }
    return true;
  }

  // Variables in which the two have no value in common; 0 if they meet.
  [[nodiscard]] int distance(const Cube& other) const {
    int count = 0;
    for (std::size_t i = 0; i < words_.size(); ++i) {
      count += empty_fields(i, other);
    }
    return count;
  }

  // The smallest cube that contains both.
  void unite(const Cube& other) {
    for (std::size_t i = 0; i < words_.size(); ++i) {
      words_[i] |= other.words_[i];
    }
  }

  // The part in both; empty fields where they do not meet.
  void intersect(const Cube& other) {
    for (std::size_t i = 0; i < words_.size(); ++i) {
      words_[i] &= other.words_[i];
    }
  }

  // Frees the variables that `other` fixes: this cube's cofactor against it.
  void free_literals_of(const Cube& other, const Cube& universe) {
    for (std::size_t i = 0; i < words_.size(); ++i) {
      words_[i] |= universe.words_[i] & ~other.words_[i];
    }
  }

  // Variables that the cube fixes.
  [[nodiscard]] std::size_t literals(std::size_t variables) const {
    std::size_t ones = 0;
    for (const std::uint64_t word : words_) {
      ones += static_cast<std::size_t>(std::popcount(word));
    }
    return 2 * variables - ones;
  }

  [[nodiscard]] const std::vector<std::uint64_t>& words() const { return words_; }
  friend bool operator==(const Cube&, const Cube&) = default;

 private:
  static constexpr std::size_t kPerWord = 32;
  static unsigned shift(std::size_t variable) {
    return static_cast<unsigned>(2 * (variable % kPerWord));
  }
  [[nodiscard]] int empty_fields(std::size_t i, const Cube& other) const {
    constexpr std::uint64_t kLowBits = 0x5555555555555555u;
    const std::uint64_t either = words_[i] | other.words_[i];
    const std::uint64_t both = words_[i] & other.words_[i];
    const std::uint64_t used = (either | either >> 1) & kLowBits;
    return std::popcount(used & ~(both | both >> 1));
  }

  std::vector<std::uint64_t> words_;
};

using Cover = std::vector<Cube>;

// What is left of `cover` inside `cube`, seen in the space of the cube's free variables.
inline Cover cofactor(const Cover& cover, const Cube& cube, const Cube& universe) {
  Cover result;
  for (const Cube& member : cover) {
    if (member.distance(cube) != 0) {
      continue;
    }
    result.push_back(member);
    result.back().free_literals_of(cube, universe);
  }
  return result;
}

// The variable that most cubes fix, both ways if any is; none if no cube fixes one.
inline std::optional<std::size_t> splitting_variable(const Cover& cover, std::size_t variables) {
  std::optional<std::size_t> best;
  std::pair<std::size_t, std::size_t> best_rank;  // of the rarer value, of both
  for (std::size_t variable = 0; variable < variables; ++variable) {
    std::size_t counts[4] = {};
    for (const Cube& cube : cover) {
      ++counts[cube.literal(variable)];
    }
    const std::pair rank(std::min(counts[1], counts[2]), counts[1] + counts[2]);
    if (rank.second > 0 && (!best || rank > best_rank)) {
      best = variable;
      best_rank = rank;
    }
  }
  return best;
}

// The two halves of a space: `variable` false, and true.
inline std::pair<Cube, Cube> halves(const Cube& universe, std::size_t variable) {
  std::pair<Cube, Cube> result(universe, universe);
  result.first.set_literal(variable, 1);
  result.second.set_literal(variable, 2);
  return result;
}

// Whether the cover holds every point. By Shannon expansion; as deep as there are variables.
// NOLINTNEXTLINE(misc-no-recursion)
inline bool is_tautology(const Cover& cover, const Cube& universe, std::size_t variables) {
  if (std::find(cover.begin(), cover.end(), universe) != cover.end()) {
    return true;
  }
  const auto variable = splitting_variable(cover, variables);
  if (!variable) {
    return false;
  }
  const auto [low, high] = halves(universe, *variable);
  return is_tautology(cofactor(cover, low, universe), universe, variables) &&
         is_tautology(cofactor(cover, high, universe), universe, variables);
}

// Adds the cubes of one half to `result`; those that are the same in both halves become one.
inline void merge_half(Cover& result, const Cover& half, const Cube& space, const Cover& other) {
  for (const Cube& cube : half) {
    const bool in_both = std::find(other.begin(), other.end(), cube) != other.end();
    Cube merged = cube;
    if (!in_both) {
      merged.intersect(space);
    }
    if (std::find(result.begin(), result.end(), merged) == result.end()) {
      result.push_back(std::move(merged));
    }
  }
}

// The points that the cover does not hold. By Shannon expansion.
// NOLINTNEXTLINE(misc-no-recursion)
inline Cover complement(const Cover& cover, const Cube& universe, std::size_t variables) {
  if (cover.empty()) {
    return {universe};
  }
  if (std::find(cover.begin(), cover.end(), universe) != cover.end()) {
    return {};
  }
  const std::size_t variable = *splitting_variable(cover, variables);
  const auto [low, high] = halves(universe, variable);
  const Cover in_low = complement(cofactor(cover, low, universe), universe, variables);
  const Cover in_high = complement(cofactor(cover, high, universe), universe, variables);
  Cover result;
  merge_half(result, in_low, low, in_high);
  merge_half(result, in_high, high, in_low);
  return result;
}

// Whether `cover` holds every point of `cube`.
inline bool covers(const Cover& cover, const Cube& cube, const Cube& universe,
                   std::size_t variables) {
  return is_tautology(cofactor(cover, cube, universe), universe, variables);
}

}  // namespace workloads
