// The constants of the design. Units stand in the names; DESIGN.md says which figures decided them.
#pragma once

#include <cstddef>
#include <cstdint>

namespace osmem {

// The allocator's own page: the unit of the page heap. The system's page may be larger (aarch64); purging and
// mapping round to that one at run time.
inline constexpr std::size_t kPageShift = 12;
inline constexpr std::size_t kPageBytes = std::size_t{1} << kPageShift;

// The unit of slabs and of the page map.
inline constexpr std::size_t kSliceShift = 14;
inline constexpr std::size_t kSliceBytes = std::size_t{1} << kSliceShift;
inline constexpr std::uint32_t kPagesPerSlice = kSliceBytes / kPageBytes;

// The unit in which the heap becomes usable: a multiple of every system's page.
inline constexpr std::size_t kGrowBytes = std::size_t{64} << 10;

// The unit in which the page heap keeps its books.
inline constexpr std::size_t kChunkBytes = std::size_t{4} << 20;
inline constexpr std::uint32_t kPagesPerChunk = kChunkBytes / kPageBytes;
inline constexpr std::uint32_t kSlicesPerChunk = kChunkBytes / kSliceBytes;

// Address space of the heap: what is reserved first, and the least that is tried.
inline constexpr std::size_t kMaxRegionBytes = std::size_t{256} << 30;
inline constexpr std::size_t kMinRegionBytes = std::size_t{4} << 20;
// Under a limit on address space: the share of it that is reserved for the heap at first, and of the heap that is for metadata, as shifts.
inline constexpr std::uint32_t kLimitedReserveShift = 6;
inline constexpr std::uint32_t kMetadataReserveShift = 13;
inline constexpr std::uint32_t kMaxSlices = kMaxRegionBytes / kSliceBytes;
inline constexpr std::uint32_t kMaxChunks = kMaxRegionBytes / kChunkBytes;

// A huge page, where the system's page is 4 KiB.
inline constexpr std::size_t kHugePageBytes = std::size_t{2} << 20;

inline constexpr std::size_t kCacheLineBytes = 64;
inline constexpr std::size_t kMinAlignBytes = 16;

// Above the largest size class and below the mapping threshold, blocks are runs of whole pages.
inline constexpr std::size_t kDefaultMapThresholdBytes = std::size_t{128} << 10;
inline constexpr std::size_t kMaxMapThresholdBytes = std::size_t{2} << 20;

// Whether this is libosmem-hardened.so: the same sources, compiled with another policy. See ../hardened.
#ifndef OSMEM_HARDENED
#define OSMEM_HARDENED 0
#endif
inline constexpr bool kHardened = OSMEM_HARDENED != 0;

}  // namespace osmem
