#include "allocator/osmem/api/report.hpp"

#include <algorithm>

#include "allocator/osmem/threads/heap_pool.hpp"
#include "allocator/osmem/pages/large.hpp"
#include "allocator/osmem/api/process.hpp"
#include "allocator/osmem/threads/remote_cache.hpp"
#pragma GCC visibility push(default)
#include "allocator/osmem/api/osmem.h"
#pragma GCC visibility pop
#include "allocator/osmem/base/writer.hpp"

namespace osmem {
namespace {

// Of one size class, over all heaps.
struct ClassFigures {
  std::size_t slabs = 0;
  std::size_t capacity = 0;  // blocks
  std::size_t carved = 0;
  std::size_t free = 0;
};

// Reads other threads' slabs while they change: a snapshot by design, each figure being a word of its own.
__attribute__((no_sanitize("thread"))) void count_slabs(ClassFigures (&figures)[kClassCount]) {
  const std::size_t slices = g_slice_count.load(std::memory_order_relaxed);  // relaxed: a snapshot
  for (std::size_t i = 0; i < slices; ++i) {
    const Slab& slab = g_region.slabs[i];
    if (slab.kind != SliceKind::kSlab || slab.size_class >= kClassCount) continue;
    ClassFigures& c = figures[slab.size_class];
    ++c.slabs;
    c.capacity += slab.capacity;
    c.carved += slab.carved_count;
    c.free += slab.free_count + slab.gone_count;
  }
}

// Blocks that the calling thread keeps in its lists, by the class of their slabs: a list may hold borrowed ones.
void count_own_lists(std::size_t (&blocks)[kClassCount]) {
  const Heap* heap = t_cache.heap;
  if (heap == nullptr) return;
  const auto count = [&blocks](const Block* list) {
    for (; list != nullptr; list = list->next) ++blocks[slab_of_slice(g_region.slice_of(list))->size_class];
  };
  for (std::uint32_t c = 1; c < kClassCount; ++c) {
    count(c < kThreadCacheClasses ? t_cache.heads[c] : heap->bins[c].head);
    count(heap->bins[c].freed);
  }
}

// Bytes of runs that are blocks of their own: used pages less those of slabs.
std::size_t run_bytes(const ClassFigures (&figures)[kClassCount], std::size_t used_pages) {
  std::size_t slab_bytes = 0;
  for (std::uint32_t c = 1; c < kClassCount; ++c) slab_bytes += figures[c].slabs * slab_slices(c) * kSliceBytes;
  // Slabs and runs that threads keep empty are used pages, too, but no blocks.
  for_each_heap([&slab_bytes](const Heap* heap) {
    slab_bytes += heap->empty_count * kSliceBytes + (std::size_t{heap->kept_runs.pages} << kPageShift);
  });
  const std::size_t used_bytes = used_pages << kPageShift;
  return used_bytes > slab_bytes ? used_bytes - slab_bytes : 0;
}

// Bytes of blocks that lie in inboxes.
std::size_t arriving_bytes() {
  std::size_t bytes = 0;
  // Relaxed: a snapshot.
  for_each_heap([&bytes](const Heap* heap) { bytes += heap->arriving_bytes.load(std::memory_order_relaxed); });
  return bytes;
}

struct Snapshot {
  ClassFigures classes[kClassCount];
  std::size_t own_lists[kClassCount] = {};
  PageHeapStats pages;
  large::Stats large;
  struct os_stats totals = {};
};

void take_snapshot(Snapshot& shot) {
  count_slabs(shot.classes);
  count_own_lists(shot.own_lists);
  shot.pages = g_page_heap.stats();
  shot.large = large::stats();
  std::size_t allocated = shot.large.live_bytes + run_bytes(shot.classes, shot.pages.used_pages);
  for (std::uint32_t c = 1; c < kClassCount; ++c) {
    const ClassFigures& figures = shot.classes[c];
    const std::size_t away = figures.free + shot.own_lists[c];
    if (figures.carved > away) allocated += (figures.carved - away) * kClassBytes[c];
  }
  const std::size_t arriving = arriving_bytes();
  allocated -= std::min(allocated, arriving);
  struct os_stats& t = shot.totals;
  t.allocated_bytes = allocated;
  t.active_bytes = shot.pages.used_pages << kPageShift;
  t.dirty_bytes = shot.pages.dirty_pages << kPageShift;
  t.metadata_bytes = metadata_bytes();
  {
    Guard guard(g_page_heap.lock());  // the region grows under it
    t.committed_bytes = g_region.committed_bytes;
    t.reserved_bytes = g_region.reserved_bytes();
    t.metadata_bytes += g_region.metadata_bytes;
  }
  t.committed_bytes += t.metadata_bytes;
  t.mapped_bytes = shot.large.mapped_bytes + shot.large.cached_bytes;
  t.remote_pending_bytes = arriving;
  t.thread_count = active_heap_count();
  const os::GivenBack given_back = os::given_back();
  t.purge_calls = given_back.calls;
  t.purged_bytes = given_back.pages * os::page_bytes();
  t.purge_ns = given_back.ns;
}

struct Field {
  const char* name;
  const char* meaning;
  std::size_t value;
};

template <typename Visit>
void for_each_total(const Snapshot& shot, Visit visit) {
  const struct os_stats& t = shot.totals;
  const Field fields[] = {
      {"allocated_bytes", "in blocks handed out", t.allocated_bytes},
      {"active_bytes", "in slabs and runs", t.active_bytes},
      {"dirty_bytes", "free, perhaps resident", t.dirty_bytes},
      {"committed_bytes", "heap and metadata, usable", t.committed_bytes},
      {"reserved_bytes", "address space", t.reserved_bytes},
      {"mapped_bytes", "in mappings of single blocks, cached ones included", t.mapped_bytes},
      {"cached_mapping_bytes", "of these, waiting for the next request", shot.large.cached_bytes},
      {"metadata_bytes", "osmem's own records", t.metadata_bytes},
      {"remote_pending_bytes", "freed by other threads, not yet taken back", t.remote_pending_bytes},
      {"thread_count", "threads with a heap", t.thread_count},
      {"purge_calls", "that gave memory back to the system", t.purge_calls},
      {"purged_bytes", "named in these", t.purged_bytes},
      {"purge_ns", "that these took", t.purge_ns},
      {"fault_ns", "that a first touch of a page takes here", g_price.fault_ns()},
      {"page_age_ms", "for how long a free page is kept", g_price.age_ms()},
      {"peak_used_pages", "most pages in slabs and runs at any time", shot.pages.peak_used_pages},
      {"free_pages", "of the page heap", shot.pages.free_pages},
      {"free_runs", "pieces that these are in", shot.pages.free_runs},
      {"longest_free_run_pages", "the largest piece", shot.pages.longest_run_pages},
  };
  for (const Field& field : fields) visit(field);
}

void write_text(Writer& out, const Snapshot& shot) {
  out.text("osmem statistics\n");
  for_each_total(shot, [&out](const Field& f) {
    out.text("  ").text(f.name).text(" ").number(f.value).text("  (").text(f.meaning).text(")\n");
  });
  out.text("  block bytes: slabs, blocks live, carved, capacity\n");
  for (std::uint32_t c = 1; c < kClassCount; ++c) {
    const ClassFigures& f = shot.classes[c];
    if (f.slabs == 0) continue;
    const std::size_t away = f.free + shot.own_lists[c];
    out.text("  ").number(kClassBytes[c]).text(": ").number(f.slabs).text(", ");
    out.number(f.carved > away ? f.carved - away : 0).text(", ").number(f.carved).text(", ");
    out.number(f.capacity).text("\n");
  }
}

void write_json(Writer& out, const Snapshot& shot) {
  out.text("{");
  for_each_total(shot, [&out](const Field& f) { out.text("\"").text(f.name).text("\": ").number(f.value).text(", "); });
  out.text("\"classes\": [");
  const char* separator = "";
  for (std::uint32_t c = 1; c < kClassCount; ++c) {
    const ClassFigures& f = shot.classes[c];
    if (f.slabs == 0) continue;
    const std::size_t away = f.free + shot.own_lists[c];
    out.text(separator).text("{\"block_bytes\": ").number(kClassBytes[c]).text(", \"slabs\": ").number(f.slabs);
    out.text(", \"live\": ").number(f.carved > away ? f.carved - away : 0);
    out.text(", \"carved\": ").number(f.carved).text(", \"capacity\": ").number(f.capacity).text("}");
    separator = ", ";
  }
  out.text("]}\n");
}

}  // namespace

bool write_stats(int fd, bool as_json) {
  Snapshot shot;
  take_snapshot(shot);
  Writer out(fd);
  if (as_json) {
    write_json(out, shot);
  } else {
    write_text(out, shot);
  }
  return out.flush();
}

void fill_numbers(interpose::Numbers& out) {
  if (!ensure_started()) return;
  Snapshot shot;
  take_snapshot(shot);
  out.heap_bytes = shot.totals.committed_bytes;
  out.allocated_bytes = shot.totals.allocated_bytes;
  const std::size_t in_heap = shot.totals.allocated_bytes - shot.large.live_bytes;
  out.free_bytes = out.heap_bytes > in_heap ? out.heap_bytes - in_heap : 0;
  for (std::uint32_t c = 1; c < kClassCount; ++c) {
    out.free_count += shot.classes[c].free + shot.own_lists[c];
  }
  out.mapped_bytes = shot.large.mapped_bytes;
  out.mapped_count = shot.large.live_count;
  out.releasable_bytes = shot.totals.dirty_bytes + shot.large.cached_bytes;
}

}  // namespace osmem

extern "C" bool os_stats(struct os_stats* out) noexcept {
  if (!osmem::ensure_started()) return false;
  osmem::flush_own_chains();  // what the caller freed counts as free
  osmem::Snapshot shot;
  osmem::take_snapshot(shot);
  *out = shot.totals;
  return true;
}
