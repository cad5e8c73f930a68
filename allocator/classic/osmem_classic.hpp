// osmem-classic as policies: every block in one list, best fit, merging before each search, one
// preallocation.
#pragma once

#include "allocator/classic/address_list.hpp"
#include "allocator/classic/list_heap.hpp"

namespace classic {

// The library uses 8-byte alignment; the drop-in needs 16, which is what programs expect of malloc.
template <std::size_t kAlignment, MemorySource MemoryFrom = SystemMemory>
struct OsmemClassicPolicy {
  using Source = MemoryFrom;
  using Index = AddressList;
  using Fit = BestFit;
  using Growth = FirstThenExact<128 * kKiB>;
  using Resizing = ExtendThenMerge;
  using Tuning = FixedTuning<kAlignment, 128 * kKiB, kPageBytes>;
  static constexpr Coalescing kCoalescing = Coalescing::kBeforeSearch;
};

}  // namespace classic
