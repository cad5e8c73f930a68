// Input text for the realistic workloads: made from the seed before the clock starts, in mapped
// memory, so that it costs the allocator under test nothing.
#pragma once

#include <array>
#include <charconv>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string_view>
#include <utility>

#include "workloads/memory.hpp"
#include "workloads/random.hpp"

namespace workloads {

// Text that grows at its end. Views of it hold until the next append. Not thread-safe while it
// grows.
class MappedText {
 public:
  explicit MappedText(std::size_t capacity_bytes = std::size_t{1} << 16) : bytes_(capacity_bytes) {}

  MappedText& operator<<(std::string_view text) {
    if (size_ + text.size() > bytes_.size()) {
      grow(size_ + text.size());
    }
    std::memcpy(bytes_.begin() + size_, text.data(), text.size());
    size_ += text.size();
    return *this;
  }

  template <std::integral Number>
  requires(!std::same_as<Number, char>) MappedText& operator<<(Number number) {
    std::array<char, 24> digits;
    const auto end = std::to_chars(digits.data(), digits.data() + digits.size(), number).ptr;
    return *this << std::string_view(digits.data(), end);
  }

  [[nodiscard]] std::size_t size() const { return size_; }
  [[nodiscard]] std::string_view view() const { return {bytes_.begin(), size_}; }
  [[nodiscard]] std::string_view view(std::size_t start, std::size_t size_bytes) const {
    return view().substr(start, size_bytes);
  }

 private:
  void grow(std::size_t needed_bytes) {
    MappedArray<char> larger(2 * needed_bytes);
    std::memcpy(larger.begin(), bytes_.begin(), size_);
    bytes_ = std::move(larger);
  }

  MappedArray<char> bytes_;
  std::size_t size_ = 0;
};

// A place in a MappedText, for tables of texts drawn beforehand.
struct TextRange {
  std::size_t start = 0;
  std::size_t size_bytes = 0;
};

inline constexpr auto kWords = std::to_array<std::string_view>(
    {"amber",  "anchor",  "autumn",    "barley", "basin",    "beacon",  "birch",   "bridge",
     "bronze", "candle",  "canyon",    "carbon", "cedar",    "chapel",  "cobalt",  "copper",
     "cotton", "crystal", "delta",     "desk",   "ember",    "engine",  "falcon",  "fabric",
     "garden", "glass",   "granite",   "harbor", "hazel",    "helmet",  "indigo",  "island",
     "ivory",  "jacket",  "juniper",   "kettle", "ladder",   "lantern", "linen",   "maple",
     "marble", "meadow",  "mirror",    "nickel", "notebook", "oak",     "orchard", "paper",
     "pepper", "pillow",  "porcelain", "quartz", "ribbon",   "river",   "saddle",  "silver",
     "spruce", "table",   "thistle",   "timber", "velvet",   "walnut",  "willow",  "zinc"});

// One of kWords; low indices are more likely, as in real text.
inline std::string_view draw_word(Random& random) {
  const std::size_t a = random.below(kWords.size());
  const std::size_t b = random.below(kWords.size());
  return kWords[a < b ? a : b];
}

// Appends `count` words, a blank between two.
inline void append_words(MappedText& text, Random& random, std::size_t count) {
  for (std::size_t i = 0; i < count; ++i) {
    if (i > 0) {
      text << " ";
    }
    text << draw_word(random);
  }
}

// Appends `count` words and says where they stand.
inline TextRange draw_phrase(MappedText& text, Random& random, std::size_t count) {
  const std::size_t start = text.size();
  append_words(text, random, count);
  return {start, text.size() - start};
}

}  // namespace workloads
