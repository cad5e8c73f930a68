// L1: how much of its pages a run's owner touches, learned from the runs that come back.
//
// Buffers are often longer than what is put into them. If all their pages counted as needed, the peak would be too high, and
// dirty pages would be kept in room that is not there. So runs that come back are looked at: what the system holds of them
// tells what was touched. By length, because what is of one length is often of one kind. A look is a system call;
// where runs are touched whole, one of kLookInterval is looked at.
//
// Not thread-safe: the page heap's lock.
#pragma once

#include <cstdint>

namespace osmem {

class TouchedShare {
 public:
  // Of a run of `pages`, how many will be touched: 1..pages.
  [[nodiscard]] std::uint32_t expected(std::uint32_t pages) const {
    if (whole()) return pages;
    const std::uint32_t touched = pages * (kWhole - untouched_) / kWhole;
    return touched != 0 ? touched : 1;
  }

  // Whether a run that comes back is to be looked at.
  bool wants_look() { return !whole() || looks_++ % kLookInterval == 0; }

  // Of `pages` that were untouched when a run was taken, `touched` are resident now that it comes back.
  void learn(std::uint32_t touched, std::uint32_t pages) {
    const std::uint32_t untouched = kWhole * (pages - touched) / pages;
    if (learned_ < kMostWeight) ++learned_;
    untouched_ = static_cast<std::uint16_t>((untouched_ * (learned_ - 1U) + untouched + learned_ / 2U) / learned_);
  }

 private:
  static constexpr std::uint32_t kWhole = 4096;        // shares are of this
  static constexpr std::uint32_t kMostWeight = 8;      // of all looks so far to the next one, at most
  static constexpr std::uint32_t kLookInterval = 8;
  [[nodiscard]] bool whole() const { return untouched_ < kWhole / 4; }

  // Zero, so that tables of these need no initialisation: everything is expected to be touched at first.
  std::uint16_t untouched_ = 0;
  std::uint8_t looks_ = 0;
  std::uint8_t learned_ = 0;  // looks that told something, kMostWeight at most
};

}  // namespace osmem
