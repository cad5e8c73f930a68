// How durations are counted: log-linear buckets, as HdrHistogram has them. A value below 256 has a bucket of its own; above, each
// doubling is cut into 128 buckets of one width, so that a bucket is at most 1/128 of the values in it wide: any percentile is known
// within 0.8 %. Plain arithmetic on counts that somebody else keeps: no memory, no lock.
#pragma once

#include <algorithm>
#include <bit>
#include <cstddef>
#include <cstdint>

namespace workloads {

struct LogBuckets {
  static constexpr unsigned kBits = 7;                              // 128 buckets a doubling
  static constexpr std::uint64_t kLargest = (1ULL << 44) - 1;       // larger values count as this one: an hour in ticks of 4 GHz
  static constexpr std::size_t kCount = ((44 - kBits - 1) + 2) << kBits;

  // The bucket of a value.
  static constexpr std::size_t index_of(std::uint64_t value) {
    value = std::min(value, kLargest);
    const unsigned width = static_cast<unsigned>(std::bit_width(value));
    const unsigned shift = width > kBits + 1 ? width - kBits - 1 : 0;
    return (std::size_t{shift} << kBits) + static_cast<std::size_t>(value >> shift);
  }
  // The smallest value of a bucket; that of the next one is where it ends.
  static constexpr std::uint64_t low_of(std::size_t index) {
    const std::size_t shift = index < (2U << kBits) ? 0 : (index >> kBits) - 1;
    return static_cast<std::uint64_t>(index - (shift << kBits)) << shift;
  }
};
static_assert(LogBuckets::index_of(255) == 255 && LogBuckets::index_of(256) == 256 && LogBuckets::index_of(257) == 256);
static_assert(LogBuckets::low_of(256) == 256 && LogBuckets::low_of(257) == 258 && LogBuckets::low_of(384) == 512);
static_assert(LogBuckets::index_of(LogBuckets::kLargest) == LogBuckets::kCount - 1);

}  // namespace workloads
