// L1: what the heap keeps resident, and how much of it was ever needed at one time.
//
// A free page that is still resident (dirty) saves a page fault when it is wanted again, and costs memory when others are
// touched beside it. So dirty pages may fill the room between what is needed now and the most that was needed so far, and
// some more; what goes beyond has to go back before fresh pages are touched. Then dirty pages do not raise the peak, and a load
// that has seen its peak gives pages back only where its requests find no place among the dirty ones.
//
//   pages   | needed | idle: resident, in use for nobody yet | dirty |
//           |<------------------- resident ------------------------->|  <=  peak of needed + slack
//
// Counts are of pages, and estimates: of a slab, the pages whose blocks were handed out so far are needed; of a run, as many as
// runs of that length were found to touch.
// Thread-safe, without locks: sums that may be read a moment late. All functions are O(1).
#pragma once

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <cstdint>

namespace osmem {

// How far above the peak of what is needed dirty pages may go, in percent of it. More saves page faults where loads change their shape.
inline constexpr std::size_t kDefaultSlackPercent = 2;

class Footprint {
 public:
  // Not while others may ask.
  void set_slack(std::size_t percent) { slack_percent_ = static_cast<std::ptrdiff_t>(percent); }

  // `pages` more are needed, `were_idle` of them counted as idle before.
  void need(std::ptrdiff_t pages, std::ptrdiff_t were_idle) {
    if (were_idle != 0) add(idle_, -were_idle);
    const std::ptrdiff_t needed = add(needed_, pages);
    std::ptrdiff_t peak = get(peak_);
    // Relaxed: see above.
    while (needed > peak && !peak_.compare_exchange_weak(peak, needed, std::memory_order_relaxed)) {
    }
  }

  // The pages are not needed any more; `become_idle` of them are still resident and in use.
  void unneed(std::ptrdiff_t pages, std::ptrdiff_t become_idle) {
    add(needed_, -pages);
    if (become_idle != 0) add(idle_, become_idle);
  }

  // Pages of runs that came into use with old contents, or (less than 0) went out of use.
  void add_idle(std::ptrdiff_t pages) {
    if (pages != 0) add(idle_, pages);
  }

  // Whether that many more needed pages make a new peak.
  [[nodiscard]] bool would_raise_peak(std::ptrdiff_t pages) const { return get(needed_) + pages > get(peak_); }

  // How many resident pages have to go back, beside so many dirty ones; 0 while all is within bounds.
  [[nodiscard]] std::size_t excess(std::size_t dirty_pages) const {
    const std::ptrdiff_t resident = get(needed_) + get(idle_) + static_cast<std::ptrdiff_t>(dirty_pages);
    const std::ptrdiff_t peak = get(peak_);
    const std::ptrdiff_t slack = std::max(kLeastSlackPages, peak * slack_percent_ / 100);
    if (resident <= peak + slack) return 0;
    // Half of the slack besides, so that the next one comes some pages later.
    return static_cast<std::size_t>(resident - peak - slack / 2);
  }

  // Old peaks count less and less: half of what is above the present need is forgotten.
  void age() { set_peak(get(peak_) - (get(peak_) - get(needed_)) / 2); }

  // So many pages counted as needed, and do not now, but were never touched.
  void lower_peak(std::uint32_t pages) { set_peak(std::max(get(peak_) - static_cast<std::ptrdiff_t>(pages), get(needed_))); }

  // What is needed now is the peak from here on.
  void forget_peak() { set_peak(get(needed_)); }

  // The dirty pages cannot go back: nobody tries again before as many more are resident.
  void accept(std::size_t dirty_pages) {
    set_peak(get(needed_) + get(idle_) + 2 * static_cast<std::ptrdiff_t>(dirty_pages));
  }

 private:
  static constexpr std::ptrdiff_t kLeastSlackPages = 16;

  using Count = std::atomic<std::ptrdiff_t>;
  // Relaxed: nothing hangs on the order, see the top.
  static std::ptrdiff_t get(const Count& count) { return count.load(std::memory_order_relaxed); }
  static std::ptrdiff_t add(Count& count, std::ptrdiff_t pages) {
    return count.fetch_add(pages, std::memory_order_relaxed) + pages;  // relaxed: as above
  }
  void set_peak(std::ptrdiff_t pages) { peak_.store(pages, std::memory_order_relaxed); }  // relaxed: as above

  Count needed_{0};
  Count idle_{0};
  Count peak_{0};  // of needed_
  std::ptrdiff_t slack_percent_ = kDefaultSlackPercent;
};

}  // namespace osmem
