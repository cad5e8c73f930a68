// altmem as policies: osmem-classic, but neighbours merge as soon as a block is freed, and calloc
// has no threshold of its own. What it adds is the leak report.
#pragma once

#include "allocator/classic/address_list.hpp"
#include "allocator/classic/list_heap.hpp"

namespace classic {

template <std::size_t kAlignment, MemorySource MemoryFrom = SystemMemory>
struct AltmemPolicy {
  using Source = MemoryFrom;
  using Index = AddressList;
  using Fit = BestFit;
  using Growth = FirstThenExact<128 * kKiB>;
  using Resizing = ExtendThenMerge;
  using Tuning = FixedTuning<kAlignment, 128 * kKiB>;
  static constexpr Coalescing kCoalescing = Coalescing::kOnFree;
};

}  // namespace classic
