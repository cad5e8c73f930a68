// The leak report and the heap map: both walk every block and page that the heap knows.

#include "allocator/osmem/threads/heap_pool.hpp"
#include "allocator/osmem/os/os.hpp"
#include "allocator/osmem/pages/large.hpp"
#include "allocator/osmem/api/process.hpp"
#pragma GCC visibility push(default)
#include "allocator/osmem/api/osmem.h"
#pragma GCC visibility pop
#include "allocator/osmem/base/writer.hpp"

namespace osmem {
namespace {

// Which blocks of a slab are not live: free, on their way home from another thread, or never handed out.
class FreeBlocks {
 public:
  explicit FreeBlocks(const Slab& slab) : slab_(slab), start_(g_region.slice_start(g_region.index_of(&slab))) {
    mark_list(slab.free);
    for_each_heap([this](const Heap* heap) { mark_list(reinterpret_cast<const Block*>(heap->inbox.top())); });
  }
  [[nodiscard]] bool live(std::uint32_t index) const {
    return index < slab_.carved_count && !free_.test(index) && !slab_.is_gone(index);
  }
  [[nodiscard]] const void* address(std::uint32_t index) const {
    return reinterpret_cast<const void*>(start_ + std::uintptr_t{index} * slab_.block_bytes);
  }

 private:
  // Of a list, the blocks of this slab.
  void mark_list(const Block* block) {
    for (; block != nullptr; block = block->next) {
      const std::uintptr_t offset = reinterpret_cast<std::uintptr_t>(block) - start_;
      const std::size_t index = offset / slab_.block_bytes;
      if (index < slab_.capacity) free_.set(static_cast<std::uint32_t>(index));
    }
  }

  const Slab& slab_;
  std::uintptr_t start_;
  RunBits<kMostSlabBlocks> free_;
};

struct LeakReport {
  Writer out;
  std::size_t count = 0;
  std::size_t total_bytes = 0;

  void add(const void* address, std::size_t bytes) {
    out.text("osmem: leaked ").number(bytes).text(" bytes at ").address(address).text("\n");
    ++count;
    total_bytes += bytes;
  }
};

template <typename Visit>
void for_each_slab_slice(Visit visit) {
  const std::size_t slices = g_slice_count.load(std::memory_order_relaxed);  // relaxed: a snapshot
  for (std::size_t i = 0; i < slices; ++i) {
    if (g_region.slabs[i].kind == SliceKind::kSlab) visit(g_region.slabs[i]);
  }
}

void add_slab_blocks(LeakReport& report) {
  for_each_slab_slice([&report](const Slab& slab) {
    const FreeBlocks blocks(slab);
    for (std::uint32_t i = 0; i < slab.carved_count; ++i) {
      if (blocks.live(i)) report.add(blocks.address(i), slab.block_bytes);
    }
  });
}

bool is_slab_page(std::uint32_t page) { return is_slab(g_region.slabs[page / kPagesPerSlice].kind); }

void dump_slab(Writer& out, const Slab& slab) {
  const FreeBlocks blocks(slab);
  out.text("{\"record\": \"slab\", \"page\": ").number(std::uint64_t{g_region.index_of(&slab)} * kPagesPerSlice);
  out.text(", \"pages\": ").number(std::uint64_t{slab_slices(slab.size_class)} * kPagesPerSlice);
  out.text(", \"block_bytes\": ").number(slab.block_bytes).text(", \"capacity\": ").number(slab.capacity);
  out.text(", \"carved\": ").number(slab.carved_count).text(", \"live\": \"");
  // One hexadecimal digit for four blocks, the first block in the lowest bit.
  for (std::uint32_t i = 0; i < slab.carved_count; i += 4) {
    unsigned digit = 0;
    for (std::uint32_t bit = 0; bit < 4; ++bit) digit |= static_cast<unsigned>(blocks.live(i + bit)) << bit;
    const char text[2] = {"0123456789abcdef"[digit], '\0'};
    out.text(text);
  }
  out.text("\"}\n");
}

void dump_run(Writer& out, std::uint32_t page, std::uint32_t pages, char kind) {
  if (kind == 'u' && is_slab_page(page)) return;
  const char* name = kind == 'u' ? "run" : kind == 'd' ? "dirty" : "free";
  out.text("{\"record\": \"").text(name).text("\", \"page\": ").number(page);
  out.text(", \"pages\": ").number(pages).text("}\n");
}

// A run of pages, or a mapping: what a walk under a lock meets.
struct Record {
  std::uintptr_t place;  // first page, or address
  std::size_t length;    // pages, or bytes
  char kind;             // as PageHeap::for_each_run() names runs; 'm': a mapping
};

// All runs and mappings, in memory of its own. Nothing is written while a lock is held: whoever reads what we write may be a thread
// that waits for that lock.
class Records {
 public:
  Records() {
    for (room_ = kFirstRoom; walk(); room_ *= 4) {
    }
  }
  ~Records() { release(); }
  Records(const Records&) = delete;
  Records& operator=(const Records&) = delete;

