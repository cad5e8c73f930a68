// L1: the page heap. It hands out runs of whole pages from one growing range of address space.
//
// Pages are counted from the start of that range. Books are kept per chunk of 1,024 pages, out of band, as four bit
// sets: used (not free), start (first page of a run), dirty (free, may hold old contents and be resident), absent
// (used, but in no run: not given by the source, or just being purged). Splitting and coalescing are writes of bit ranges; a
// free page that is not dirty reads as zero.
//
//   used    0 0 1 1 1 1 1 0 0 0 1 1 1 1     a run of 3 and one of 2 pages, three free pages, a run of 2, two absent
//   start   0 0 1 0 0 1 0 0 0 0 1 0 0 0
//   dirty   1 0 . . . . . 0 1 0 . . . .
//   absent  0 0 0 0 0 0 0 0 0 0 0 0 1 1
//
// Chunks hang in bins by the length of their longest free run. A request looks into the smallest sufficient bin first, and
// takes the place where it will touch the fewest clean pages, of those the shortest free run: dirty pages elsewhere would have
// to go back for clean ones. O(kMaxTries chunks of each bin until one has room, and kMaxTries more) times O(free runs of a chunk).
//
// Each 64 pages have a stamp: when one of them became dirty last. Which dirty pages go back, and when: store.hpp.
//
// Thread-safe: one lock, taken by every public function unless it says otherwise. System calls for purging are made
// outside the lock, on pages marked used meanwhile.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>

#include "allocator/osmem/base/config.hpp"
#include "allocator/osmem/base/figure.hpp"
#include "allocator/osmem/pages/demand.hpp"
#include "allocator/osmem/base/lock.hpp"
#include "allocator/osmem/pages/run_bits.hpp"

namespace osmem {

struct PageRange {
  std::uint32_t first_page = 0;
  std::uint32_t pages = 0;  // 0: none
};

// A bit for each page of a chunk.
using PageBits = RunBits<kPagesPerChunk>;

// Where the page heap's pages come from, and how they go back. A table of functions rather than a class, so that tests
// can put a model in its place while the heap stays constant-initialised.
struct PageSource {
  // At least `min_pages` new pages that read as zero, above all pages given before, starting on a slice; none on failure.
  PageRange (*grow)(std::uint32_t min_pages);
  // Gives the pages' memory back; they read as zero afterwards. False: nothing happened.
  bool (*purge)(std::uint32_t first_page, std::uint32_t pages);
  // A clock that never goes back.
  std::uint64_t (*now_ms)();
  // Whether the kHugePages pages from there on, a multiple of that number, all free, become resident together at the first touch of
  // one. False: they do not. Until a part of them goes back: purge() ends it.
  bool (*set_huge)(std::uint32_t first_page, bool huge);
};

// Pages of a huge page.
inline constexpr std::uint32_t kHugePages = kHugePageBytes / kPageBytes;

// Pages that have a stamp of time together: more than a cheap purge spans.
inline constexpr std::uint32_t kStampPages = 64;

struct Chunk {
  PageBits used;
  PageBits start;
  PageBits dirty;
  PageBits absent;
  std::uint32_t next;         // in its bin; kNoChunk at the end
  std::uint32_t previous;     // in its bin; kNoChunk at the front
  std::uint16_t free_pages;
  std::uint16_t longest_run;  // of free pages
  std::uint16_t dirty_pages;
  std::uint8_t bin;           // kNoBin while it has no free page
  bool initialised;
  std::uint16_t freed_at[kPagesPerChunk / kStampPages];  // in units of kStampMs, from some time on; of dirty pages
  // Written by the source, which purges without the lock: bit i, its i-th kHugePages pages become resident together; and bit
  // kHasAdvice + i, the system was told so once, and perhaps the opposite since.
  std::atomic<std::uint8_t> huge;
  static constexpr std::uint32_t kHasAdvice = 4;
};
static_assert(sizeof(Chunk) == 568, "four bit sets of 128 bytes, 16 bytes of counts, 16 stamps, huge pages");

struct PageHeapStats {
  std::size_t used_pages = 0;
  std::size_t free_pages = 0;
  std::size_t dirty_pages = 0;    // part of free_pages
  std::size_t longest_run_pages = 0;
  std::size_t free_runs = 0;
  std::size_t peak_used_pages = 0;
};

class PageHeap {
 public:
  struct Run {
    std::uint32_t first_page = 0;
    bool found = false;
    bool zeroed = false;              // all its pages read as zero for sure
    std::uint16_t touched_pages = 0;  // bit i: its page i may hold something; of the first kMaxGradualPages
    std::uint32_t dirty_pages = 0;    // that may hold something
  };
  static constexpr std::uint32_t kMaxGradualPages = 16;

