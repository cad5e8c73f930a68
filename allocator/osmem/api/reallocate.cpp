#include <algorithm>
#include <cerrno>
#include <cstring>

#include "allocator/osmem/api/alloc.hpp"
#include "allocator/osmem/api/foreign_blocks.hpp"
#include "allocator/osmem/api/guarded.hpp"
#include "allocator/osmem/slabs/blocks.hpp"
#include "allocator/osmem/pages/large.hpp"
#include "allocator/osmem/threads/thread_heap.hpp"

// realloc and malloc_usable_size. A growing block stays if it can; else:
//   in a slab            to a larger class, by a quarter at least from 4 KiB on, or a run
//   a run                to a mapping from the threshold on; else to a longer run
//   a mapping            mremap
namespace osmem {
namespace {

// Whether the block is a live one of the slab, as far as a look at the lists' fronts tells. If not, the program is told so.
bool is_live(const char* call, const Slab* slab, std::size_t slice, const void* ptr) {
  if (!check_block(call, slab, g_region.index_of(slab), ptr)) return false;
  if (!owns(slice)) return true;
  const Heap* heap = t_cache.heap;
  const Bin* bin = g_region.own_bin(slice);
  const Block* heads = heap == nullptr || heap != slab->heap.load(std::memory_order_relaxed) ? nullptr  // relaxed: this thread's own
                       : slab->size_class < kThreadCacheClasses ? t_cache.heads[slab->size_class] : bin->head;
  // The list of a slab that others may look through is left alone.
  const bool in_slab = slab->list < SlabList::kOffered && slab->free == ptr;
  if (bin->freed != ptr && heads != ptr && !in_slab) [[likely]] return true;
  wrong_call({call, "freed before, and not handed out since", ptr, slab->block_bytes});
  return false;
}

std::size_t region_usable(const void* ptr, std::size_t slice) {
  constexpr const char* kCall = "malloc_usable_size";
  if (is_slab(g_region.slabs[slice].kind)) {
    const Slab* slab = slab_of_slice(slice);
    return is_live(kCall, slab, slice, ptr) ? slab->block_bytes : 0;
  }
  const Slab* run = run_at(kCall, ptr, slice);
  return run == nullptr ? 0 : std::size_t{run->run_pages()} << kPageShift;
}

void* move_block(void* ptr, std::size_t old_usable, std::size_t size) {
  void* moved = fast_malloc(size);
  if (moved == nullptr) return nullptr;
  std::memcpy(moved, ptr, old_usable < size ? old_usable : size);
  fast_free(ptr);
  return moved;
}

// A mapping that shrinks below this is not worth keeping: the block goes to the heap.
constexpr std::size_t kLeastMappedBytes = kDefaultMapThresholdBytes / 2;

void* reallocate_mapping(void* ptr, std::size_t usable, std::size_t size) {
  if (size < kLeastMappedBytes) return move_block(ptr, usable, size);
  if (size > PTRDIFF_MAX) return out_of_memory();
  void* resized = large::resize(ptr, size);
  return resized != nullptr ? resized : move_block(ptr, usable, size);
}

// The block is a run no longer. Null: no memory, nothing happened.
void* move_to_mapping(void* ptr, Slab& run, std::size_t size) {
  void* moved = large::allocate(size, 1, false);
  if (moved == nullptr) return nullptr;
  const int saved_errno = errno;
  const PageRange left{g_region.page_of(ptr), run.run_pages()};
  std::memcpy(moved, ptr, std::size_t{left.pages} << kPageShift);
  run.end_run();
  g_page_heap.free(left.first_page);
  store::keep_within_bounds();
  errno = saved_errno;
  return moved;
}

// In place, if the pages behind the run are free.
void* reallocate_run(void* ptr, std::size_t slice, std::size_t size) {
  Slab* books = run_at("realloc", ptr, slice);
  if (books == nullptr) return out_of_memory();
  Slab& run = *books;
  const std::size_t usable = std::size_t{run.run_pages()} << kPageShift;
  const std::size_t pages = size <= PTRDIFF_MAX ? pages_for(size) : SIZE_MAX;
  // A block that grew by a quarter may be a run although its size is not a run's.
  if (size <= kMaxSmallBytes && size <= usable && size > usable / 2) return ptr;
  if (size > kMaxSmallBytes && pages <= kPagesPerChunk) {
    const auto new_pages = static_cast<std::uint32_t>(pages);
    if (new_pages == run.run_pages()) return ptr;
    if (g_page_heap.resize(g_region.page_of(ptr), new_pages)) {
      run.start_run(run.head_offset, new_pages);
      store::keep_within_bounds();
      return ptr;
    }
  }
  if (size > usable && size >= large::threshold_bytes() && size <= PTRDIFF_MAX) return move_to_mapping(ptr, run, size);
  return move_block(ptr, usable, size);
}

// A block of this size or more that grows does so by a quarter at least: its pages are touched when it gets there, and each size class
// on the way would keep a block.
constexpr std::size_t kLeastByQuarters = 4096;

// From this size on, a block left behind goes to its slab at once: the slab may be all its own, and its pages then serve the next one.
constexpr std::size_t kLeastOutgrownBytes = 16384;

void free_outgrown(void* ptr, Slab* slab) {
  Heap* heap = t_cache.heap;
  // Relaxed: this thread's heap stands there if this thread has put it there.
  if (slab->block_bytes < kLeastOutgrownBytes || slab->heap.load(std::memory_order_relaxed) != heap || heap == nullptr) {
    return fast_free(ptr);
  }
  const int saved_errno = errno;
  auto* block = static_cast<Block*>(ptr);
  if (slab->put_back(block, block, 1)) heap->received(heap->bins[slab->size_class], slab);
  errno = saved_errno;
}

void* grow_block(void* ptr, Slab* slab, std::size_t size) {
  const std::size_t usable = slab->block_bytes;
  const bool by_quarters = usable >= kLeastByQuarters && size <= kMaxSmallBytes;
  void* moved = fast_malloc(by_quarters ? std::max(size, usable + usable / 4) : size);
  if (moved == nullptr) return nullptr;
  std::memcpy(moved, ptr, usable);
  free_outgrown(ptr, slab);
  return moved;
}

[[gnu::noinline]] void* reallocate_beyond_slabs(void* ptr, std::size_t slice, std::size_t size) {
  // Most calls while a buffer grows by small steps: what is there will do.
  Heap* heap = t_cache.heap;
  if (heap != nullptr && heap->resized_last.fits(ptr, size)) return ptr;
  if (in_heap(ptr, slice)) return reallocate_run(ptr, slice, size);
  if (heap != nullptr && size >= kLeastMappedBytes && size <= PTRDIFF_MAX &&
      large::resize_in_place(ptr, size, heap->resized_last)) {
    return ptr;
  }
  if (guarded::is_near(ptr)) [[unlikely]] {
    const std::size_t guarded_bytes = guarded::usable_bytes("realloc", ptr);
    if (guarded_bytes == 0) return out_of_memory();
    if (guarded_bytes != SIZE_MAX) return move_block(ptr, guarded_bytes, size);
  }
  const std::size_t usable = large::usable_bytes(ptr);
  if (usable != 0) return reallocate_mapping(ptr, usable, size);
  return foreign::reallocate(ptr, size);
}

}  // namespace

std::size_t usable_size(const void* ptr) {
  if (ptr == nullptr) return 0;
  const std::size_t slice = g_region.slice_of(ptr);
  if (in_heap(ptr, slice)) return region_usable(ptr, slice);
  if (guarded::is_near(ptr)) [[unlikely]] {
    const std::size_t guarded_bytes = guarded::usable_bytes("malloc_usable_size", ptr);
    if (guarded_bytes != SIZE_MAX) return guarded_bytes;
  }
  const std::size_t mapped = large::usable_bytes(ptr);
  if (mapped != 0) return mapped;
  return foreign::usable_size(ptr);
}

void* reallocate(void* ptr, std::size_t size) {
  if (ptr == nullptr) return fast_malloc(size);
  if (size == 0) {
    fast_free(ptr);
    return nullptr;
  }
  const std::size_t slice = g_region.slice_of(ptr);
  if (!g_region.contains(slice) || !is_slab(g_region.slabs[slice].kind)) return reallocate_beyond_slabs(ptr, slice, size);
  Slab* slab = slab_of_slice(slice);
  if (!is_live("realloc", slab, slice, ptr)) return out_of_memory();
  const std::size_t usable = slab->block_bytes;
  if (size > usable) return grow_block(ptr, slab, size);
  // Half of a block is kept rather than copied.
  if (size > usable / 2) return ptr;
  return move_block(ptr, usable, size);
}

}  // namespace osmem
