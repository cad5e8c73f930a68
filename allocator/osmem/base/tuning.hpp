// What the memory policy is tuned by: each constant with its unit and its reason. How they work together: DESIGN.md.
#pragma once

#include <cstddef>
#include <cstdint>

namespace osmem {

// The price of memory: so many bytes cost as much as one CPU. 4 GiB is the usual ratio of machines for rent.
inline constexpr std::size_t kLeanMemoryPerCpu = std::size_t{1} << 30;
inline constexpr std::size_t kBalancedMemoryPerCpu = std::size_t{4} << 30;
inline constexpr std::size_t kFastMemoryPerCpu = std::size_t{16} << 30;

// What the loss of a page is taken to cost before anything was measured, in ns: a host with cheap faults.
inline constexpr std::uint64_t kAssumedFaultNs = 2000;
// First touches that are timed at most: the least of a handful is free of interruptions.
inline constexpr std::uint32_t kTimedFaults = 8;

// Bounds on the age that free pages reach, in ms. Below, the clock's step and the visits of a busy thread are too coarse; above, a
// process that has gone idle would hold them for longer than anybody would wait.
inline constexpr std::uint64_t kLeastAgeMs = 100;
inline constexpr std::uint64_t kLongestAgeMs = 2000;

// How far free pages may go above the demand of the window, in 1/1024 of it at the balanced price; in proportion at others, and up to
// four times as far where a first touch costs that many times kDearFaultNs. Twelve traces: 2 % left a fifth of the rate behind that 12 %
// gives, for 7 % of peak RSS.
inline constexpr std::size_t kSlackShare = 128;
inline constexpr std::size_t kLeastSlackShare = 16;
inline constexpr std::size_t kMostSlackShare = 1024;
inline constexpr std::uint64_t kDearFaultNs = 4000;
inline constexpr std::uint64_t kMostDearness = 4;
// And at least so many pages at the balanced price, in proportion at others: 2 MiB cost as much as 0.05 % of a CPU. mstress with two
// threads: 128 pages cost it 47,000 to 63,000 faults, 512 pages with the rest of today 9,600 to 12,500, for 5.5 instead of 4.6 MiB.
inline constexpr std::size_t kLeastSlackPages = 512;

// Up to 33 pages the kernel invalidates page by page, above it flushes once: a purge of 34 may cost a tenth of one of 33.
inline constexpr std::uint32_t kCheapPurgePages = 34;
// Ranges below this, in pages, do not go back for want of demand: single pages lie between blocks in use, and their purges and faults cost
// more than the peak that they spare.
inline constexpr std::uint32_t kLeastExcessPages = 8;
// Shorter ranges wait for neighbours so many ages longer.
inline constexpr std::uint64_t kShortRangeAges = 2;

// Where a class has fewer slabs with free blocks, no sparse one is offered: they will be wanted soon.
inline constexpr std::uint32_t kLeastPartialSlabs = 4;
// One block in so many may be live in a sparse slab: what survives a peak, and no more.
inline constexpr std::uint32_t kSparseShare = 8;
// Sparse slabs whose pages a thread gives back at a time, some system calls each: it does so in a call of malloc or free.
inline constexpr std::size_t kSparseSlabsAtATime = 16;
// And slices that it looks at for them: 64 MiB of heap, some 50 us.
inline constexpr std::size_t kSlicesAtATime = 4096;

// Free pages below this, in pages, are not worth being looked for: 512 KiB.
inline constexpr std::size_t kUnlookedPages = 128;

// So much free, in pages, and half of what is needed at least, is worth a thread that gives it back: 8 MiB in a process of several
// threads, 64 MiB in one that has none: making one is what the strictest seccomp filters forbid (OpenSSH's before authentication), and
// programs under such filters are small.
inline constexpr std::size_t kBackgroundPages = 2048;
inline constexpr std::size_t kFirstThreadPages = 16384;

// A limit on resident memory is near when so much of it, in 1/8, is resident.
inline constexpr std::size_t kNearLimitEighths = 7;

// Free pieces of mappings that are kept; a search looks at all of them.
inline constexpr std::size_t kMostExtents = 64;
// Shorter pieces, in bytes, stay with the block in front: nobody would ask for them.
inline constexpr std::size_t kLeastExtentBytes = std::size_t{128} << 10;
// Large blocks that were written whole, in a row, before the next one gets huge pages; how often that number may double.
inline constexpr std::uint32_t kDenseBlocks = 2;
inline constexpr std::uint32_t kMostDoublings = 6;
// How many pages of a block are looked at: of blocks that are touched in half of their pages one in 65,536 passes for written whole.
// Once much was seen, fewer: a look costs a miss of the cache.
inline constexpr std::uint32_t kPlacesLookedAt = 16;
inline constexpr std::uint32_t kPlacesWhereKnown = 4;
// Shorter blocks, in bytes, tell nothing about those that are long enough for huge pages.
inline constexpr std::size_t kLeastTellingBytes = std::size_t{1} << 20;
// From this length on, in bytes, a block that grows and was written so far gets huge pages: what it has ahead then wastes one at most, 3 %.
inline constexpr std::size_t kLeastHugeGrowthBytes = std::size_t{64} << 20;
// Places of huge pages of the heap with an advice of their own: each may be two mappings more, of 65,530 that a process has.
inline constexpr std::size_t kMostAdvised = 16384;
// A piece goes back by at least so many pages at a time, for fewer calls: 2 MiB.
inline constexpr std::size_t kExtentPurgePages = 512;
// Live mappings and free pieces together; beyond, large blocks come from the heap, for the system's limit is 65,530 maps.
inline constexpr std::size_t kMostMappings = 4096;
// From this extension on, a growing mapping gets a quarter more address space than it asked for.
inline constexpr std::uint32_t kGrowthsBeforeReserve = 2;

}  // namespace osmem
