// The heaps that the tests of allocator/classic run on: each allocator as its library and as its
// drop-in has it, and freelist with each of its options, all over an arena.
#pragma once

#include <utility>

#include "allocator/classic/altmem.hpp"
#include "allocator/classic/freelist.hpp"
#include "allocator/classic/osmem_classic.hpp"
#include "allocator/tests/classic_memory.hpp"

namespace classic_tests {

using classic::FreelistHeap;
using classic::FreelistOptions;
using classic::ListHeap;

struct Classic : ListHeap<classic::OsmemClassicPolicy<8, ArenaMemory>> {
  static constexpr std::size_t kAlignment = 8;
};
struct ClassicDropIn : ListHeap<classic::OsmemClassicPolicy<16, ArenaMemory>> {
  static constexpr std::size_t kAlignment = 16;
};
struct Altmem : ListHeap<classic::AltmemPolicy<8, ArenaMemory>> {
  static constexpr std::size_t kAlignment = 8;
};
struct AltmemDropIn : ListHeap<classic::AltmemPolicy<16, ArenaMemory>> {
  static constexpr std::size_t kAlignment = 16;
};

template <bool bins, bool adaptive, bool guards, std::size_t alignment>
struct Freelist : FreelistHeap<ArenaMemory> {
  static constexpr std::size_t kAlignment = alignment;
  Freelist() {
    set_options(
        {.bins = bins, .adaptive = adaptive, .guards = guards, .alignment_bytes = alignment});
  }
};
using FreelistPlain = Freelist<false, false, false, 16>;
using FreelistBins = Freelist<true, false, false, 16>;
using FreelistAdaptive = Freelist<false, true, false, 16>;
using FreelistGuards = Freelist<false, false, true, 16>;
using FreelistAligned = Freelist<false, false, false, 32>;
using FreelistAll = Freelist<true, true, true, 64>;

struct HeapNames {
  template <class Heap>
  static std::string GetName(int index) {
    static const char* const kNames[] = {
        "Classic",      "ClassicDropIn",    "Altmem",         "AltmemDropIn",    "Freelist",
        "FreelistBins", "FreelistAdaptive", "FreelistGuards", "FreelistAligned", "FreelistAll"};
    return kNames[index];
  }
};
using AllHeaps =
    testing::Types<Classic, ClassicDropIn, Altmem, AltmemDropIn, FreelistPlain, FreelistBins,
                   FreelistAdaptive, FreelistGuards, FreelistAligned, FreelistAll>;

}  // namespace classic_tests
