// L3: the runs that a thread freed last, kept for its next request of about the same length.
//
// The page heap costs a lock and a search each way; a program that allocates and frees the same few buffers of 32 KiB to
// 2 MiB over and over comes here instead. A request that finds nothing gives all kept runs back before it asks the page
// heap, so best fit and coalescing see every free page of the thread whenever they choose: the cache does not raise the
// thread's peak. Owner thread only.
#pragma once

#include <cstdint>

#include "allocator/osmem/base/figure.hpp"
#include "allocator/osmem/slabs/region.hpp"

namespace osmem {

struct RunCache {
  static constexpr std::uint32_t kSlots = 8;
  static constexpr std::uint32_t kMostPages = kMaxMapThresholdBytes >> kPageShift;  // of all kept runs
  // A run that is longer than the request by at most 1/8 is handed out as it is.
  static constexpr std::uint32_t kOvershootShift = 3;

  PageRange runs[kSlots];       // [0, count), the one freed last at the end
  std::uint32_t count;
  std::uint32_t most_pages;     // at most kMostPages
  Figure<std::uint32_t> pages;  // of all kept runs
  std::uint32_t evicted;        // runs that made room since a run was last asked for

  // A kept run of `wanted` pages, or a little more, starting on a multiple of `align_pages`; the one freed last first. Its
  // contents are old. pages == 0: none; all kept runs have gone to the page heap. O(kSlots).
  PageRange take(std::uint32_t wanted, std::uint32_t align_pages) {
    const std::uint32_t most = wanted + (wanted >> kOvershootShift);
    evicted = 0;
    for (std::uint32_t i = count; i-- != 0;) {
      const PageRange run = runs[i];
      if (run.pages < wanted || run.pages > most || (run.first_page & (align_pages - 1)) != 0) continue;
      remove(i);
      return run;
    }
    release();
    return {};
  }

  // The run freed last, if it is of `wanted` pages or a little more; pages == 0 otherwise, and nothing happens. O(1).
  PageRange take_last(std::uint32_t wanted) {
    evicted = 0;
    if (count == 0) return {};
    const PageRange run = runs[count - 1];
    if (run.pages < wanted || run.pages > wanted + (wanted >> kOvershootShift)) return {};
    --count;
    pages -= run.pages;
    return run;
  }

  // Keeps the run unless another one would have to make room. O(1).
  bool keep_if_room(PageRange run) {
    if (evicted == kSlots || count == kSlots || pages + run.pages > most_pages) return false;
    runs[count++] = run;
    pages += run.pages;
    return true;
  }

  // Keeps the run; those kept longest make room. False: it is too long, or the thread is taking something down: so many
  // have made room since it last asked for a run that it keeps none. O(kSlots), and what the page heap takes.
  bool keep(PageRange run) {
    if (run.pages > most_pages || evicted == kSlots) return false;
    while (count == kSlots || pages + run.pages > most_pages) {
      if (++evicted == kSlots) {
        release();
        return false;
      }
      const PageRange oldest = runs[0];
      remove(0);
      g_page_heap.free(oldest.first_page);
    }
    runs[count++] = run;
    pages += run.pages;
    return true;
  }

  // Gives all kept runs to the page heap.
  void release() {
    while (count != 0) g_page_heap.free(runs[--count].first_page);
    pages = 0;
  }

 private:
  void remove(std::uint32_t index) {
    pages -= runs[index].pages;
    --count;
    for (std::uint32_t i = index; i < count; ++i) runs[i] = runs[i + 1];
  }
};

}  // namespace osmem
