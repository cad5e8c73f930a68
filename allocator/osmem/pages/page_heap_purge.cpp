// How the page heap gives pages back: the part of PageHeap that purges, with the lock open meanwhile.
#include <algorithm>

#include "allocator/osmem/base/fork_order.hpp"
#include "allocator/osmem/base/tuning.hpp"
#include "allocator/osmem/pages/page_heap.hpp"

namespace osmem {

std::size_t PageHeap::purge(std::size_t most_pages, std::uint64_t age_ms, std::uint32_t least_pages) {
  Guard guard(lock_);
  constexpr std::uint64_t kOldest = UINT16_MAX / 2;  // stamps are compared modulo 2^16
  Victims victims;
  victims.least_age = static_cast<std::uint16_t>(std::min(age_ms / kStampMs, kOldest));
  victims.now = stamp();
  victims.least_pages = least_pages;
  std::size_t purged = 0;
  for (std::uint32_t c = chunk_count_; c-- > first_chunk_ && purged < most_pages;) {
    if (chunks_[c].dirty_pages == 0) continue;
    victims.most_pages = most_pages - purged;
    purged += purge_chunk(c, victims);
  }
  return purged;
}

// One past the last dirty free page below `before`; 0 if there is none.
std::uint32_t PageHeap::last_dirty_end(const Chunk& chunk, std::uint32_t before) {
  std::uint32_t end = chunk.dirty.end_of_set_before(before);
  while (end != 0 && chunk.used.test(end - 1)) {
    end = chunk.dirty.end_of_set_before(chunk.used.end_of_clear_before(end));
  }
  return end;
}

// The last free range below `before` that is old enough, from its first dirty page to its last: the clean ones between cost nothing,
// and save a call. pages == 0: none.
PageRange PageHeap::last_victim(const Chunk& chunk, const Victims& victims, std::uint32_t before) {
  const auto young = [&](std::uint32_t stamp) {
    return static_cast<std::uint16_t>(victims.now - chunk.freed_at[stamp]) < victims.least_age;
  };
  std::uint32_t end = last_dirty_end(chunk, before);
  while (end != 0 && young((end - 1) / kStampPages)) end = last_dirty_end(chunk, (end - 1) / kStampPages * kStampPages);
  if (end == 0) return {};
  std::uint32_t floor = chunk.used.end_of_set_before(end);
  for (std::uint32_t i = (end - 1) / kStampPages; i * kStampPages > floor; --i) {
    if (young(i - 1)) floor = i * kStampPages;
  }
  const std::uint32_t first = chunk.dirty.next_set(floor);
  return {first, end - first};
}

std::size_t PageHeap::purge_chunk(std::uint32_t chunk_index, const Victims& victims) {
  Chunk& chunk = chunks_[chunk_index];
  std::size_t purged = 0;
  std::uint32_t end = kPagesPerChunk;
  while (purged < victims.most_pages) {
    PageRange range = last_victim(chunk, victims, end);
    if (range.pages == 0) break;
    end = range.first_page;
    if (range.pages < victims.least_pages) continue;
    // No more of a long range than is asked for, but a cheap purge at least.
    const std::size_t most = std::max<std::size_t>(victims.most_pages - purged, kCheapPurgePages);
    if (range.pages > most) {
      const std::uint32_t first = chunk.dirty.next_set(end + range.pages - static_cast<std::uint32_t>(most));
      range = {first, end + range.pages - first};
    }
    const std::uint32_t dirty = chunk.dirty.count_range(range.first_page, range.pages);
    if (chunk.free_pages == kPagesPerChunk && dirty == chunk.dirty_pages) {
      // The last ones of an empty chunk: it goes whole, so that the source can give its own books of it back, too.
      range = {0, kPagesPerChunk};
    }
    if (purge_range(chunk_index, range, dirty)) purged += dirty;
    end = range.first_page;
  }
  return purged;
}

// Free pages of which so many are dirty. Opens the lock. False: they stay dirty.
bool PageHeap::purge_range(std::uint32_t chunk_index, PageRange range, std::uint32_t dirty) {
  Chunk& chunk = chunks_[chunk_index];
  const auto [page, pages] = range;
  // Absent: nobody takes, frees or extends into these pages while the lock is open.
  chunk.absent.set_range(page, pages);
  order_writes();  // as in take()
  chunk.used.set_range(page, pages);
  chunk.dirty_pages = static_cast<std::uint16_t>(chunk.dirty_pages - dirty);
  chunk.free_pages = static_cast<std::uint16_t>(chunk.free_pages - pages);
  chunk.longest_run = static_cast<std::uint16_t>(longest_free_run(chunk));
  free_pages_ -= pages;
  dirty_pages_ -= dirty;
  rebin(chunk_index);
  lock_.unlock();
  const bool clean = source_->purge(chunk_index * kPagesPerChunk + page, pages);
  lock_.lock();
  if (clean) {
    chunk.dirty.clear_range(page, pages);
    demand_->gone(dirty);
  } else {
    chunk.dirty_pages = static_cast<std::uint16_t>(chunk.dirty_pages + dirty);
    dirty_pages_ += dirty;
  }
  release(chunk_index, page, pages);
  order_writes();  // as in take()
  chunk.absent.clear_range(page, pages);
  return clean;
}

}  // namespace osmem
