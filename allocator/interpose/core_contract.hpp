// What an allocator core must offer to become a drop-in malloc; the semantics of each function are
// in README.md.
//
// A drop-in is compiled with -DINTERPOSE_CORE="path/of/core.hpp". That header defines `struct Core`
// in the global namespace; its functions are inlined into the exported symbols, so a hit path costs
// no call.
#pragma once

#include <concepts>
#include <cstddef>
#include <cstdint>

namespace interpose {

// Totals for mallinfo2, malloc_stats and malloc_info, in bytes unless named otherwise.
struct Numbers {
  size_t heap_bytes = 0;  // taken from the system for the heap, mappings of single blocks excluded
  size_t allocated_bytes = 0;   // handed out and not yet freed, large blocks included
  size_t free_bytes = 0;        // of heap_bytes: free
  size_t free_count = 0;        // free blocks that were handed out before
  size_t mapped_bytes = 0;      // in mappings of single large blocks
  size_t mapped_count = 0;      // number of such mappings
  size_t releasable_bytes = 0;  // what trim(0) could give back
};

// The calls that a block comes from, and goes back by: those of C, operator new and delete, new[] and delete[].
enum class Family : unsigned char { kC, kNew, kNewArray };

// A core that wants to know by which operator a block comes and goes, to tell mixes; the C functions are Family::kC.
template <typename T>
concept TellsFamilies = requires(void* block, size_t size, size_t alignment, Family family) {
  { T::malloc_for(family, size) }
  noexcept->std::same_as<void*>;
  { T::aligned_alloc_for(family, alignment, size) }
  noexcept->std::same_as<void*>;
  { T::free_for(family, block) }
  noexcept->std::same_as<void>;
  { T::free_sized_for(family, block, size) }
  noexcept->std::same_as<void>;
  { T::free_aligned_sized_for(family, block, alignment, size) }
  noexcept->std::same_as<void>;
  // The block was got by the C functions on behalf of an operator new: it is of that family from now on.
  { T::claim_for(family, block) }
  noexcept->std::same_as<void>;
};

template <typename T>
concept CoreContract = requires(void* block, const void* address, size_t size, size_t alignment,
                                Numbers& numbers) {
  { T::malloc(size) }
  noexcept->std::same_as<void*>;
  { T::free(block) }
  noexcept->std::same_as<void>;
  { T::calloc(size, size) }
  noexcept->std::same_as<void*>;
  { T::realloc(block, size) }
  noexcept->std::same_as<void*>;
  { T::aligned_alloc(alignment, size) }
  noexcept->std::same_as<void*>;
  { T::usable_size(address) }
  noexcept->std::same_as<size_t>;
  { T::free_sized(block, size) }
  noexcept->std::same_as<void>;
  { T::free_aligned_sized(block, alignment, size) }
  noexcept->std::same_as<void>;
  { T::trim(size) }
  noexcept->std::same_as<bool>;
  { T::stats(numbers) }
  noexcept->std::same_as<void>;
  { T::kName } -> std::convertible_to<const char*>;
};

}  // namespace interpose
