#include "allocator/osmem/slabs/region.hpp"

#include <algorithm>

#include "allocator/osmem/base/fork_order.hpp"
#include "allocator/osmem/base/tuning.hpp"
#include "allocator/osmem/os/os.hpp"

namespace osmem {

constinit std::uintptr_t g_heap_base = 0;
constinit std::atomic<std::size_t> g_slice_count{0};
alignas(kCacheLineBytes) constinit std::byte* g_owners = nullptr;
constinit Region g_region;

namespace {

constinit HeapBackEnd g_back_end = HeapBackEnd::kRegion;

// Tables become usable in steps of this size (or the system's page, where that is larger).
constexpr std::size_t kTableStepBytes = std::size_t{64} << 10;

// The heap becomes usable in growing steps: small programs stay small, large ones make few system calls.
constexpr std::size_t kFirstStepBytes = std::size_t{64} << 10;
constexpr std::size_t kMiddleStepBytes = std::size_t{256} << 10;
constexpr std::size_t kLargeStepBytes = std::size_t{2} << 20;

constexpr std::size_t round_up(std::size_t bytes, std::size_t unit) {
  return (bytes + unit - 1) / unit * unit;
}

std::size_t step_bytes(std::size_t committed_bytes, std::size_t end_bytes) {
  if (committed_bytes < kMiddleStepBytes) return kFirstStepBytes;
  if (committed_bytes < kLargeStepBytes) return kMiddleStepBytes;
  // To where a huge page ends, so that the next one can be had whole.
  return round_up(end_bytes + 1, kLargeStepBytes) - end_bytes;
}

// One growing table of the region: which part of it is usable follows from how many entries are.
struct Table {
  std::byte* start;
  std::size_t entry_bytes;

