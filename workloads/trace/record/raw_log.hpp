// What the recorder leaves behind, before it is made into a trace: one control file for all
// processes of a recording, and one log for each process (and each image that it executes). All are
// shared mappings of files, so that what a thread wrote is kept by the kernel however the process
// ends. Used on one machine, by one version: no format to keep.
//
// A log is a page with a LogHeader, then segments. A segment belongs to one thread: a
// SegmentHeader, then 8-byte words. A segment that is not full ends with a zero word.
//
// A busy thread writes all its events into one segment: when it is full, it is copied to fresh
// units at the end of the log (the header last, so that a copy with a header is whole), zeroed, and
// begun anew with the next sequence number. A process killed in between leaves two segments of one
// number; the one further on in the file, the copy, counts.
//
// An event is a first word and up to three more:
//    63       53 52    51..48  47                                 0
//   | small size | timed | kind | address                          |
//   then the clock (if timed), the size (if small size is kSizeFollows), and for kCalloc the count,
//   for kAligned* log2 of the alignment. The first word is stored last, so that an event is there
//   in whole or not at all.
//
// Order. Threads are merged by the clock (TSC, which is one clock for all cores where it is called
// invariant); an untimed event has the clock of the last timed one before it in its thread. What a
// trace must keep is the order of the events at one address, whichever threads make them. Let e be
// followed at its address by f:
//   - both on one thread: its own order.
//   - on two threads: then f is timed, because each thread asks before it leaves the clock out who
//   made the last event at the address (recorder_log.hpp). The clock that stands for e was read at
//   e or earlier, f's at f; and e was earlier than f:
//   - a release is noted before the real free, an allocation after the real malloc. If thread B is
//   given the address that thread A freed, A's free had begun before B's malloc returned.
//   - if B frees what A allocated, B got the pointer from A after A's malloc had returned and was
//   noted. On x86 the clock waits for earlier loads (RDTSCP), or B could read it before the
//   pointer.
//   - a realloc does both: its old address ends when it begins (kReallocBegin), the new one begins
//   when it ends.
// So the merged order has every allocation of an address between the release before and the release
// after. A thread's first event is timed, and so comes after its kThreadStart, which is timed
// before the thread exists. Events of different threads at different addresses are in order to
// within a tick of the gate or kUntimedRun words, whichever is less.
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
// A thread's segments have 1, 4, then this many units; the last one is used again and again.
inline constexpr std::uint32_t kMaxSegmentUnits = 16;
inline constexpr std::size_t kMaxEventWords = 4;
// The first event of a thread after so many words is timed in any case.
inline constexpr std::uint32_t kUntimedRun = 256;

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

// Why calls are missing. The first two end the recording of all processes, the others that of one.
enum class Loss : std::uint32_t {
  kMaxSize = 1,
  kDiskFull = 2,
  kFileSize = 4,
  kDescriptors = 8,
  kOutOfReach = 16,
  kOther = 32,
};

// Written by `bench record` and by every recorded process; page-aligned at the start of the control
// file.
struct Control {
  std::uint64_t magic;
  std::atomic<std::uint32_t> gate;      // 0: pass through. Else record; `bench record` changes the
                                        // number every few milliseconds, and each thread times
                                        // its first event after a change
  std::atomic<std::uint32_t> next_log;  // number for the next log's name
  std::atomic<std::uint64_t> units;     // taken by all processes
  std::uint64_t max_units;              // no more than these, then recording ends
  std::atomic<std::uint32_t> losses;    // of all processes: Loss, or-ed
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