  // `chunks` has room for every chunk that the source may reach, zeroed when first touched; both outlive the heap.
  constexpr PageHeap() = default;
  void attach(Chunk* chunks, const PageSource* source, Demand* demand);

  // A run of `pages` (1..kPagesPerChunk), its first page a multiple of `align_pages` (a power of two, at most a chunk).
  Run allocate(std::uint32_t pages, std::uint32_t align_pages);

  // The same for a slab: none of its pages counts as needed yet, and the dirty ones are still supply; whoever hands them out tells
  // the demand. The first `likely_pages` (1..pages) will be needed for sure.
  Run allocate_gradual(std::uint32_t pages, std::uint32_t align_pages, std::uint32_t likely_pages);

  // Frees the run of allocate() that starts at `first_page`; false, and nothing happens, if none starts there.
  bool free(std::uint32_t first_page);

  // The same for a run of allocate_gradual(), whose touched pages count as supply by now: only those with their bit in `touched_pages` may
  // hold something.
  bool free_gradual(std::uint32_t first_page, std::uint16_t touched_pages);

  // Gives touched pages of such a run back that are not needed. False: nothing happened. Without the lock; the caller owns the run.
  bool purge_idle(std::uint32_t first_page, std::uint32_t pages) {
    if (!source_->purge(first_page, pages)) return false;
    demand_->gone(pages);
    return true;
  }
  // The same where the caller tells the demand.
  bool purge_quietly(std::uint32_t first_page, std::uint32_t pages) { return source_->purge(first_page, pages); }

  // Whether any page of the chunk is in a run.
  bool uses_chunk(std::uint32_t chunk) {
    Guard guard(lock_);
    return chunk < first_chunk_ || (chunk < chunk_count_ && chunks_[chunk].initialised && chunks_[chunk].free_pages != kPagesPerChunk);
  }

  // Resizes the run in place; false, and nothing happens, if the pages behind it are not free.
  bool resize(std::uint32_t first_page, std::uint32_t new_pages);

  // Whether the page is not part of the heap: other code took this part of the range.
  bool absent(std::uint32_t page);

  // Gives `most_pages` dirty pages back, or some more: those at high addresses first, which are the least likely to be wanted again;
  // only such as were freed `age_ms` ago or earlier, and in ranges of `least_pages` or more. Returns how many went.
  std::size_t purge(std::size_t most_pages, std::uint64_t age_ms, std::uint32_t least_pages);

  // Without the lock; a snapshot that may be a moment old.
  [[nodiscard]] std::size_t dirty_pages() const { return dirty_pages_; }
  [[nodiscard]] std::size_t used_pages() const { return used_pages_; }

  PageHeapStats stats();

  // Calls `visit(first_page, pages, kind)` for each run in order of address; kind: 'u' used, 'f' free and clean, 'd' free
  // and dirty. Holds the lock meanwhile.
  template <typename Visit>
  void for_each_run(Visit visit);

  // Aborts if the books do not agree with themselves. O(chunks).
  void check_invariants();

  // In the child of a fork: if another thread was at work here, gives up the chunks so far (their runs stay valid, and
  // frees of them only return memory) and starts on fresh ones.
  void recover_after_fork();

  Lock& lock() { return lock_; }

 private:
  static constexpr std::uint32_t kBins = 48;
  static constexpr std::uint32_t kNoChunk = UINT32_MAX;
  static constexpr std::uint8_t kNoBin = UINT8_MAX;
  static constexpr int kMaxTries = 8;
  static constexpr std::uint64_t kStampMs = 32;

  struct Request {
    std::uint32_t pages = 0;
    std::uint32_t align_pages = 0;
    std::uint32_t likely_pages = 0;  // that will be touched, from the front
    bool written = false;            // all of it will be, sooner or later
  };

  struct Fit {
    std::uint32_t first = 0;
    bool found = false;
    std::uint32_t clean_pages = 0;    // of the likely ones
    std::uint32_t longest_after = 0;  // the chunk's longest free run once the fit is taken
  };

