#include "allocator/osmem/pages/page_heap.hpp"

#include <algorithm>
#include <bit>

#include "allocator/osmem/base/check.hpp"
#include "allocator/osmem/base/fork_order.hpp"

namespace osmem {

void PageHeap::attach(Chunk* chunks, const PageSource* source, Demand* demand) {
  chunks_ = chunks;
  source_ = source;
  demand_ = demand;
}

// Exact up to 16 pages, then four bins a doubling. Monotonic, so every chunk of a higher bin has a longer run.
std::uint32_t PageHeap::bin_of(std::uint32_t pages) {
  if (pages <= 16) return pages;
  const auto log = static_cast<std::uint32_t>(std::bit_width(pages) - 1);  // >= 4
  return 16 + (log - 4) * 4 + ((pages >> (log - 2)) & 3);
}

std::uint32_t PageHeap::run_length(const Chunk& chunk, std::uint32_t first) {
  const std::uint32_t next_start = chunk.start.next_set(first + 1);
  const std::uint32_t next_free = chunk.used.next_clear(first + 1);
  const std::uint32_t next_absent = chunk.absent.next_set(first + 1);
  return std::min({next_start, next_free, next_absent}) - first;
}

std::uint32_t PageHeap::longest_free_run(const Chunk& chunk) {
  std::uint32_t longest = 0;
  for (std::uint32_t page = chunk.used.next_clear(0); page < kPagesPerChunk;) {
    const std::uint32_t end = chunk.used.next_set(page);
    if (end - page > longest) longest = end - page;
    page = chunk.used.next_clear(end);
  }
  return longest;
}

// The free run that holds the request with the fewest clean pages where it will touch them, of those the shortest, lowest
// address first; cut from its aligned front.
PageHeap::Fit PageHeap::best_fit(const Chunk& chunk, const Request& request) {
  const std::uint32_t pages = request.pages;
  const std::uint32_t align_pages = request.align_pages;
  const std::uint32_t likely_pages = request.likely_pages;
  Fit fit;
  const std::uint32_t least = least_clean(likely_pages, chunk.dirty_pages);
  std::uint32_t best_pages = 0;
  std::uint32_t best_run = 0;
  std::uint32_t longest = 0;  // of the runs other than the best
  for (std::uint32_t page = chunk.used.next_clear(0); page < kPagesPerChunk;) {
    const std::uint32_t end = chunk.used.next_set(page);
    const std::uint32_t length = end - page;
    const std::uint32_t aligned = (page + align_pages - 1) & ~(align_pages - 1);
    std::uint32_t passed_over = length;
    if (aligned + pages <= end && (!fit.found || length < best_pages || fit.clean_pages > least)) {
      const std::uint32_t dirty = chunk.dirty_pages == 0 ? 0 : chunk.dirty.count_range(aligned, likely_pages);
      const std::uint32_t clean = likely_pages - dirty;
      if (!fit.found || clean < fit.clean_pages || (clean == fit.clean_pages && length < best_pages)) {
        passed_over = fit.found ? best_pages : 0;
        best_pages = length;
        best_run = page;
        fit.first = aligned;
        fit.found = true;
        fit.clean_pages = clean;
      }
    }
    if (passed_over > longest) longest = passed_over;
    const bool best = fit.found && fit.clean_pages == least && best_pages == pages;
    if (best && longest >= chunk.longest_run) break;
    page = chunk.used.next_clear(end);
  }
  if (!fit.found) return fit;
  const std::uint32_t before = fit.first - best_run;
  const std::uint32_t after = best_pages - before - pages;
  if (before > longest) longest = before;
  fit.longest_after = after > longest ? after : longest;
  return fit;
}

PageHeap::Run PageHeap::allocate_or_grow(const Request& request) {
  Run run = allocate_locked(request);
  if (!run.found && grow(request)) run = allocate_locked(request);
  return run;
}

PageHeap::Run PageHeap::allocate(std::uint32_t pages, std::uint32_t align_pages) {
  Guard guard(lock_);
  const Run run = allocate_or_grow({pages, align_pages, pages, false});
  if (!run.found) return run;
  demand_->need(pages, run.dirty_pages);
  return run;
}

PageHeap::Place PageHeap::find_run(std::uint32_t first_page) {
  const std::uint32_t index = first_page / kPagesPerChunk;
  const std::uint32_t offset = first_page % kPagesPerChunk;
  Chunk& chunk = chunks_[index];
  if (index >= chunk_count_ || !chunk.initialised || !chunk.start.test(offset)) return {};
  return {&chunk, index, offset, run_length(chunk, offset)};
}

PageHeap::Run PageHeap::allocate_gradual(std::uint32_t pages, std::uint32_t align_pages, std::uint32_t likely_pages) {
  Guard guard(lock_);
  return allocate_or_grow({pages, align_pages, likely_pages, true});
}

PageHeap::Run PageHeap::allocate_locked(const Request& request) {
  const std::uint32_t pages = request.pages;
  // From the bin of `sure_pages` on, any chunk will do whatever its alignment; below, a chunk may or may not.
  const std::uint32_t sure_pages = pages + request.align_pages - 1;
  const std::uint32_t sure_bin =
      sure_pages > kPagesPerChunk ? kBins : bin_of(sure_pages) + (sure_pages > 16 ? 1 : 0);
  // A place with more clean pages than a quarter, or than there must be, waits for a better one.
  const std::uint32_t good_enough =
      std::max(least_clean(request.likely_pages, dirty_pages_), request.likely_pages / 4);
  Fit best;
  std::uint32_t best_chunk = 0;
  int looks = kMaxTries;
  std::uint64_t bins = nonempty_bins_ & (~std::uint64_t{0} << bin_of(pages));
  while (bins != 0) {
    const auto bin = static_cast<std::uint32_t>(std::countr_zero(bins));
    bins &= bins - 1;
    int tries = bin >= sure_bin ? INT32_MAX : kMaxTries;
    for (std::uint32_t c = bins_[bin] - 1; c != kNoChunk && tries > 0; c = chunks_[c].next, --tries) {
      if (best.found && --looks == 0) return take(best_chunk, best, request);
      const Chunk& chunk = chunks_[c];
      if (chunk.longest_run < pages) continue;
      if (best.found && least_clean(request.likely_pages, chunk.dirty_pages) >= best.clean_pages) continue;
      const Fit fit = best_fit(chunk, request);
      if (!fit.found || (best.found && fit.clean_pages >= best.clean_pages)) continue;
      if (fit.clean_pages <= good_enough) return take(c, fit, request);
      best = fit;
      best_chunk = c;
    }
  }
  if (best.found) return take(best_chunk, best, request);
  return {};
}

// Free pages that are about to be handed out. Where they are the first to touch a huge page, all of it becomes resident: the rest is supply
// from then on. Who will write what it takes (`written`) gets one, where it stays within bounds: so from a demand on of which it is no
// more than the slack. For others its place has small pages.
void PageHeap::touch_huge(std::uint32_t chunk_index, std::uint32_t first, std::uint32_t pages, bool written) {
  Chunk& chunk = chunks_[chunk_index];
  for (std::uint32_t i = first / kHugePages; i <= (first + pages - 1) / kHugePages; ++i) {
    const std::uint32_t begin = i * kHugePages;
    if (chunk.used.count_range(begin, kHugePages) != 0 || chunk.dirty.count_range(begin, kHugePages) != 0) continue;
    const std::uint32_t page = chunk_index * kPagesPerChunk + begin;
    const bool is_huge = (chunk.huge.load(std::memory_order_relaxed) >> i & 1) != 0;  // relaxed: nobody purges a part of free pages here
    if (!written || !demand_->has_room(kHugePages)) {
      if (is_huge) source_->set_huge(page, false);
      continue;
    }
    if (!is_huge && !source_->set_huge(page, true)) continue;
    set_dirty(chunk_index, begin, kHugePages);
    demand_->unneed(0, kHugePages);
  }
}

PageHeap::Run PageHeap::take(std::uint32_t chunk_index, const Fit& fit, const Request& request) {
  Chunk& chunk = chunks_[chunk_index];
  const std::uint32_t pages = request.pages;
  if (chunk.free_pages >= chunk.dirty_pages + kHugePages) touch_huge(chunk_index, fit.first, pages, request.written);
  const std::uint32_t dirty = chunk.dirty.count_range(fit.first, pages);
  const std::uint64_t touched = dirty == 0 ? 0 : chunk.dirty.bits(fit.first, std::min(pages, kMaxGradualPages));
  chunk.dirty.clear_range(fit.first, pages);
  chunk.start.set(fit.first);
  order_writes();  // after a fork in between, the run in front must not seem longer
  chunk.used.set_range(fit.first, pages);
  chunk.free_pages = static_cast<std::uint16_t>(chunk.free_pages - pages);
  chunk.dirty_pages = static_cast<std::uint16_t>(chunk.dirty_pages - dirty);
  chunk.longest_run = static_cast<std::uint16_t>(fit.longest_after);
  rebin(chunk_index);
  used_pages_ += pages;
  peak_used_pages_ = std::max<std::size_t>(peak_used_pages_, used_pages_);
  free_pages_ -= pages;
  dirty_pages_ -= dirty;
  return {chunk_index * kPagesPerChunk + fit.first, true, dirty == 0, static_cast<std::uint16_t>(touched), dirty};
}

bool PageHeap::grow(const Request& request) {
  const std::uint32_t pages = request.pages;
  const std::uint32_t align_pages = request.align_pages;
  // Runs do not cross chunks, so the source may have to give several times: the rest of this chunk, then enough to reach an
  // aligned place in a fresh one, then enough to get past a chunk that was given up in a fork.
  const std::uint32_t asked_pages[] = {pages, pages + align_pages, pages + align_pages + kPagesPerChunk};
  for (const std::uint32_t asked : asked_pages) {
    const PageRange range = source_->grow(asked);
    if (range.pages == 0) return false;
    bool fits = false;
    for (std::uint32_t page = range.first_page, left = range.pages; left != 0;) {
      const std::uint32_t offset = page % kPagesPerChunk;
      const std::uint32_t taken = left < kPagesPerChunk - offset ? left : kPagesPerChunk - offset;
      const std::uint32_t index = page / kPagesPerChunk;
      if (index >= first_chunk_) add_free(index, offset, taken);
      if (index >= first_chunk_ && chunks_[index].longest_run >= pages && best_fit(chunks_[index], request).found) fits = true;
      page += taken;
      left -= taken;
    }
    if (fits) return true;
  }
  return false;
}

void PageHeap::add_free(std::uint32_t chunk_index, std::uint32_t first, std::uint32_t pages) {
  Chunk& chunk = chunks_[chunk_index];
  if (chunk_index >= chunk_count_) chunk_count_ = chunk_index + 1;
  order_writes();  // a chunk whose books a fork finds half written is among those that the child gives up
  if (!chunk.initialised) {
    chunk.initialised = true;
    chunk.used.set_range(0, kPagesPerChunk);
    chunk.absent.set_range(0, kPagesPerChunk);
    chunk.bin = kNoBin;
  }
  chunk.used.clear_range(first, pages);
  chunk.absent.clear_range(first, pages);
  chunk.free_pages = static_cast<std::uint16_t>(chunk.free_pages + pages);
  chunk.longest_run = static_cast<std::uint16_t>(longest_free_run(chunk));
  free_pages_ += pages;
  rebin(chunk_index);
}

// Pages become free; the neighbours coalesce by themselves, being bits.
void PageHeap::release(std::uint32_t chunk_index, std::uint32_t first, std::uint32_t pages) {
  Chunk& chunk = chunks_[chunk_index];
  chunk.used.clear_range(first, pages);
  const std::uint32_t begin = chunk.used.end_of_set_before(first);
  const std::uint32_t end = chunk.used.next_set(first + pages);
  if (end - begin > chunk.longest_run) chunk.longest_run = static_cast<std::uint16_t>(end - begin);
  chunk.free_pages = static_cast<std::uint16_t>(chunk.free_pages + pages);
  free_pages_ += pages;
  rebin(chunk_index);
}

// Free pages, none of them dirty so far.
void PageHeap::set_dirty(std::uint32_t chunk_index, std::uint32_t first, std::uint32_t pages) {
  Chunk& chunk = chunks_[chunk_index];
  chunk.dirty.set_range(first, pages);
  const std::uint16_t now = stamp();
  for (std::uint32_t i = first / kStampPages; i <= (first + pages - 1) / kStampPages; ++i) chunk.freed_at[i] = now;
  chunk.dirty_pages = static_cast<std::uint16_t>(chunk.dirty_pages + pages);
  dirty_pages_ += pages;
}

bool PageHeap::free(std::uint32_t first_page) {
  Guard guard(lock_);
  const Place place = find_run(first_page);
  if (place.chunk == nullptr) return false;
  demand_->unneed(place.pages, place.index < first_chunk_ ? 0 : place.pages);
  if (place.index < first_chunk_) {
    give_up(place);
    return true;
  }
  release(place.index, place.offset, place.pages);
  set_dirty(place.index, place.offset, place.pages);
  used_pages_ -= place.pages;
  order_writes();  // as in take()
  place.chunk->start.clear(place.offset);
  return true;
}

bool PageHeap::free_gradual(std::uint32_t first_page, std::uint16_t touched_pages) {
  Guard guard(lock_);
  const Place place = find_run(first_page);
  if (place.chunk == nullptr) return false;
  if (place.index < first_chunk_) {
    demand_->gone(static_cast<std::size_t>(std::popcount(touched_pages)));
    give_up(place);
    return true;
  }
  release(place.index, place.offset, place.pages);
  for (std::uint32_t left = touched_pages; left != 0; left &= left - 1) {
    set_dirty(place.index, place.offset + static_cast<std::uint32_t>(std::countr_zero(left)), 1);
  }
  used_pages_ -= place.pages;
  order_writes();  // as in take()
  place.chunk->start.clear(place.offset);
  return true;
}

// A run of a chunk that a fork gave up.
void PageHeap::give_up(const Place& place) {
  place.chunk->used.clear_range(place.offset, place.pages);  // or the run in front would seem longer
  place.chunk->start.clear(place.offset);
  source_->purge(place.index * kPagesPerChunk + place.offset, place.pages);
}

bool PageHeap::resize(std::uint32_t first_page, std::uint32_t new_pages) {
  Guard guard(lock_);
  const Place place = find_run(first_page);
  if (place.chunk == nullptr || place.index < first_chunk_ || place.offset + new_pages > kPagesPerChunk) return false;
  if (new_pages == place.pages) return true;
  Chunk& chunk = *place.chunk;
  const std::uint32_t end = place.offset + place.pages;
  const std::uint32_t new_end = place.offset + new_pages;
  if (chunk.used.next_set(end) < new_end) return false;
  if (new_pages < place.pages) {
    const std::uint32_t cut = end - new_end;
    demand_->unneed(cut, cut);
    used_pages_ -= cut;
    release(place.index, new_end, cut);
    set_dirty(place.index, new_end, cut);
  } else {
    const std::uint32_t added = new_end - end;
    touch_huge(place.index, end, added, false);
    const std::uint32_t dirty = chunk.dirty.count_range(end, added);
    demand_->need(added, dirty);
    chunk.dirty.clear_range(end, added);
    chunk.used.set_range(end, added);
    chunk.free_pages = static_cast<std::uint16_t>(chunk.free_pages - added);
    chunk.dirty_pages = static_cast<std::uint16_t>(chunk.dirty_pages - dirty);
    chunk.longest_run = static_cast<std::uint16_t>(longest_free_run(chunk));
    rebin(place.index);
    used_pages_ += added;
    free_pages_ -= added;
    dirty_pages_ -= dirty;
    }
  return true;
}

bool PageHeap::absent(std::uint32_t page) {
  Guard guard(lock_);
  const Chunk& chunk = chunks_[page / kPagesPerChunk];
  return !chunk.initialised || chunk.absent.test(page % kPagesPerChunk);
}

void PageHeap::unlink(std::uint32_t chunk_index) {
  Chunk& chunk = chunks_[chunk_index];
  if (chunk.bin == kNoBin) return;
  if (chunk.previous != kNoChunk) {
    chunks_[chunk.previous].next = chunk.next;
  } else {
    bins_[chunk.bin] = chunk.next + 1;  // kNoChunk + 1 is 0: empty
    if (bins_[chunk.bin] == 0) nonempty_bins_ &= ~(std::uint64_t{1} << chunk.bin);
  }
  if (chunk.next != kNoChunk) chunks_[chunk.next].previous = chunk.previous;
  chunk.bin = kNoBin;
}

void PageHeap::rebin(std::uint32_t chunk_index) {
  Chunk& chunk = chunks_[chunk_index];
  const std::uint8_t bin =
      chunk.longest_run == 0 ? kNoBin : static_cast<std::uint8_t>(bin_of(chunk.longest_run));
  if (bin == chunk.bin) return;
  unlink(chunk_index);
  if (bin == kNoBin) return;
  chunk.bin = bin;
  chunk.previous = kNoChunk;
  chunk.next = bins_[bin] - 1;
  if (chunk.next != kNoChunk) chunks_[chunk.next].previous = chunk_index;
  bins_[bin] = chunk_index + 1;
  nonempty_bins_ |= std::uint64_t{1} << bin;
}

void PageHeap::recover_after_fork() {
  if (!lock_.recover_after_fork()) return;
  first_chunk_ = chunk_count_;
  nonempty_bins_ = 0;
  for (std::uint32_t& bin : bins_) bin = 0;
  for (std::uint32_t c = 0; c < chunk_count_; ++c) chunks_[c].bin = kNoBin;
  demand_->gone(dirty_pages_);
  used_pages_ = 0;
  dirty_pages_ = 0;
  free_pages_ = 0;
}

PageHeapStats PageHeap::stats() {
  PageHeapStats stats;
  Guard guard(lock_);
  stats.used_pages = used_pages_;
  stats.peak_used_pages = peak_used_pages_;
  stats.free_pages = free_pages_;
  stats.dirty_pages = dirty_pages_;
  for (std::uint32_t c = first_chunk_; c < chunk_count_; ++c) {
    const Chunk& chunk = chunks_[c];
    if (!chunk.initialised) continue;
    if (chunk.longest_run > stats.longest_run_pages) stats.longest_run_pages = chunk.longest_run;
    for (std::uint32_t page = chunk.used.next_clear(0); page < kPagesPerChunk; ++stats.free_runs) {
      page = chunk.used.next_clear(chunk.used.next_set(page));
    }
  }
  return stats;
}

void PageHeap::check_chunk(const Chunk& chunk) const {
  std::uint32_t free_pages = 0;
  std::uint32_t dirty_pages = 0;
  for (std::uint32_t page = 0; page < kPagesPerChunk; ++page) {
    if (chunk.used.test(page)) {
      check(!chunk.dirty.test(page) || chunk.absent.test(page), "page heap: a page in use counts as dirty");
      continue;
    }
    ++free_pages;
    check(!chunk.start.test(page), "page heap: a run starts on a free page");
    check(!chunk.absent.test(page), "page heap: an absent page is free");
    if (chunk.dirty.test(page)) ++dirty_pages;
  }
  check(free_pages == chunk.free_pages, "page heap: a chunk's free pages are miscounted");
  check(dirty_pages == chunk.dirty_pages, "page heap: a chunk's dirty pages are miscounted");
  check(longest_free_run(chunk) == chunk.longest_run, "page heap: a chunk's longest run is wrong");
  check(chunk.bin == (chunk.longest_run == 0 ? kNoBin : bin_of(chunk.longest_run)),
        "page heap: a chunk hangs in the wrong bin");
}

void PageHeap::check_invariants() {
  Guard guard(lock_);
  std::size_t free_pages = 0;
  std::size_t dirty_pages = 0;
  for (std::uint32_t c = first_chunk_; c < chunk_count_; ++c) {
    if (!chunks_[c].initialised) continue;
    check_chunk(chunks_[c]);
    free_pages += chunks_[c].free_pages;
    dirty_pages += chunks_[c].dirty_pages;
  }
  check(free_pages == free_pages_, "page heap: free pages are miscounted");
  check(dirty_pages == dirty_pages_, "page heap: dirty pages are miscounted");
}

}  // namespace osmem