  template <typename Visit>
  void for_each(Visit visit) const {
    for (std::size_t i = 0; i < count_ && i < room_ && records_ != nullptr; ++i) visit(records_[i]);
  }

 private:
  static constexpr std::size_t kFirstRoom = 2048;

  // False: all is there, or there is no memory for it. True: more room is wanted.
  bool walk() {
    release();
    records_ = static_cast<Record*>(os::map(bytes(), os::page_bytes()));
    if (records_ == nullptr) return false;
    g_page_heap.for_each_run([this](std::uint32_t page, std::uint32_t pages, char kind) { add({page, pages, kind}); });
    large::for_each(
        [](void* address, std::size_t length, void* self) {
          static_cast<Records*>(self)->add({reinterpret_cast<std::uintptr_t>(address), length, 'm'});
        },
        this);
    return count_ > room_;
  }
  void add(Record record) {
    if (count_ < room_) records_[count_] = record;
    ++count_;
  }
  void release() {
    if (records_ != nullptr) os::unmap(records_, bytes_);
    records_ = nullptr;
    count_ = 0;
  }
  std::size_t bytes() { return bytes_ = (room_ * sizeof(Record) + os::page_bytes() - 1) & ~(os::page_bytes() - 1); }

  Record* records_ = nullptr;
  std::size_t room_ = 0;
  std::size_t bytes_ = 0;
  std::size_t count_ = 0;
};

}  // namespace
}  // namespace osmem

extern "C" size_t os_check_leaks(int fd) noexcept {
  using namespace osmem;
  if (!ensure_started()) return 0;
  give_back_everything();  // so that what is left is live
  const Records records;
  LeakReport report{Writer(fd)};
  add_slab_blocks(report);
  records.for_each([&report](const Record& record) {
    if (record.kind == 'm') {
      report.add(reinterpret_cast<const void*>(record.place), record.length);
    } else if (record.kind == 'u' && !is_slab_page(static_cast<std::uint32_t>(record.place))) {
      report.add(g_region.page_start(record.place), record.length << kPageShift);
    }
  });
  if (report.count != 0) {
    report.out.text("osmem: ").number(report.count).text(" blocks leaked, ").number(report.total_bytes);
    report.out.text(" bytes in total\n");
  }
  return report.count;
}

extern "C" bool os_heap_dump(int fd) noexcept {
  using namespace osmem;
  if (!ensure_started()) return false;
  give_back_everything();  // so that what is left is live
  const Records records;
  Writer out(fd);
  out.text("{\"record\": \"heap\", \"allocator\": \"osmem\", \"page_bytes\": ").number(kPageBytes);
  out.text(", \"pages\": ");
  // Relaxed: a snapshot.
  out.number(g_slice_count.load(std::memory_order_relaxed) * kPagesPerSlice).text("}\n");
  records.for_each([&out](const Record& record) {
    if (record.kind == 'm') return;
    dump_run(out, static_cast<std::uint32_t>(record.place), static_cast<std::uint32_t>(record.length), record.kind);
  });
  for_each_slab_slice([&out](const Slab& slab) { dump_slab(out, slab); });
  records.for_each([&out](const Record& record) {
    if (record.kind == 'm') out.text("{\"record\": \"mapping\", \"bytes\": ").number(record.length).text("}\n");
  });
  return out.flush();
}
