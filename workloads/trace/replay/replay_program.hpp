// A trace made ready to be replayed: one sequence of fixed-size operations for each recorded
// thread, decoded before the clock starts, with the waits that keep the recorded order where an
// object crosses threads.
//
// Each object lives in a cell. A cell counts what was done to it; a thread that touches a cell
// which another thread touched last first waits for that count. Within one thread its own order is
// enough, and nothing is waited for. A wait is always for something earlier in the recorded total
// order, so replay cannot deadlock. Cells belong to the thread that allocates in them, and are
// handed out to it by the cache line, so that replay adds no false sharing of its own.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <memory>

#include "workloads/memory.hpp"
#include "workloads/trace/format/reader.hpp"

namespace trace {

enum class OpKind : std::uint8_t {
  kMalloc,
  kCalloc,
  kRealloc,
  kAlignedAlloc,
  kPosixMemalign,
  kFree,
  kFreeSized,
  kStartThread,  // cell: the thread
  kWait,         // until the count of the cell is detail
  kUntil,        // so many microseconds (the size) have passed since the start
};

//  63         16 15      8 7      0   63       32 31       0
//  | size        | align   | kind  |  | detail   | cell     |
struct Op {
  std::uint64_t packed;
  std::uint32_t cell;
  std::uint32_t detail;  // kCalloc: elements; kRealloc: 4 KiB pages, rounded up, and bit 31 for >=
                         // 4 bytes, of the old size

  [[nodiscard]] OpKind kind() const { return static_cast<OpKind>(packed & 0xff); }
  [[nodiscard]] unsigned alignment_log2() const { return (packed >> 8) & 0xff; }
  // Bytes of the object after an allocation, before a free; of one element for kCalloc.
  [[nodiscard]] std::size_t size() const { return packed >> 16; }
};
static_assert(sizeof(Op) == 16 && kMaxLiveBytes < std::uint64_t{1} << 48);

// What becomes of the time that the program spent between its calls.
enum class ThinkTime {
  kNone,      // left out
  kRecorded,  // no call comes before its time, as far as the trace tells: to a millisecond
};

struct Cell {
  void* object;  // null where there is none; of the thread that the order allows
  std::atomic<std::uint32_t> count;  // of allocations, reallocs and frees so far
  std::uint32_t unused;
};
static_assert(sizeof(Cell) == 16);
inline constexpr std::uint32_t kCellsPerLine = 4;

// Part of a thread's operations: in memory, or (where the trace is larger than the memory it may
// take) in a file.
struct OpChunk {
  Op* ops = nullptr;  // null where in the file
  std::uint64_t file_offset = 0;
  std::uint32_t count = 0;
  std::uint32_t capacity = 0;
};

class ReplayProgram {
 public:
  // Reads the whole trace. More than `resident_bytes` of operations go to an unlinked temporary
  // file. Throws TraceError.
  ReplayProgram(Reader& reader, std::uint64_t resident_bytes, ThinkTime think_time = ThinkTime::kNone);
  ~ReplayProgram();
  ReplayProgram(const ReplayProgram&) = delete;
  ReplayProgram& operator=(const ReplayProgram&) = delete;

  [[nodiscard]] std::uint32_t threads() const {
    return static_cast<std::uint32_t>(threads_.size());
  }
  [[nodiscard]] const SystemVector<OpChunk>& chunks(std::uint32_t thread) const {
    return threads_[thread].chunks;
  }
  [[nodiscard]] std::uint32_t cells() const { return static_cast<std::uint32_t>(cells_.size()); }
  // Allocations, reallocs and frees; what is still live at the end is freed once more than that.
  [[nodiscard]] std::uint64_t calls() const { return calls_; }
  [[nodiscard]] std::uint64_t waits() const { return waits_; }
  [[nodiscard]] std::uint64_t left_over() const { return left_over_; }
  [[nodiscard]] const Totals& totals() const { return totals_; }
  [[nodiscard]] bool streamed() const { return file_ >= 0; }
  [[nodiscard]] bool keeps_time() const { return think_time_ == ThinkTime::kRecorded; }
  // The operations of a chunk: in place, or read into `buffer` (of kMaxChunkOps). Ends the process
  // if the file fails.
  [[nodiscard]] const Op* load(const OpChunk& chunk, Op* buffer) const;

  static constexpr std::uint32_t kMaxChunkOps = 1u << 16;

 private:
  struct Thread {
    SystemVector<OpChunk> chunks;
    SystemVector<std::uint32_t> free_cells;  // on top the one released last
    std::uint64_t time_us = 0;               // of the last kUntil
  };
  struct CellState {  // while decoding
    std::uint32_t home;
    std::uint32_t last_thread;
    std::uint32_t count;
    std::uint64_t bytes;
  };

  void keep_time(const Event& event);
  void take(const Event& event);
  void allocate(const Event& event);
  void reallocate(const Event& event);
  void release(const Event& event);
  std::uint32_t take_cell(std::uint32_t thread);
  void wait_for(std::uint32_t thread, std::uint32_t cell);
  void touched(std::uint32_t thread, std::uint32_t cell);
  void emit(std::uint32_t thread, const Op& op);
  void add_chunk(Thread& thread);
  void spill(OpChunk& chunk);

  std::uint64_t resident_bytes_;
  ThinkTime think_time_;
  std::uint64_t used_bytes_ = 0;
  int file_ = -1;
  std::uint64_t file_bytes_ = 0;
  SystemVector<Thread> threads_;
  SystemVector<CellState> cells_;
  SystemVector<std::uint32_t> cell_of_slot_;
  std::uint64_t calls_ = 0;
  std::uint64_t waits_ = 0;
  std::uint64_t left_over_ = 0;
  Totals totals_;
};

}  // namespace trace
