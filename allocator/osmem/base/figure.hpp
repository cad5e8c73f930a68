// A number with one writer at a time that reports read without its lock.
//
// Reads and writes are relaxed: a reader gets some recent value, which is all that a report or a heuristic needs; whoever
// needs the exact one holds the writer's lock or is the writer.
#pragma once

#include <atomic>

namespace osmem {

template <typename T>
class Figure {
 public:
  constexpr Figure() = default;
  operator T() const { return value_.load(std::memory_order_relaxed); }  // NOLINT; relaxed: see above
  Figure& operator=(T value) {
    value_.store(value, std::memory_order_relaxed);  // relaxed: see above
    return *this;
  }
  Figure& operator+=(T value) { return *this = static_cast<T>(*this + value); }
  Figure& operator-=(T value) { return *this = static_cast<T>(*this - value); }

 private:
  std::atomic<T> value_{};
};

}  // namespace osmem
