// How the page heap gives pages back: the part of PageHeap that purges, with the lock open meanwhile.
#include <algorithm>

#include "allocator/osmem/base/fork_order.hpp"
#include "allocator/osmem/os/os.hpp"
#include "allocator/osmem/pages/page_heap.hpp"

namespace osmem {

void PageHeap::make_room() {
  Guard guard(lock_);
  make_room_locked();
}

void PageHeap::make_room_locked() {
  const std::size_t excess = std::min<std::size_t>(footprint_.excess(dirty_pages_), dirty_pages_);
  if (excess == 0) return;
  const std::size_t keep_pages = dirty_pages_ - excess;
  const std::size_t purged = purge_locked(keep_pages, kPagesPerSlice) + purge_locked(keep_pages, 1);
  if (purged == 0) {
    footprint_.accept(dirty_pages_);
  } else {
    footprint_.count_purged(purged, os::now_ms());
  }
}

// Highest addresses first: those are the least likely to be wanted again.
std::size_t PageHeap::purge(std::size_t keep_pages, std::uint32_t min_range_pages) {
  Guard guard(lock_);
  return purge_locked(keep_pages, min_range_pages);
}

std::size_t PageHeap::purge_locked(std::size_t keep_pages, std::uint32_t min_range_pages) {
  std::size_t purged = 0;
  for (std::uint32_t c = chunk_count_; c-- > first_chunk_ && dirty_pages_ > keep_pages;) {
    if (chunks_[c].dirty_pages == 0) continue;
    purged += purge_chunk(c, dirty_pages_ - keep_pages, min_range_pages);
  }
  note_dirty_low();
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

// Free ranges from their first dirty page to their last: the clean ones between cost nothing, and save a call.
std::size_t PageHeap::purge_chunk(std::uint32_t chunk_index, std::size_t excess,
                                  std::uint32_t min_range_pages) {
  Chunk& chunk = chunks_[chunk_index];
  std::size_t purged = 0;
  std::uint32_t end = kPagesPerChunk;
  while (purged < excess && (end = last_dirty_end(chunk, end)) != 0) {
    std::uint32_t page = chunk.dirty.next_set(chunk.used.end_of_set_before(end));
    std::uint32_t pages = end - page;
    const std::uint32_t dirty = chunk.dirty.count_range(page, pages);
    if (chunk.free_pages == kPagesPerChunk && dirty == chunk.dirty_pages) {
      // The last ones of an empty chunk: it goes whole, so that the source can give its own books of it back, too.
      page = 0;
      pages = kPagesPerChunk;
    }
    if (pages >= min_range_pages) {
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
        purged += dirty;
      } else {
        chunk.dirty_pages = static_cast<std::uint16_t>(chunk.dirty_pages + dirty);
        dirty_pages_ += dirty;
      }
      release(chunk_index, page, pages);
      order_writes();  // as in take()
      chunk.absent.clear_range(page, pages);
    }
    end = page;
  }
  return purged;
}

std::size_t PageHeap::take_low_water() {
  Guard guard(lock_);
  const std::size_t low = low_water_pages_;
  low_water_pages_ = dirty_pages_;
  return low;
}

}  // namespace osmem