  bool extend(std::size_t from_entries, std::size_t to_entries) const {
    const std::size_t from = round_up(from_entries * entry_bytes, kTableStepBytes);
    const std::size_t to = round_up(to_entries * entry_bytes, kTableStepBytes);
    if (from == to) return true;
    if (!os::commit(start + from, to - from)) return false;
    g_region.metadata_bytes += to - from;
    return true;
  }
};

// Makes the tables usable for slices [0, slices).
bool extend_tables(std::size_t slices) {
  const std::size_t from = g_slice_count.load(std::memory_order_relaxed);  // relaxed: we are the writer
  if (slices <= from) return true;
  if (slices > g_region.max_slices) return false;
  const std::size_t from_chunks = (from + kSlicesPerChunk - 1) / kSlicesPerChunk;
  const std::size_t to_chunks = (slices + kSlicesPerChunk - 1) / kSlicesPerChunk;
  if (!Table{g_owners, sizeof(std::uintptr_t)}.extend(from, slices) ||
      !Table{g_owners + kBinTableOffset, sizeof(Bin*)}.extend(from, slices) ||
      !Table{reinterpret_cast<std::byte*>(g_region.slabs), sizeof(Slab)}.extend(from, slices) ||
      !Table{reinterpret_cast<std::byte*>(g_region.chunks), sizeof(Chunk)}.extend(from_chunks,
                                                                                 to_chunks)) {
    return false;
  }
  // Relaxed: a reader has a block from one of the slices, and how it got the block orders it after this.
  g_slice_count.store(slices, std::memory_order_relaxed);
  return true;
}

// More address space behind the region; where something lies in its way, behind that. That something may be a piece that
// another thread had just reserved when this process was forked from its parent, before it wrote so down.
bool reserve_ahead(std::size_t bytes) {
  constexpr std::size_t kPlaces = 16;
  const std::size_t missing = round_up(bytes - g_region.ahead_bytes, kChunkBytes);
  const std::size_t limit = g_region.max_slices << kSliceShift;
  const std::size_t end = g_region.reserved_bytes();
  if (missing > limit || end > limit - missing) return false;
  // The least that will do, where a limit leaves no more.
  for (const std::size_t more : {missing, round_up(bytes - g_region.ahead_bytes, kGrowBytes)}) {
    if (!os::reserve_at(reinterpret_cast<void*>(g_heap_base + end), more)) continue;
    g_region.ahead_bytes += more;
    return true;
  }
  const std::size_t whole = round_up(bytes, kChunkBytes);
  std::size_t place = round_up(end, kChunkBytes);
  for (std::size_t i = 0; i < kPlaces && whole <= limit && place <= limit - whole; ++i, place += kChunkBytes) {
    if (!os::reserve_at(reinterpret_cast<void*>(g_heap_base + place), whole)) continue;
    g_region.ahead_bytes = 0;  // what was left before the gap is too short for anybody
    order_writes();
    g_region.end_bytes = place;
    order_writes();
    g_region.ahead_bytes = whole;
    return true;
  }
  return false;
}

PageRange grow_region(std::uint32_t min_pages) {
  const std::size_t wanted = round_up(std::size_t{min_pages} << kPageShift, kGrowBytes);
  const std::size_t step = step_bytes(g_region.committed_bytes, g_region.end_bytes);
  std::size_t bytes = wanted > step ? wanted : step;
  if (bytes > g_region.ahead_bytes && wanted <= g_region.ahead_bytes) bytes = wanted;
  // Where a limit does not leave the whole step, what is wanted may still be had.
  if (bytes > g_region.ahead_bytes && !reserve_ahead(bytes)) bytes = wanted;
  if (bytes > g_region.ahead_bytes && !reserve_ahead(bytes)) return {};
  const std::size_t first = g_region.end_bytes;
  if (!extend_tables((first + bytes) >> kSliceShift)) return {};
  auto* end = reinterpret_cast<void*>(g_heap_base + first);
  if (!os::commit(end, bytes)) {
    if (bytes == wanted || !os::commit(end, wanted)) return {};
    bytes = wanted;
  }
  g_region.ahead_bytes -= bytes;
  order_writes();  // after a fork in between, the end of what is reserved looks taken by others
  g_region.end_bytes = first + bytes;
  g_region.committed_bytes += bytes;
  return {static_cast<std::uint32_t>(first >> kPageShift), static_cast<std::uint32_t>(bytes >> kPageShift)};
}

// [start, start + bytes), usable; start 0: none.
struct Extent {
  std::uintptr_t start = 0;
  std::size_t bytes = 0;
};

// By moving the break. Others move it, too, so that the new bytes may lie behind a gap.
Extent extend_by_break(std::size_t bytes) {
  const auto end = reinterpret_cast<std::uintptr_t>(os::break_address());
  if (end == 0 || end < g_heap_base + g_region.end_bytes) return {};
  const std::size_t gap = round_up(end, kGrowBytes) - end;
  const auto start = reinterpret_cast<std::uintptr_t>(os::extend_break(gap + bytes));
  if (start == 0) return {};
  // Another caller of sbrk may have come between the two calls.
  const std::uintptr_t aligned = round_up(start, kGrowBytes);
  return {aligned, (start + gap + bytes - aligned) & ~(kGrowBytes - 1)};
}

// By a mapping above all that the heap has, where the break cannot move: something lies in its way, or this is the child of
// a fork that came while another thread moved it. (The kernel copies the break before the mappings, so that such a
// break ends below a mapping of its own for ever.)
Extent extend_by_mapping(std::size_t bytes) {
  constexpr int kPlaces = 16;
  std::uintptr_t start = round_up(g_heap_base + g_region.end_bytes, kGrowBytes);
  for (int i = 0; i < kPlaces; ++i, start += kChunkBytes) {
    auto* address = reinterpret_cast<void*>(start);
    if (!os::reserve_at(address, bytes)) continue;
    if (os::commit(address, bytes)) return {start, bytes};
    os::unmap(address, bytes);
    return {};
  }
  return {};
}

PageRange grow_break(std::uint32_t min_pages) {
  const std::size_t wanted = round_up(std::size_t{min_pages} << kPageShift, kGrowBytes);
  const std::size_t step = step_bytes(g_region.committed_bytes, g_region.end_bytes);
  Extent extent = extend_by_break(wanted > step ? wanted : step);
  if (extent.bytes < wanted) extent = extend_by_mapping(wanted);
  const std::size_t first = extent.start - g_heap_base;
  if (extent.bytes < wanted || !extend_tables((first + extent.bytes) >> kSliceShift)) {
    return {};
  }
  g_region.end_bytes = first + extent.bytes;
  g_region.committed_bytes += extent.bytes;
  return {static_cast<std::uint32_t>(first >> kPageShift), static_cast<std::uint32_t>(extent.bytes >> kPageShift)};
}

PageRange grow_heap(std::uint32_t min_pages) {
  return g_back_end == HeapBackEnd::kRegion ? grow_region(min_pages) : grow_break(min_pages);
}

// The books of a chunk without a slab: they read as zero, as a slice without a slab has them.
void purge_slab_books(std::uint32_t chunk) {
  Slab* first = &g_region.slabs[std::size_t{chunk} * kSlicesPerChunk];
  constexpr std::size_t kBytes = kSlicesPerChunk * sizeof(Slab);
  if (kBytes % os::page_bytes() == 0) os::purge(first, kBytes);
}

// Places of huge pages with an advice of their own.
constinit std::atomic<std::size_t> g_advised{0};

// With the page heap's lock where `huge`: the pages are free. Relaxed, all of it: a bit guards no data, and the two halves of a chunk are changed
// by different threads.
bool set_huge(std::uint32_t first_page, bool huge) {
  std::atomic<std::uint8_t>& bits = g_region.chunks[first_page / kPagesPerChunk].huge;
  const std::uint32_t index = first_page % kPagesPerChunk / kHugePages;
  const auto is_huge = static_cast<std::uint8_t>(1U << index);
  const auto has_advice = static_cast<std::uint8_t>(is_huge << Chunk::kHasAdvice);
  void* start = g_region.page_start(first_page);
  if (!huge) {
    os::refuse_huge(start, kHugePageBytes);
    bits.fetch_or(has_advice, std::memory_order_relaxed);  // relaxed, and below: see above
    bits.fetch_and(static_cast<std::uint8_t>(~is_huge), std::memory_order_relaxed);
    return true;
  }
  const bool advised = (bits.load(std::memory_order_relaxed) & has_advice) != 0;  // relaxed: see above
  // Relaxed, and below: a figure, and bits as above.
  if (!advised && g_advised.load(std::memory_order_relaxed) >= kMostAdvised) return false;
  if (!os::advise_huge(start, kHugePageBytes)) return false;
  if (!advised) g_advised.fetch_add(1, std::memory_order_relaxed);
  bits.fetch_or(static_cast<std::uint8_t>(is_huge | has_advice), std::memory_order_relaxed);
  return true;
}

// A kernel thread would fill the hole again that is left in a huge page.
void cut_huge_pages(std::uint32_t first_page, std::uint32_t pages) {
  const std::uint32_t end = first_page + pages;
  for (std::uint32_t page = first_page / kHugePages * kHugePages; page < end; page += kHugePages) {
    if (first_page <= page && page + kHugePages <= end) continue;
    const std::uint8_t bits = g_region.chunks[page / kPagesPerChunk].huge.load(std::memory_order_relaxed);  // relaxed: see set_huge()
    if ((bits >> (page % kPagesPerChunk / kHugePages) & 1) != 0) set_huge(page, false);
  }
}

// Only whole system pages can go back; a range that has none stays dirty.
bool purge_pages(std::uint32_t first_page, std::uint32_t pages) {
  const std::size_t bytes = std::size_t{pages} << kPageShift;
  void* start = g_region.page_start(first_page);
  const std::size_t mask = os::page_bytes() - 1;
  if (((reinterpret_cast<std::uintptr_t>(start) | bytes) & mask) != 0) return false;
  cut_huge_pages(first_page, pages);
  if (!os::purge(start, bytes)) return false;
  if (pages == kPagesPerChunk) purge_slab_books(first_page / kPagesPerChunk);
  return true;
}

constexpr PageSource kSource = {grow_heap, purge_pages, os::now_ms, set_huge};

// The owner and bin tables: two ranges at a fixed distance. For less than the full number of slices the space between
// them stays free for others.
bool reserve_fast_tables(std::size_t bytes) {
  if (bytes == kOwnerTableBytes) {
    g_owners = static_cast<std::byte*>(os::reserve(2 * bytes, os::page_bytes()));
    return g_owners != nullptr;
  }
  constexpr int kPlaces = 8;
  std::byte* kept[kPlaces] = {};
  for (std::byte*& place : kept) {
    place = static_cast<std::byte*>(os::reserve(bytes, os::page_bytes()));
    if (place == nullptr) break;
    if (os::reserve_at(place - kBinTableOffset, bytes)) {
      g_owners = place - kBinTableOffset;
      place = nullptr;
      break;
    }
  }
  for (std::byte* place : kept) {
    if (place != nullptr) os::unmap(place, bytes);
  }
  return g_owners != nullptr;
}

constexpr std::size_t kMetadataStepBytes = std::size_t{64} << 10;

constinit Lock g_metadata_lock;
// Guarded by g_metadata_lock:
constinit std::byte* g_metadata_next = nullptr;
constinit std::size_t g_metadata_left_bytes = 0;
constinit std::size_t g_metadata_total_bytes = 0;
constinit std::byte* g_metadata_reserve = nullptr;  // not usable yet
constinit std::size_t g_metadata_reserve_bytes = 0;

// Address space for the tables, and for the first metadata: a limit that the program sets for itself later may leave no room for those.
bool reserve_tables(std::size_t slices) {
  const std::size_t page = os::page_bytes() > kTableStepBytes ? os::page_bytes() : kTableStepBytes;
  const std::size_t fast_bytes = round_up(slices * sizeof(std::uintptr_t), page);
  const std::size_t slab_bytes = round_up(slices * sizeof(Slab), page);
  const std::size_t chunk_bytes = round_up((slices / kSlicesPerChunk + 1) * sizeof(Chunk), page);
  const std::size_t metadata_bytes = round_up(slices * kSliceBytes >> kMetadataReserveShift, page);
  auto* books = static_cast<std::byte*>(os::reserve(slab_bytes + chunk_bytes + metadata_bytes, os::page_bytes()));
  if (books == nullptr) return false;
  if (!reserve_fast_tables(fast_bytes)) {
    os::unmap(books, slab_bytes + chunk_bytes + metadata_bytes);
    return false;
  }
  g_region.slabs = reinterpret_cast<Slab*>(books);
  g_region.chunks = reinterpret_cast<Chunk*>(books + slab_bytes);
  g_region.max_slices = slices;
  g_metadata_reserve = books + slab_bytes + chunk_bytes;
  g_metadata_reserve_bytes = metadata_bytes;
  return true;
}

// Where address space is limited the heap and the mappings share it: little is reserved, at a place with as much free space behind it
// as the limit allows, for the system puts mappings above.
void* reserve_heap(std::size_t bytes, std::size_t limit) {
  if (limit >= kMaxRegionBytes) return os::reserve(bytes, kChunkBytes);
  void* probe = os::reserve(os::page_bytes(), os::page_bytes());
  if (probe == nullptr) return nullptr;
  os::unmap(probe, os::page_bytes());
  auto* below = reinterpret_cast<void*>((reinterpret_cast<std::uintptr_t>(probe) - limit) & ~(kChunkBytes - 1));
  return os::reserve_at(below, bytes) ? below : os::reserve(bytes, kChunkBytes);
}

// Tables for a heap of up to `limit` bytes and, in the region back end, the address space of its first `bytes`.
bool reserve_all(std::size_t bytes, std::size_t limit) {
  if (g_back_end == HeapBackEnd::kBreak) return reserve_tables(limit >> kSliceShift);
  void* heap = reserve_heap(bytes, limit);
  if (heap == nullptr) return false;
  if (!reserve_tables(limit >> kSliceShift)) {
    os::unmap(heap, bytes);
    return false;
  }
  g_heap_base = reinterpret_cast<std::uintptr_t>(heap);
  g_region.ahead_bytes = bytes;
  return true;
}

}  // namespace

bool start_region(HeapBackEnd back_end) {
  g_back_end = back_end;
  if (back_end == HeapBackEnd::kBreak) {
    const auto end = reinterpret_cast<std::uintptr_t>(os::break_address());
    if (end == 0) return false;
    g_heap_base = end & ~(kChunkBytes - 1);
  }
  // The tables take address space, too, in proportion: none is spent on a heap that the limit rules out.
  std::size_t limit = os::address_space_limit() & ~(kChunkBytes - 1);
  if (limit > kMaxRegionBytes) limit = kMaxRegionBytes;
  if (limit < kMinRegionBytes) limit = kMinRegionBytes;
  std::size_t bytes = limit == kMaxRegionBytes ? limit : round_up(limit >> kLimitedReserveShift, kGrowBytes);
  // In small steps: where address space is short, a half that fits may leave much of it unused.
  while (!reserve_all(bytes, limit)) {
    if (limit <= kMinRegionBytes) return false;
    limit = std::max((limit - limit / 4) & ~(kChunkBytes - 1), kMinRegionBytes);
    bytes = std::min(limit, bytes);
  }
  g_page_heap.attach(g_region.chunks, &kSource, &g_demand);
  return true;
}

namespace {

// The end of a reserved table of `entries` places that is usable for less: goes back but for the first `kept_entries`.
void cut_table(std::byte* start, std::size_t entry_bytes, std::size_t entries, std::size_t kept_entries) {
  const std::size_t page = std::max(os::page_bytes(), kTableStepBytes);
  const std::size_t kept = round_up(kept_entries * entry_bytes, page);
  const std::size_t bytes = round_up(entries * entry_bytes, page);
  if (kept < bytes) os::unreserve(start + kept, bytes - kept);
}

void cut_metadata(std::size_t limit) {
  Guard guard(g_metadata_lock);
  const std::size_t kept = round_up(std::max(limit >> kMetadataReserveShift, kMetadataStepBytes), std::max(os::page_bytes(), kMetadataStepBytes));
  if (kept >= g_metadata_reserve_bytes) return;
  const std::size_t cut = g_metadata_reserve_bytes - kept;
  g_metadata_reserve_bytes = kept;
  order_writes();  // after a fork in between, the rest is reserved and nobody's
  os::unreserve(g_metadata_reserve + kept, cut);
}

}  // namespace

bool fit_reservation_to_limit() {
  const std::size_t limit = os::address_space_limit();
  if (limit >= kMaxRegionBytes) return false;
  Guard guard(g_page_heap.lock());
  const std::size_t before = g_region.max_slices;
  const std::size_t most = std::max(round_up(limit, kChunkBytes), round_up(g_region.reserved_bytes() - g_region.ahead_bytes, kChunkBytes));
  const std::size_t slices = most >> kSliceShift;
  if (slices >= before) return false;
  const std::size_t ahead = std::min(g_region.ahead_bytes, round_up(limit >> kLimitedReserveShift, kGrowBytes));
  const std::size_t cut = g_region.ahead_bytes - ahead;
  g_region.max_slices = slices;
  g_region.ahead_bytes = ahead;
  order_writes();  // as in cut_metadata()
  os::unreserve(reinterpret_cast<void*>(g_heap_base + g_region.reserved_bytes()), cut);
  cut_table(g_owners, sizeof(std::uintptr_t), before, slices);
  cut_table(g_owners + kBinTableOffset, sizeof(Bin*), before, slices);
  cut_table(reinterpret_cast<std::byte*>(g_region.slabs), sizeof(Slab), before, slices);
  cut_table(reinterpret_cast<std::byte*>(g_region.chunks), sizeof(Chunk), before / kSlicesPerChunk + 1, slices / kSlicesPerChunk + 1);
  cut_metadata(limit);
  return true;
}

namespace {

// Of fresh memory that is about to be written: each system page that starts in it is touched, and the touch timed.
void time_first_touches(std::byte* start, std::size_t bytes) {
  const std::size_t page = os::page_bytes();
  for (std::byte* at = start + (0 - reinterpret_cast<std::uintptr_t>(start)) % page; at < start + bytes; at += page) {
    const std::uint64_t before_ns = os::now_ns();
    *static_cast<volatile std::byte*>(at) = std::byte{0};
    store::note_fault(os::now_ns() - before_ns);
  }
}

}  // namespace

void* allocate_metadata(std::size_t bytes) {
  bytes = round_up(bytes, kCacheLineBytes);
  Guard guard(g_metadata_lock);
  if (bytes > g_metadata_left_bytes) {
    const std::size_t step = round_up(bytes > kMetadataStepBytes ? bytes : kMetadataStepBytes, os::page_bytes());
    void* fresh = nullptr;
    if (step <= g_metadata_reserve_bytes && os::commit(g_metadata_reserve, step)) {
      fresh = g_metadata_reserve;
      g_metadata_reserve_bytes -= step;
      order_writes();  // after a fork in between, a step is left unused
      g_metadata_reserve += step;
    } else {
      fresh = os::map(step, os::page_bytes());
    }
    if (fresh == nullptr) return nullptr;
    g_metadata_next = static_cast<std::byte*>(fresh);
    g_metadata_left_bytes = step;
    g_metadata_total_bytes += step;
  }
  std::byte* result = g_metadata_next;
  g_metadata_next += bytes;
  g_metadata_left_bytes -= bytes;
  if (g_price.wants_fault()) time_first_touches(result, bytes);
  return result;
}

std::size_t metadata_bytes() {
  Guard guard(g_metadata_lock);
  return g_metadata_total_bytes;
}

void recover_metadata_after_fork() {
  if (!g_metadata_lock.recover_after_fork()) return;
  g_metadata_left_bytes = 0;  // another thread was cutting from this step: leave it
}

}  // namespace osmem
