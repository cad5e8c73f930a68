// How many freed blocks of a class a thread keeps: the part of Heap that bounds its lists.
#include <algorithm>

#include "allocator/osmem/threads/thread_heap.hpp"

namespace osmem {
namespace {

// Freed blocks that a thread keeps of a class: limits on their bytes and on their number, to begin with, and for a
// thread that has been seen to allocate again what it gave back. What all classes of a heap get beyond their first limit
// is bounded, too: a thread that uses many classes would hold much.
constexpr std::uint32_t kFreedBytes = 4096;
constexpr std::uint32_t kFreedBytesAmongMany = 1024;
constexpr std::uint32_t kMaxFreed = 64;
constexpr std::uint32_t kMinFreed = 2;
constexpr std::uint32_t kMostFreedBytes = 131072;
constexpr std::uint32_t kMostFreed = 1024;
constexpr std::uint32_t kMostExtraBytes = 128 << 10;
constexpr std::uint32_t kExtraBytesPerSlice = 2048;

// More of a class of small blocks whose slabs, at least so many, were all but this part of them gone when it was wanted
// again: a loop takes the class up and down as a whole, and kept blocks hold no slab that others could use for long.
constexpr std::uint32_t kMostBytesOfLoop = 512 << 10;
constexpr std::uint32_t kLoopSlabs = 4;

std::uint32_t most_freed(std::uint32_t size_class) {
  return std::clamp(kMostFreedBytes / kClassBytes[size_class], kMinFreed, kMostFreed);
}

}  // namespace

std::int32_t freed_limit(std::uint32_t size_class, bool among_many) {
  const std::uint32_t bytes = among_many ? kFreedBytesAmongMany : kFreedBytes;
  return static_cast<std::int32_t>(std::clamp(bytes / kClassBytes[size_class], kMinFreed, kMaxFreed));
}

void Heap::keep_more_freed(Bin& bin) {
  const std::uint32_t bytes = kClassBytes[bin.size_class];
  const bool loops = bin.size_class <= kLinearClasses && bin.most_slabs >= kLoopSlabs &&
                     bin.used_slabs <= bin.most_slabs / kLoopSlabs;
  bin.most_slabs = bin.used_slabs;
  const std::uint32_t most = loops ? kMostBytesOfLoop / bytes : most_freed(bin.size_class);
  const std::int32_t wanted = std::min(bin.kept_limit * 2, static_cast<std::int32_t>(most));
  if (wanted <= bin.kept_limit) return;
  const auto extra_bytes = static_cast<std::uint32_t>(wanted - bin.kept_limit) * bytes;
  const std::uint32_t least_share = loops ? kMostBytesOfLoop : kMostExtraBytes;
  if (extra_freed_bytes + extra_bytes > std::max(slices_in_use * kExtraBytesPerSlice, least_share)) return;
  extra_freed_bytes += extra_bytes;
  bin.kept_limit = wanted;
}

bool Heap::may_loop(const Bin& bin) {
  return bin.size_class <= kLinearClasses && bin.kept_limit >= static_cast<std::int32_t>(most_freed(bin.size_class));
}

void Heap::give_back_loops() {
  for (std::uint32_t c = 1; c <= kLinearClasses; ++c) {
    Bin& bin = bins[c];
    if (bin.kept_limit <= static_cast<std::int32_t>(most_freed(c))) continue;
    Block*& head = t_cache.heads[c];
    Block* lists[2] = {head, bin.freed};
    head = nullptr;
    bin.freed = nullptr;
    bin.budget = bin.limit;
    for (Block* list : lists) give_back_list(list);
  }
}

void Heap::before_fresh_pages(std::uint32_t pages) {
  kept_runs.release();
  if (g_page_heap.dirty_pages() < pages) give_back_loops();
}

}  // namespace osmem
