// The header that stands before every payload of the list heaps.
//
//   byte  0        8       12      16       24       32
//         +--------+-------+-------+--------+--------+------------------------+
//         | size   |status | tags  | prev   | next   | payload, `size` bytes  |
//         +--------+-------+-------+--------+--------+------------------------+
//         ^ Block*                                   ^ what the program gets
//
// Who uses prev, next and tags depends on the index that keeps the blocks: see address_list.hpp and
// boundary_tags.hpp. Blocks are owned by the heap that made them; nothing here is thread-safe by
// itself.
#pragma once

#include <cstddef>
#include <cstdint>

namespace classic {

enum class Status : int { kFree = 0, kAllocated = 1, kMapped = 2 };

struct Block {
  std::size_t size;  // payload bytes, rounded up to the heap's alignment
  Status status;
  std::uint32_t tags;  // kMark, and bits owned by the index or by the allocator above it
  Block* prev;
  Block* next;
};

inline constexpr std::size_t kHeaderBytes = sizeof(Block);
static_assert(kHeaderBytes == 32 && alignof(Block) == 8);
static_assert(offsetof(Block, size) == 0 && offsetof(Block, status) == 8 &&
              offsetof(Block, tags) == 12);
static_assert(offsetof(Block, prev) == 16 && offsetof(Block, next) == 24);

// Stands in the tags of every header: a block of another malloc is told by its absence.
inline constexpr std::uint32_t kMark = 0xb10c0000;
inline constexpr std::uint32_t kMarkMask = 0xffff0000;

inline bool is_marked(const Block* block) { return (block->tags & kMarkMask) == kMark; }

inline char* payload_of(Block* block) { return reinterpret_cast<char*>(block) + kHeaderBytes; }

inline Block* block_of(void* payload) {
  return reinterpret_cast<Block*>(static_cast<char*>(payload) - kHeaderBytes);
}

// The first byte after the payload: where the next block starts, if there is one.
inline char* end_of(Block* block) { return payload_of(block) + block->size; }

inline bool touch(Block* first, Block* second) {
  return end_of(first) == reinterpret_cast<char*>(second);
}

inline bool is_free(const Block* block) { return block->status == Status::kFree; }

inline Block* make_block(char* at, std::size_t payload_bytes) {
  Block* block = reinterpret_cast<Block*>(at);
  *block = {payload_bytes, Status::kFree, kMark, nullptr, nullptr};
  return block;
}

// `alignment` is a power of two; the caller has made sure that the sum cannot wrap.
constexpr std::size_t round_up(std::size_t value, std::size_t alignment) {
  return (value + alignment - 1) & ~(alignment - 1);
}

}  // namespace classic
