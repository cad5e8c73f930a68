// What the recorder leaves behind, before it is made into a trace: one control file for all
// processes of a recording, and one log for each process (and each image that it executes). All are
// shared mappings of files, so that what a thread wrote is kept by the kernel however the process
// ends. Used on one machine, by one version: no format to keep.
//
// A log is a page with a LogHeader, then segments. A segment belongs to one thread: a
// SegmentHeader, then 8-byte words. A segment that is not full ends with a zero word.
//
// An event is a first word and up to three more:
//    63       53 52    51..48  47                                 0
//   | small size | timed | kind | address                          |
//   then the clock (if timed), the size (if small size is kSizeFollows), and for kCalloc the count,
//   for kAligned* log2 of the alignment. The first word is stored last, so that an event is there
//   in whole or not at all.
//
// Order. Threads are merged by the clock (TSC, which is one clock for all cores where it is called
// invariant):
//   - a release is stamped before the real free, an allocation after the real malloc. If thread B
//   is given the address
//     that thread A freed, A's free had begun before B's malloc returned, so A's stamp is the
//     earlier one.
//   - if B frees what A allocated, B got the pointer from A after A's malloc had returned and was
//   stamped; B's stamp
//     is later. On x86 the stamp waits for earlier loads (RDTSCP), or B could read the clock before
//     the pointer.
//   - a realloc does both: its old address ends when it begins (kReallocBegin), the new one begins
//   when it ends.
// So the merged order has every allocation of an address between the release before and the release
// after. While a process has one thread its own order is the order, and only some events are timed,
// for the time line.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>

namespace trace::raw {

inline constexpr std::uint64_t kControlMagic = 0x314c5254434d534f;  // "OSMCTRL1"
inline constexpr std::uint64_t kLogMagic = 0x31474f4c574d534f;      // "OSMWLOG1"
inline constexpr std::uint32_t kSegmentMagic = 0x4d474553;          // "SEGM"
inline constexpr std::size_t kLogHeaderBytes = 4096;
inline constexpr std::size_t kUnitBytes = 16 * 1024;
inline constexpr std::uint32_t kMaxSegmentUnits =
    16;  // a thread's segments have 1, 4, then 16 units
inline constexpr std::size_t kMaxEventWords = 4;
inline constexpr std::uint32_t kUntimedRun =
    256;  // with one thread, every so many events one is timed

inline constexpr const char* kDirectoryVariable =
    "OSMEM_RECORD_DIR";  // absolute; holds the control file
inline constexpr const char* kControlName = "control";

enum class Kind : std::uint8_t {
  kMalloc = 1,
  kCalloc,
  kReallocBegin,  // address: the old one
  kReallocEnd,    // address: the new one, 0 where it failed and the old one stays
  kAlignedAlloc,
  kPosixMemalign,
  kFree,
  kFreeSized,
  kThreadStart,  // address: the recorder's number of the new thread
};

inline constexpr unsigned kKindShift = 48;
inline constexpr std::uint64_t kAddressMask = (std::uint64_t{1} << kKindShift) - 1;
inline constexpr std::uint64_t kTimedBit = std::uint64_t{1} << 52;
inline constexpr unsigned kSizeShift = 53;
inline constexpr std::uint64_t kSizeFollows = (1u << 11) - 1;

constexpr bool has_size(Kind kind) { return kind != Kind::kReallocBegin && kind < Kind::kFree; }

// Written by `bench record` and by every recorded process; page-aligned at the start of the control
// file.
struct Control {
  std::uint64_t magic;
  std::atomic<std::uint32_t> gate;      // 1: record, 0: pass through
  std::atomic<std::uint32_t> next_log;  // number for the next log's name
  std::atomic<std::uint64_t> units;     // taken by all processes
  std::uint64_t max_units;              // no more than these, then recording ends
  std::atomic<std::uint32_t>
      out_of_space;  // 1: a segment was refused by max_units or the file system
};
static_assert(sizeof(std::atomic<std::uint64_t>) == 8 && sizeof(std::atomic<std::uint32_t>) == 4 &&
              sizeof(Control) <= 4096);

struct LogHeader {
  std::uint64_t magic;
  std::uint32_t pid;
  std::uint32_t parent_pid;
  std::uint64_t start_clock;
  std::uint64_t start_ns;              // CLOCK_MONOTONIC of start_clock
  std::atomic<std::uint64_t> units;    // taken in this file
  std::atomic<std::uint32_t> threads;  // numbers given out
  std::uint32_t program_bytes;
  char program[64];  // the process's name when the log was opened, not terminated
};
static_assert(sizeof(LogHeader) <= kLogHeaderBytes);

struct SegmentHeader {
  std::uint32_t magic;
  std::uint32_t thread;    // the recorder's number, from 0
  std::uint32_t sequence;  // of this segment in its thread
  std::uint32_t units;
  std::uint64_t clock;  // when it was opened, in both clocks
  std::uint64_t ns;
};
static_assert(sizeof(SegmentHeader) == 32 && offsetof(SegmentHeader, clock) == 16);

}  // namespace trace::raw
