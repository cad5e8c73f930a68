// A running digest of what a workload computed. It depends on values only, so it is equal under
// every allocator; a word a step, so that checking a megabyte costs far less than producing it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string_view>

namespace workloads {

// Not thread-safe: one a thread, values added up by Tally.
class Digest {
 public:
  void add(std::uint64_t word) {
    state_ = (state_ ^ word) * 0x9e3779b97f4a7c15u;
    state_ ^= state_ >> 29;
  }

  // The length counts, so that ("ab", "c") and ("a", "bc") differ.
  void add(std::string_view text) {
    add(static_cast<std::uint64_t>(text.size()));
    while (text.size() >= sizeof(std::uint64_t)) {
      add(word(text, sizeof(std::uint64_t)));
      text.remove_prefix(sizeof(std::uint64_t));
    }
    if (!text.empty()) {
      add(word(text, text.size()));
    }
  }

  [[nodiscard]] std::uint64_t value() const { return state_; }

 private:
  static std::uint64_t word(std::string_view text, std::size_t count_bytes) {
    std::uint64_t result = 0;
    std::memcpy(&result, text.data(), count_bytes);
    return result;
  }

  std::uint64_t state_ = 0x6a09e667f3bcc908u;
};

}  // namespace workloads
