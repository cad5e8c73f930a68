// Size classes: 16-byte steps to 512 bytes, eight a doubling to 32 KiB.
//
// Class 0 is never used for blocks: its bin is always empty, so that a request whose rounded size wraps to 0, and a
// request of 0 bytes, reach the slow path without a test of their own.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

#include "allocator/osmem/base/config.hpp"

namespace osmem {

inline constexpr std::uint32_t kClassCount = 81;           // classes 1..80
inline constexpr std::size_t kMaxLinearBytes = 512;        // class = (size + 15) / 16
inline constexpr std::uint32_t kLinearClasses = 32;
inline constexpr std::uint32_t kThreadCacheClasses = kLinearClasses + 1;  // classes 0..32 have their heads in TLS
inline constexpr std::size_t kMaxFineBytes = 2048;         // up to here a table of 64-byte steps, above of 256-byte steps
inline constexpr std::size_t kMaxSmallBytes = 32768;

namespace detail {

constexpr std::array<std::uint32_t, kClassCount> make_class_sizes() {
  std::array<std::uint32_t, kClassCount> sizes{};
  std::uint32_t c = 1;
  for (; c <= kLinearClasses; ++c) sizes[c] = c * 16;
  for (std::uint32_t base = 512; base < 32768; base *= 2) {
    for (std::uint32_t step = 1; step <= 8; ++step) sizes[c++] = base + step * (base / 8);
  }
  return sizes;
}

}  // namespace detail

inline constexpr std::array<std::uint32_t, kClassCount> kClassBytes = detail::make_class_sizes();
static_assert(kClassBytes[kLinearClasses] == kMaxLinearBytes);
static_assert(kClassBytes[kLinearClasses + 16] == kMaxFineBytes);
static_assert(kClassBytes[kClassCount - 1] == kMaxSmallBytes);

namespace detail {

// kGranule divides every class size in (kFrom, kTo], so one lookup of the rounded size gives the class.
template <std::size_t kGranule, std::size_t kTo>
constexpr auto make_class_lookup() {
  std::array<std::uint8_t, kTo / kGranule + 1> lookup{};
  std::uint8_t c = 1;
  for (std::size_t i = 0; i < lookup.size(); ++i) {
    while (kClassBytes[c] < i * kGranule) ++c;
    lookup[i] = c;
  }
  return lookup;
}

inline constexpr auto kFineLookup = make_class_lookup<64, kMaxFineBytes>();
inline constexpr auto kCoarseLookup = make_class_lookup<256, kMaxSmallBytes>();

}  // namespace detail

// Which block of a slab an offset lies in, without a division: exact for every offset inside a slab, because the rounding of
// the reciprocal is below the block size, and offset * block size below 2^32.
inline constexpr auto kClassReciprocal = [] {
  std::array<std::uint32_t, kClassCount> reciprocals{};
  for (std::uint32_t c = 1; c < kClassCount; ++c) {
    reciprocals[c] = static_cast<std::uint32_t>(((std::uint64_t{1} << 32) + kClassBytes[c] - 1) / kClassBytes[c]);
  }
  return reciprocals;
}();
constexpr std::uint32_t block_index(std::uint32_t size_class, std::uint32_t offset) {
  return static_cast<std::uint32_t>((std::uint64_t{offset} * kClassReciprocal[size_class]) >> 32);
}

// The class for a size of 513..2048 bytes.
constexpr std::uint32_t fine_class(std::size_t size) { return detail::kFineLookup[(size + 63) / 64]; }

// The smallest class that holds `size` bytes, 1 <= size <= kMaxSmallBytes. O(1).
constexpr std::uint32_t class_of(std::size_t size) {
  if (size <= kMaxLinearBytes) return static_cast<std::uint32_t>((size + 15) / 16);
  if (size <= kMaxFineBytes) return fine_class(size);
  return detail::kCoarseLookup[(size + 255) / 256];
}

// The smallest class whose blocks hold `size` bytes and are all multiples of `alignment`, a power of two; slabs start on
// slice boundaries, so such blocks are aligned. 0 if there is none. At most a few steps: every doubling has one.
constexpr std::uint32_t aligned_class_of(std::size_t size, std::size_t alignment) {
  if (size > kMaxSmallBytes || alignment > kSliceBytes) return 0;
  const std::size_t rounded = (size + alignment - 1) & ~(alignment - 1);
  if (rounded > kMaxSmallBytes) return 0;
  for (std::uint32_t c = class_of(rounded == 0 ? 1 : rounded); c < kClassCount; ++c) {
    if (kClassBytes[c] % alignment == 0) return c;
  }
  return 0;
}

namespace detail {

// Of a slab of so many slices, the whole pages behind its last block.
constexpr std::uint32_t tail_pages(std::uint32_t slices, std::uint32_t bytes) {
  return static_cast<std::uint32_t>(slices * kSliceBytes % bytes / kPageBytes);
}

}  // namespace detail

// Slabs are as small as a reasonable number of blocks allows: what a slab holds free, no other class can use. Of large blocks as
// many slices as leave the smaller share unused.
constexpr std::uint32_t slab_slices(std::uint32_t size_class) {
  const std::uint32_t bytes = kClassBytes[size_class];
  if (bytes <= 2048) return 1;
  if (bytes <= 4096) return 2;
  return detail::tail_pages(3, bytes) * 4 < detail::tail_pages(4, bytes) * 3 ? 3 : 4;
}

constexpr std::uint32_t slab_capacity(std::uint32_t size_class) {
  return static_cast<std::uint32_t>(slab_slices(size_class) * kSliceBytes) / kClassBytes[size_class];
}

}  // namespace osmem
