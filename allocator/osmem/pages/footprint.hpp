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
// The slack is small, and grows step by step up to kWidestSlackPercent where that would save time that counts: where half as many pages
// as the peak went back so fast that they and the page faults after them take a tenth of a processor's time. It shrinks again when
// hardly any go back.
//
// Counts are of pages, and estimates: of a slab, the pages whose blocks were handed out so far are needed; of a run, all.
// Thread-safe, without locks: sums that may be read a moment late. All functions are O(1).
#pragma once

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <cstdint>

namespace osmem {

// How far above the peak of what is needed dirty pages may go, in percent of it: at first, and at most. More saves page faults where
// loads change their shape.
inline constexpr std::size_t kDefaultSlackPercent = 1;
inline constexpr std::size_t kWidestSlackPercent = 12;

class Footprint {
 public:
  // The slack at first; it does not grow from 0 or from kWidestSlackPercent on. Not while others may ask.
  void set_slack(std::size_t percent) { least_slack_percent_ = static_cast<std::ptrdiff_t>(percent); }

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
    const std::ptrdiff_t slack = std::max(kLeastSlackPages, peak * slack_percent() / 100);
    if (resident <= peak + slack) return 0;
    // Half of the slack besides, so that the next one comes some pages later.
    return static_cast<std::size_t>(resident - peak - slack / 2);
  }

  // So many dirty pages went back to stay within the bounds. One caller at a time.
  void count_purged(std::size_t pages, std::uint64_t now_ms) {
    if (get(window_start_ms_) == 0) start_window(now_ms);
    const std::ptrdiff_t purged = add(purged_, static_cast<std::ptrdiff_t>(pages));
    if (purged < std::max(kLeastTurnover, get(peak_) / 2)) return;
    const bool costly = purged >= kCostlyPagesPerMs * elapsed_ms(now_ms);
    if (costly && least_slack_percent_ != 0 && slack_percent() < kWidest) set_doublings(get(doublings_) + 1);
    start_window(now_ms);
  }

  // Old peaks count less and less: half of what is above the present need is forgotten. So is half of the slack's growth where hardly
  // any pages went back lately.
  void age(std::uint64_t now_ms) {
    set_peak(get(peak_) - (get(peak_) - get(needed_)) / 2);
    const std::ptrdiff_t elapsed = elapsed_ms(now_ms);
    if (elapsed < kQuietMs || get(purged_) > kCostlyPagesPerMs / 8 * elapsed) return;
    set_doublings(std::max(get(doublings_) - 1, std::ptrdiff_t{0}));
    start_window(now_ms);
  }

  // In percent of the peak, see the top.
  [[nodiscard]] std::ptrdiff_t slack_percent() const {
    return std::min(least_slack_percent_ << get(doublings_), std::max(least_slack_percent_, kWidest));
  }

  // What is needed now is the peak from here on, and the slack is as at first.
  void forget_peak() {
    set_peak(get(needed_));
    set_doublings(0);
  }

  // The dirty pages cannot go back: nobody tries again before as many more are resident.
  void accept(std::size_t dirty_pages) {
    set_peak(get(needed_) + get(idle_) + 2 * static_cast<std::ptrdiff_t>(dirty_pages));
  }

 private:
  static constexpr std::ptrdiff_t kLeastSlackPages = 16;
  static constexpr std::ptrdiff_t kWidest = kWidestSlackPercent;
  static constexpr std::ptrdiff_t kLeastTurnover = 256;  // pages; fewer are gone within a step of the coarse clock
  // To give a page back and fault another one in takes about 2 us: a tenth of a processor's time.
  static constexpr std::ptrdiff_t kCostlyPagesPerMs = 50;
  static constexpr std::ptrdiff_t kQuietMs = 100;

  using Count = std::atomic<std::ptrdiff_t>;
  // Relaxed: nothing hangs on the order, see the top.
  static std::ptrdiff_t get(const Count& count) { return count.load(std::memory_order_relaxed); }
  static std::ptrdiff_t add(Count& count, std::ptrdiff_t pages) {
    return count.fetch_add(pages, std::memory_order_relaxed) + pages;  // relaxed: as above
  }
  // Of the window in which purged_ is counted.
  [[nodiscard]] std::ptrdiff_t elapsed_ms(std::uint64_t now_ms) const {
    return static_cast<std::ptrdiff_t>(now_ms) - get(window_start_ms_);
  }
  void start_window(std::uint64_t now_ms) {
    purged_.store(0, std::memory_order_relaxed);  // relaxed, and below: see the top
    window_start_ms_.store(static_cast<std::ptrdiff_t>(now_ms), std::memory_order_relaxed);
  }
  void set_doublings(std::ptrdiff_t doublings) { doublings_.store(doublings, std::memory_order_relaxed); }  // relaxed: as above
  void set_peak(std::ptrdiff_t pages) { peak_.store(pages, std::memory_order_relaxed); }  // relaxed: as above

  Count needed_{0};
  Count idle_{0};
  Count peak_{0};             // of needed_
  Count purged_{0};           // to stay within the bounds, since window_start_ms_
  Count window_start_ms_{0};  // 0: not yet
  Count doublings_{0};        // of the slack
  std::ptrdiff_t least_slack_percent_ = kDefaultSlackPercent;
};

}  // namespace osmem
