// The trace file: what a program asked of its allocator, call by call. FORMAT.md documents every
// byte.
//
// A file is a header, then blocks, then an optional index with a footer. Each block is one zstd
// frame and holds the next events of the program in their recorded total order, as one stream for
// each thread plus the order in which the streams interleave. An object is named by its slot: the
// lowest-effort name that both sides can compute. An allocation takes the most recently released
// slot, or a new one; only releases need to say a number.
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <stdexcept>
#include <string>

namespace trace {

static_assert(std::endian::native == std::endian::little,
              "headers are copied as they lie in memory");

// A trace that cannot be read or written; what() is one line that names the file and the reason.
class TraceError : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

inline constexpr std::uint16_t kVersion = 1;
inline constexpr std::uint64_t kFileMagic = 0x45434152544d534f;    // "OSMTRACE"
inline constexpr std::uint64_t kFooterMagic = 0x31444e45544d534f;  // "OSMTEND1"
inline constexpr std::uint32_t kBlockMagic = 0x4b4c4254;           // "TBLK"

// Limits that bound a reader's memory whatever the file says.
inline constexpr std::uint32_t kMaxRawBytes = 4u << 20;     // one block, unpacked
inline constexpr std::uint32_t kMaxBlockEvents = 1u << 16;  // one block
inline constexpr std::uint32_t kMaxThreads = 1u << 20;      // one file
inline constexpr std::uint32_t kMaxLiveObjects = 1u << 26;  // one file, at any moment
inline constexpr std::uint64_t kMaxLiveBytes = 1ull
                                               << 47;  // one file, at any moment; also one object
inline constexpr std::uint32_t kMaxAlignmentLog2 = 40;

enum class Kind : std::uint8_t {
  kMalloc = 1,         // size
  kCalloc = 2,         // count, size
  kRealloc = 3,        // slot, size: the object keeps its slot
  kAlignedAlloc = 4,   // alignment (log2), size: aligned_alloc, memalign, valloc, pvalloc
  kPosixMemalign = 5,  // alignment (log2), size
  kFree = 6,           // slot
  kFreeSized = 7,      // slot: the caller said the size, too (sized delete, free_sized)
  kThreadStart = 8,  // in the stream of the thread that creates; the new thread has the next number
  kThreadEnd = 9,    // the last event of a thread's stream
};
inline constexpr std::uint8_t kFirstKind = 1;
inline constexpr std::uint8_t kLastKind = 9;

constexpr bool allocates(Kind kind) {
  return kind == Kind::kMalloc || kind == Kind::kCalloc || kind == Kind::kAlignedAlloc ||
         kind == Kind::kPosixMemalign;
}
constexpr bool releases(Kind kind) { return kind == Kind::kFree || kind == Kind::kFreeSized; }
constexpr bool has_slot(Kind kind) { return releases(kind) || kind == Kind::kRealloc; }

const char* to_string(Kind kind);

enum class BlockType : std::uint8_t { kInfo = 1, kEvents = 2, kIndex = 3 };

//  0               8        10       12       16               24              32
//  | magic         | version| bytes  | flags  | created, Unix s| reserved = 0  |
struct FileHeader {
  std::uint64_t magic = kFileMagic;
  std::uint16_t version = kVersion;
  std::uint16_t header_bytes = 32;
  std::uint32_t flags = 0;      // none is defined in version 1
  std::uint64_t created_s = 0;  // seconds since 1970, 0 where it is not said
  std::uint64_t reserved = 0;
};
static_assert(sizeof(FileHeader) == 32 && offsetof(FileHeader, version) == 8 &&
              offsetof(FileHeader, flags) == 12 && offsetof(FileHeader, created_s) == 16);

//  0       4      5       8        12       16       20      24              32
//  | magic | type | 0 0 0 | packed | raw    | events | check | start time us |  zstd frame ...
struct BlockHeader {
  std::uint32_t magic = kBlockMagic;
  BlockType type = BlockType::kEvents;
  std::uint8_t zero[3] = {};
  std::uint32_t packed_bytes = 0;  // of the zstd frame that follows
  std::uint32_t raw_bytes = 0;     // of its content
  std::uint32_t event_count = 0;
  std::uint32_t check = 0;          // FNV-1a of the 32 bytes with this field 0
  std::uint64_t start_time_us = 0;  // since the recording began
};
static_assert(sizeof(BlockHeader) == 32 && offsetof(BlockHeader, packed_bytes) == 8 &&
              offsetof(BlockHeader, event_count) == 16 && offsetof(BlockHeader, check) == 20 &&
              offsetof(BlockHeader, start_time_us) == 24);

//  0                8                16
//  | index's offset | magic          |   the last bytes of a finished file
struct Footer {
  std::uint64_t index_offset = 0;
  std::uint64_t magic = kFooterMagic;
};
static_assert(sizeof(Footer) == 16 && offsetof(Footer, magic) == 8);

std::uint32_t block_check(BlockHeader header);

// Facts of a whole trace, kept in the index so that a list of traces need not read them.
struct Totals {
  std::uint64_t events = 0;
  std::uint64_t threads = 1;
  std::uint64_t duration_us = 0;
  std::uint64_t allocations = 0;
  std::uint64_t peak_live_bytes = 0;
  std::uint64_t peak_live_objects = 0;

  friend bool operator==(const Totals&, const Totals&) = default;
};

// One event, decoded. Fields that a kind does not use are 0.
struct Event {
  Kind kind = Kind::kMalloc;
  std::uint32_t thread = 0;
  std::uint32_t slot = 0;  // of the object; for kThreadStart the number of the new thread
  std::uint32_t alignment_log2 = 0;
  std::uint64_t size = 0;   // bytes of one element for kCalloc, else of the object; 0 for releases
  std::uint64_t count = 0;  // kCalloc: elements
  std::uint64_t time_us = 0;  // coarse: of the last tick at or before this event

  // Bytes that the object has after this event.
  [[nodiscard]] std::uint64_t bytes() const { return kind == Kind::kCalloc ? size * count : size; }
  friend bool operator==(const Event&, const Event&) = default;
};

}  // namespace trace
