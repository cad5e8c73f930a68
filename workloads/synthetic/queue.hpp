// A bounded first-in-first-out queue between the threads of a workload, outside the heap. Any
// thread may call; a mutex guards all, so items are passed several at a time where their number
// matters.
#pragma once

#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <mutex>
#include <span>

#include "workloads/memory.hpp"

namespace workloads {

// When readers begin: at once, or when the queue has been full once or all that was expected has
// been put. The latter makes the greatest number of items that wait, and with it the peak of live
// memory, independent of threads' speeds.
enum class Flow { kAtOnce, kWhenFull };

template <typename T>
class Queue {
 public:
  Queue(std::size_t capacity, Flow flow) : items_(capacity), flowing_(flow == Flow::kAtOnce) {}

  // `total` items will be put in all. Each writer may say so, before its first put.
  void expect(std::uint64_t total) {
    const std::scoped_lock lock(mutex_);
    expected_ = total;
  }

  // Waits for room for all of `items`, at most the capacity.
  void put(std::span<const T> items) {
    std::unique_lock lock(mutex_);
    room_.wait(lock, [&] { return items_.size() - count_ >= items.size(); });
    for (const T& item : items) {
      items_[wrapped(first_ + count_++)] = item;
    }
    put_ += items.size();
    if (count_ == items_.size() || put_ == expected_) {
      flowing_ = true;
    }
    if (flowing_) {
      more_.notify_all();
    }
  }

  // Waits for at least one item, takes as many as there are and fit, returns how many; 0 once
  // closed and empty.
  std::size_t take(std::span<T> items) {
    std::unique_lock lock(mutex_);
    more_.wait(lock, [&] { return (flowing_ && count_ > 0) || closed_; });
    const std::size_t taken = std::min(items.size(), count_);
    for (std::size_t i = 0; i < taken; ++i) {
      items[i] = items_[wrapped(first_ + i)];
    }
    first_ = wrapped(first_ + taken);
    count_ -= taken;
    room_.notify_all();
    return taken;
  }

  // Nothing will be put any more.
  void close() {
    const std::scoped_lock lock(mutex_);
    closed_ = true;
    more_.notify_all();
  }

 private:
  // Of an index below twice the capacity.
  [[nodiscard]] std::size_t wrapped(std::size_t index) const {
    return index < items_.size() ? index : index - items_.size();
  }

  std::mutex mutex_;  // guards all below
  std::condition_variable room_;
  std::condition_variable more_;
  MappedArray<T> items_;  // a ring: count_ items from first_
  std::size_t first_ = 0;
  std::size_t count_ = 0;
  std::uint64_t put_ = 0;
  std::uint64_t expected_ = 0;
  bool flowing_;  // readers may take
  bool closed_ = false;
};

}  // namespace workloads
