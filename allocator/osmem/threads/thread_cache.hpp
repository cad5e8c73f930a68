// What malloc and free touch when all goes well: the thread's list heads, and the two paths themselves.
//
// malloc pops from a list head in TLS. An empty head leads to the slow path by itself, so there is no test for "is this
// thread initialised". free looks up the slice of the block in two tables; if the thread owns it, the block goes onto the
// class's list of freed blocks in the thread's heap and a budget is counted down. The two lists are swapped by the slow
// path when the first is empty, so their lengths are known without counting in malloc.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>

#include "allocator/osmem/base/lock.hpp"
#include "allocator/osmem/slabs/region.hpp"
#include "allocator/osmem/slabs/size_classes.hpp"

namespace osmem {

struct RemoteCache;
[[gnu::visibility("hidden")]] extern constinit RemoteCache g_no_chains;

// The thread's place for one size class. Owner thread only (or holder of the pool's lock for a heap without a thread).
struct alignas(kCacheLineBytes) Bin {
  Block* freed;             // blocks this thread freed, last in first out
  std::int32_t budget;      // frees left until the slow path looks
  std::int32_t limit;       // length that `freed` may reach; 0: each free goes straight to its slab
  std::int32_t kept_limit;  // what `limit` is while the thread also allocates
  std::uint32_t offered;    // sparse slabs, which others may look through: slice + 1 of the first, 0 for none
  Block* head;              // as ThreadCache::heads, for the classes that have none there
  std::uint32_t partial;    // slabs with free blocks: slice + 1 of the first, 0 for none
  std::uint32_t full;       // parked slabs, likewise
  std::uint32_t carving;    // the slab that has blocks never handed out; slice + 1
  std::uint32_t partial_count;
  std::uint32_t used_slabs;    // slabs of this class in this heap
  std::uint32_t most_slabs;    // that these were since blocks that had been given back were last wanted again
  std::uint16_t batch;      // blocks a refill takes
  std::uint8_t size_class;
  std::uint8_t guests;      // blocks of the class that the nursery gave
  std::uint8_t flushes;     // of `freed` since blocks were last taken
  std::uint8_t looks_left;  // frees that are yet to be looked at, see free_checks.hpp
};
static_assert(sizeof(Bin) == kCacheLineBytes);

// Whether there is something to do for the bin when one of its freed blocks is handed out again: both in one comparison.
inline bool has_chores(const Bin& bin) {
  static_assert(offsetof(Bin, looks_left) == offsetof(Bin, flushes) + 1);
  std::uint16_t both;
  std::memcpy(&both, reinterpret_cast<const std::byte*>(&bin) + offsetof(Bin, flushes), sizeof both);
  return both != 0;
}

enum class ThreadState : std::uint8_t {
  kNew = 0,     // nothing set up yet
  kActive = 1,
  kExited = 2,  // its destructors have run: served by the shared heap from here on
};

struct ThreadCache {
  Block* heads[kThreadCacheClasses] = {};  // [0] is always empty
  Heap* heap = nullptr;                    // until the first malloc
  RemoteCache* remote = &g_no_chains;      // until the first free of another thread's block
  ThreadState state = ThreadState::kNew;
};
static_assert(sizeof(ThreadCache) <= 320, "static TLS is scarce: a library loaded late has to fit");

[[gnu::visibility("hidden")]] extern constinit thread_local ThreadCache t_cache __attribute__((tls_model("initial-exec")));

// The slow paths; see thread_heap.cpp and osmem.cpp. They keep errno unless they fail.
[[gnu::noinline]] void* malloc_slow(std::size_t size);
[[gnu::noinline]] void free_outside(void* ptr);
[[gnu::noinline]] void free_of_other(void* ptr, std::size_t slice);
[[gnu::noinline]] void free_overflow(Bin* bin);
// The same for a free that tells the block's size.
[[gnu::noinline]] void free_outside(void* ptr, std::size_t told_bytes);
[[gnu::noinline]] void free_of_other(void* ptr, std::size_t slice, std::size_t told_bytes);
[[gnu::noinline]] void free_overflow(Bin* bin, std::size_t told_bytes);

inline void* pop(std::size_t index) {
  Block* block = t_cache.heads[index];
  if (block == nullptr) [[unlikely]] return nullptr;
  t_cache.heads[index] = block->next;
  return block;
}

// Sizes near SIZE_MAX wrap to index 0, which is empty, and the slow path sees the size itself.
[[gnu::always_inline]] inline void* fast_malloc(std::size_t size) {
  const std::size_t index = (size + 15) >> 4;
  if (index <= kLinearClasses) [[likely]] {
    Block* block = t_cache.heads[index];
    if (block != nullptr) [[likely]] {
      t_cache.heads[index] = block->next;
      return block;
    }
  }
  return malloc_slow(size);
}

// Whether the slice lies in the heap; whether such a slice belongs to the calling thread. Plain reads of two words that are
// written atomically: who owns the slice of a live block is either this thread, which wrote it, or is not. In assembly, because
// compilers do not make an atomic load an operand of the comparison.
[[gnu::always_inline]] inline bool inside(std::size_t slice) {
#if defined(__x86_64__)
  bool is_inside;
  asm("cmp %2, %1" : "=@ccb"(is_inside) : "r"(slice), "m"(g_slice_count));
  return is_inside;
#else
  return g_region.contains(slice);
#endif
}

[[gnu::always_inline]] inline bool owns(std::size_t slice) {
#if defined(__x86_64__)
  bool mine;
  std::uintptr_t self;
  asm("mov %%fs:0, %1\n\tcmp %2, %1" : "=@cce"(mine), "=&r"(self) : "m"(g_region.owner(slice)));
  return mine;
#else
  return g_region.owner(slice).load(std::memory_order_relaxed) == thread_pointer();  // relaxed: as above
#endif
}

// `told_bytes`: the block's size, of a caller that tells it. It is looked at off this path alone.
template <typename... Told>
[[gnu::always_inline]] inline void fast_free(void* ptr, Told... told_bytes) {
  std::size_t slice = g_region.slice_of(ptr);
  if (!inside(slice)) [[unlikely]] return free_outside(ptr, told_bytes...);
  if (!owns(slice)) [[unlikely]] return free_of_other(ptr, slice, told_bytes...);
  asm("" : "+r"(slice));  // or the compiler computes 8 * slice once more, in an instruction of its own
  Bin* bin = g_region.own_bin(slice);
  auto* block = static_cast<Block*>(ptr);
  block->next = bin->freed;
  bin->freed = block;
  if (--bin->budget < 0) [[unlikely]] free_overflow(bin, told_bytes...);
}

}  // namespace osmem
