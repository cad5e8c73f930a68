// What a pointer is, whether its block is live, and the word behind what was asked for.
//
//   block    asked for: size bytes     pad                                                trailer, the last 8 bytes of the room
//   [ .............................. | up to 32 bytes of a pattern, unused, 32 bytes more | (size, family, check) ^ key(address) ]
//
// Live bits, one for each 16 bytes of the heap, lie in a table of their own, far from any block: what a program writes
// into its blocks and behind them cannot make a freed block look live. Mappings have none; their table knows them.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>

#include "allocator/interpose/core_contract.hpp"

namespace osmem::hardened {

inline constexpr std::size_t kTrailerBytes = 8;
inline constexpr std::size_t kMaxPadBytes = 32;
// A size has 42 bits in the trailer, a family 2, the check 20.
inline constexpr unsigned kSizeBits = 42;
inline constexpr std::size_t kMaxBytes = (std::size_t{1} << kSizeBits) - 1;

using interpose::Family;

// What stands in a trailer.
struct Asked {
  std::size_t size = 0;        // bytes that were asked for
  Family family = Family::kC;  // by whom
};

enum class Kind { kForeign, kInside, kBlock, kRun, kMapping };

struct Place {
  Kind kind = Kind::kForeign;     // kInside: of the heap, but no block starts there
  std::uintptr_t start = 0;
  std::size_t room_bytes = 0;     // of kBlock and up: with pad and trailer
  std::uintptr_t previous = 0;    // the block right before, in the same slab; 0: none
};

// O(1); never touches what the pointer points to.
Place find(const void* ptr);

// The secret and the table; false: no memory for it. Called once, with the heap started.
bool start_blocks();
std::uint64_t secret();

// For heap blocks. mark_live() is false if there is no memory for the table's next part; `was_live` tells of a block that was
// handed out twice.
bool mark_live(std::uintptr_t block, bool& was_live);
bool is_live(std::uintptr_t block);
// True if it was live: exactly one of two threads that end a block at once gets true.
bool end_live(std::uintptr_t block);

void write_trailer(const Place& place, const Asked& asked);
// False: the trailer or the pad has been overwritten.
bool read_trailer(const Place& place, Asked& asked);

}  // namespace osmem::hardened