  static std::uint32_t bin_of(std::uint32_t pages);
  // How many of `pages` are clean at the least where `dirty_pages` are dirty.
  static constexpr std::uint32_t least_clean(std::size_t pages, std::size_t dirty_pages) {
    return static_cast<std::uint32_t>(pages > dirty_pages ? pages - dirty_pages : 0);
  }
  static Fit best_fit(const Chunk& chunk, const Request& request);

  // Where a run lies.
  struct Place {
    Chunk* chunk = nullptr;    // null: there is none
    std::uint32_t index = 0;   // of the chunk
    std::uint32_t offset = 0;  // in the chunk
    std::uint32_t pages = 0;
  };
  Place find_run(std::uint32_t first_page);
  void give_up(const Place& place);

  Run allocate_or_grow(const Request& request);
  Run allocate_locked(const Request& request);
  Run take(std::uint32_t chunk_index, const Fit& fit, const Request& request);
  void touch_huge(std::uint32_t chunk_index, std::uint32_t first, std::uint32_t pages, bool written);
  bool grow(const Request& request);
  void add_free(std::uint32_t chunk_index, std::uint32_t first, std::uint32_t pages);
  void release(std::uint32_t chunk_index, std::uint32_t first, std::uint32_t pages);
  void set_dirty(std::uint32_t chunk_index, std::uint32_t first, std::uint32_t pages);
  struct Victims {
    std::size_t most_pages = 0;
    std::uint16_t least_age = 0;  // in units of kStampMs
    std::uint16_t now = 0;        // likewise, as stamps are
    std::uint32_t least_pages = 0;
  };
  std::size_t purge_chunk(std::uint32_t chunk_index, const Victims& victims);
  static PageRange last_victim(const Chunk& chunk, const Victims& victims, std::uint32_t before);
  bool purge_range(std::uint32_t chunk_index, PageRange range, std::uint32_t dirty);
  [[nodiscard]] std::uint16_t stamp() const { return static_cast<std::uint16_t>(source_->now_ms() / kStampMs); }
  static std::uint32_t last_dirty_end(const Chunk& chunk, std::uint32_t before);
  void rebin(std::uint32_t chunk_index);
  void unlink(std::uint32_t chunk_index);
  static std::uint32_t longest_free_run(const Chunk& chunk);
  static std::uint32_t run_length(const Chunk& chunk, std::uint32_t first);
  void check_chunk(const Chunk& chunk) const;

  Lock lock_;
  // Guarded by lock_:
  Chunk* chunks_ = nullptr;
  const PageSource* source_ = nullptr;
  Demand* demand_ = nullptr;
  std::uint32_t chunk_count_ = 0;        // chunks in use: [first_chunk_, chunk_count_)
  std::uint32_t first_chunk_ = 0;        // chunks below were given up by a fork
  std::uint64_t nonempty_bins_ = 0;      // bit b: bins_[b] holds a chunk
  std::uint32_t bins_[kBins] = {};       // index of the first chunk + 1; 0: empty
  Figure<std::size_t> used_pages_;
  std::size_t free_pages_ = 0;
  Figure<std::size_t> dirty_pages_;
  std::size_t peak_used_pages_ = 0;
};

template <typename Visit>
void PageHeap::for_each_run(Visit visit) {
  Guard guard(lock_);
  for (std::uint32_t c = first_chunk_; c < chunk_count_; ++c) {
    const Chunk& chunk = chunks_[c];
    if (!chunk.initialised) continue;
    std::uint32_t page = 0;
    while (page < kPagesPerChunk) {
      std::uint32_t end;
      char kind;
      if (chunk.absent.test(page)) {
        kind = 'x';
        end = chunk.absent.next_clear(page);
      } else if (chunk.used.test(page)) {
        kind = 'u';
        end = page + run_length(chunk, page);
      } else {
        kind = chunk.dirty.test(page) ? 'd' : 'f';
        end = chunk.used.next_set(page);
        const std::uint32_t change =
            kind == 'd' ? chunk.dirty.next_clear(page) : chunk.dirty.next_set(page);
        if (change < end) end = change;
      }
      if (kind != 'x') visit(c * kPagesPerChunk + page, end - page, kind);
      page = end;
    }
  }
}

}  // namespace osmem
