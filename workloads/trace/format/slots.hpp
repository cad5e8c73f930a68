// Which slots are taken, and by how many bytes: the state that the writer and every reader of a
// trace share.
//
// A new object takes the slot that was released last, or the next new one. Not thread-safe.
#pragma once

#include <cstdint>

#include "workloads/trace/format/format.hpp"
#include "workloads/trace/format/system_vector.hpp"

namespace trace {

class Slots {
 public:
  // REQUIRES: live_objects() < kMaxLiveObjects.
  std::uint32_t take(std::uint64_t bytes) {
    std::uint32_t slot = static_cast<std::uint32_t>(bytes_.size());
    if (free_.empty()) {
      bytes_.push_back(bytes);
    } else {
      slot = free_.back();
      free_.pop_back();
      bytes_[slot] = bytes;
    }
    add(bytes);
    return slot;
  }
  // REQUIRES for the rest: live(slot).
  void resize(std::uint32_t slot, std::uint64_t bytes) {
    live_bytes_ -= bytes_[slot];
    bytes_[slot] = bytes;
    live_bytes_ += bytes;
    peak_bytes_ = live_bytes_ > peak_bytes_ ? live_bytes_ : peak_bytes_;
  }
  void release(std::uint32_t slot) {
    live_bytes_ -= bytes_[slot];
    --live_objects_;
    bytes_[slot] = kFreed;
    free_.push_back(slot);
  }
  [[nodiscard]] std::uint64_t bytes(std::uint32_t slot) const { return bytes_[slot]; }

  [[nodiscard]] bool live(std::uint64_t slot) const {
    return slot < bytes_.size() && bytes_[static_cast<std::size_t>(slot)] != kFreed;
  }
  [[nodiscard]] std::uint32_t size() const { return static_cast<std::uint32_t>(bytes_.size()); }
  [[nodiscard]] std::uint64_t live_bytes() const { return live_bytes_; }
  [[nodiscard]] std::uint64_t live_objects() const { return live_objects_; }
  [[nodiscard]] std::uint64_t peak_bytes() const { return peak_bytes_; }
  [[nodiscard]] std::uint64_t peak_objects() const { return peak_objects_; }

 private:
  static constexpr std::uint64_t kFreed = ~std::uint64_t{0};

  void add(std::uint64_t bytes) {
    live_bytes_ += bytes;
    ++live_objects_;
    peak_bytes_ = live_bytes_ > peak_bytes_ ? live_bytes_ : peak_bytes_;
    peak_objects_ = live_objects_ > peak_objects_ ? live_objects_ : peak_objects_;
  }

  SystemVector<std::uint64_t> bytes_;  // by slot; kFreed where there is no object
  SystemVector<std::uint32_t> free_;   // released slots, the last one on top
  std::uint64_t live_bytes_ = 0;
  std::uint64_t live_objects_ = 0;
  std::uint64_t peak_bytes_ = 0;
  std::uint64_t peak_objects_ = 0;
};

}  // namespace trace
