// A memory source for list heaps in tests: an arena in place of the break, which fails on demand
// and lets the test move the break as other code would. Mappings are real ones.
#pragma once

#include <cstddef>
#include <cstdlib>

#include "allocator/classic/system_memory.hpp"

namespace classic_tests {

class ArenaMemory {
 public:
  static constexpr std::size_t kArenaBytes = std::size_t{256} << 20;

  ArenaMemory() : arena_(system_.map(kArenaBytes)), break_(arena_) {}
  ~ArenaMemory() { system_.unmap(arena_, kArenaBytes); }
  ArenaMemory(const ArenaMemory&) = delete;
  ArenaMemory& operator=(const ArenaMemory&) = delete;

  char* current_break() { return break_; }

  char* extend_break(std::size_t bytes) {
    if (fails() || bytes > static_cast<std::size_t>(arena_ + kArenaBytes - break_)) {
      return nullptr;
    }
    if (intruder_bytes_ != 0) {  // another thread was faster
      break_ += std::exchange(intruder_bytes_, 0);
    }
    return std::exchange(break_, break_ + bytes);
  }

  char* map(std::size_t bytes) {
    char* at = fails() ? nullptr : system_.map(bytes);
    mapped_count_ += at == nullptr ? 0 : 1;
    return at;
  }

  void unmap(void* address, std::size_t bytes) { system_.unmap(address, bytes); }

  void move_break(std::size_t bytes) { break_ += bytes; }  // other code, between our calls
  void intrude_next(std::size_t bytes) {
    intruder_bytes_ = bytes;
  }  // other code, inside our next call
  void fail_from_call(int count) {
    calls_until_failure_ = count;
  }  // 0: the next one; negative: never
  [[nodiscard]] int mapped_count() const { return mapped_count_; }

 private:
  bool fails() {
    if (calls_until_failure_ < 0) {
      return false;
    }
    return calls_until_failure_ == 0 || calls_until_failure_-- == 0;
  }

  classic::SystemMemory system_;
  char* arena_;
  char* break_;
  std::size_t intruder_bytes_ = 0;
  int calls_until_failure_ = -1;
  int mapped_count_ = 0;
};

}  // namespace classic_tests
