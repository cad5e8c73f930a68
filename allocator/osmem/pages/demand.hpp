// L1: how many pages are needed, how many lie free and resident, and how many of these are too many.
//
// Free pages that are still resident are supply: a fault is saved when they are wanted again. They may fill the room between what
// is needed now and the most that was needed lately, and some more (the slack); what goes beyond has to go back. So a burst leaves
// no more behind than the next one of its size would use, and supply hardly raises the peak.
//
//   pages   | needed | supply: dirty, or in a slab but not handed out, or in a mapping that was freed |
//           |<-------------------- resident ----------------------------->|  <=  demand + slack
//
// Lately: in this window and the one before; the caller says how long a window is. Counts are of pages, and estimates: of a slab, the
// pages whose blocks were handed out so far are needed; of a run or a mapping, all.
// Thread-safe, without locks: sums that may be read a moment late. All functions are O(1).
#pragma once

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <cstdint>

#include "allocator/osmem/base/tuning.hpp"

namespace osmem {

class Demand {
 public:
  // The slack: in 1/1024 of the demand, and so many pages at least. At any time.
  void set_slack(std::size_t share, std::size_t least_pages) {
    set(slack_share_, static_cast<std::ptrdiff_t>(share));
    set(least_slack_pages_, static_cast<std::ptrdiff_t>(least_pages));
  }
  // Before anything is counted: how many pages may be resident at most (0: any number).
  void set_limit(std::size_t pages) { near_limit_pages_ = static_cast<std::ptrdiff_t>(pages / 8 * kNearLimitEighths); }

  // `pages` more are needed, `from_supply` pages less are free.
  void need(std::size_t pages, std::size_t from_supply) {
    if (from_supply != 0) add(supply_, -static_cast<std::ptrdiff_t>(from_supply));
    const std::ptrdiff_t needed = add(needed_, static_cast<std::ptrdiff_t>(pages));
    std::ptrdiff_t peak = get(peak_);
    // Relaxed: see above.
    while (needed > peak && !peak_.compare_exchange_weak(peak, needed, std::memory_order_relaxed)) {
    }
  }

  // The opposite.
  void unneed(std::size_t pages, std::size_t to_supply) {
    add(needed_, -static_cast<std::ptrdiff_t>(pages));
    if (to_supply != 0) add(supply_, static_cast<std::ptrdiff_t>(to_supply));
  }

  // So many free pages went back to the system.
  void gone(std::size_t pages) { add(supply_, -static_cast<std::ptrdiff_t>(pages)); }

  [[nodiscard]] std::size_t needed() const { return static_cast<std::size_t>(std::max<std::ptrdiff_t>(get(needed_), 0)); }
  [[nodiscard]] std::size_t supply() const { return static_cast<std::size_t>(std::max<std::ptrdiff_t>(get(supply_), 0)); }

  // The most that was needed lately.
  [[nodiscard]] std::ptrdiff_t peak() const { return std::max(get(peak_), get(previous_peak_)); }

  // Whether that many more needed pages are the most that were needed lately.
  [[nodiscard]] bool would_raise_peak(std::size_t pages) const { return get(needed_) + static_cast<std::ptrdiff_t>(pages) > peak(); }

  [[nodiscard]] bool is_near_limit() const {
    return near_limit_pages_ != 0 && get(needed_) + std::max<std::ptrdiff_t>(get(supply_), 0) > near_limit_pages_;
  }

  // How many free pages have to go back; 0 while all is within bounds.
  [[nodiscard]] std::size_t excess() const {
    const std::ptrdiff_t supply = get(supply_);
    if (supply <= 0) return 0;
    const std::ptrdiff_t resident = get(needed_) + supply;
    if (near_limit_pages_ != 0 && resident > near_limit_pages_) return static_cast<std::size_t>(supply);
    const std::ptrdiff_t demand = peak();
    const std::ptrdiff_t slack = slack_of(demand);
    if (resident <= demand + slack || supply <= get(refused_supply_) + slack) return 0;
    // Half of the slack besides, so that the next time comes some pages later.
    return static_cast<std::size_t>(std::min(supply, resident - demand - slack / 2));
  }

  // Whether so many pages more may become resident at once, wanted or not: within the share of the demand, whatever the least is.
  [[nodiscard]] bool has_room(std::size_t pages) const {
    const std::ptrdiff_t demand = peak();
    const std::ptrdiff_t resident = get(needed_) + std::max<std::ptrdiff_t>(get(supply_), 0);
    const std::ptrdiff_t then = resident + static_cast<std::ptrdiff_t>(pages);
    return then <= demand + demand * get(slack_share_) / 1024 && (near_limit_pages_ == 0 || then <= near_limit_pages_);
  }

  // No more of the free pages could go back: nobody tries again before there are more of them by the slack, or a window has passed.
  void refuse() { set(refused_supply_, get(supply_)); }

  // Once a window has passed the demand before it is forgotten.
  void roll(std::uint64_t now_ms, std::uint64_t window_ms) {
    const auto now = static_cast<std::ptrdiff_t>(now_ms);
    std::ptrdiff_t start = get(window_start_ms_);
    // Relaxed: one caller wins the exchange, and nothing hangs on the order.
    if (now - start < static_cast<std::ptrdiff_t>(window_ms) ||
        !window_start_ms_.compare_exchange_strong(start, now, std::memory_order_relaxed)) {
      return;
    }
    set(previous_peak_, get(peak_));
    set(peak_, get(needed_));
    set(refused_supply_, 0);
  }

  // What is needed now is the demand from here on.
  void forget_peak() {
    set(previous_peak_, 0);
    set(peak_, get(needed_));
    set(refused_supply_, 0);
  }

 private:
  [[nodiscard]] std::ptrdiff_t slack_of(std::ptrdiff_t demand) const {
    return std::max(get(least_slack_pages_), demand * get(slack_share_) / 1024);
  }

  using Count = std::atomic<std::ptrdiff_t>;
  // Relaxed: nothing hangs on the order, see the top.
  static std::ptrdiff_t get(const Count& count) { return count.load(std::memory_order_relaxed); }
  static void set(Count& count, std::ptrdiff_t value) { count.store(value, std::memory_order_relaxed); }  // relaxed: as above
  static std::ptrdiff_t add(Count& count, std::ptrdiff_t pages) {
    return count.fetch_add(pages, std::memory_order_relaxed) + pages;  // relaxed: as above
  }

  Count needed_{0};
  Count supply_{0};
  Count peak_{0};            // of needed_, in this window
  Count previous_peak_{0};   // and in the one before
  Count window_start_ms_{0};
  Count refused_supply_{0};  // 0: none of it was refused
  Count slack_share_{kSlackShare};
  Count least_slack_pages_{kLeastSlackPages};
  std::ptrdiff_t near_limit_pages_ = 0;
};

}  // namespace osmem
