// The recorder's writing side: a thread appends events to its own segment of the process's log.
// Allocates from nobody: its memory is static, thread-local, or shared mappings of the log. Takes
// no lock.
//
// Two paths. try_put() is inline and writes one word or two, without a clock: some 35 instructions
// with the call. It leaves to append() what is rare: a tick of the gate or a full run, after which
// an event is timed; a full segment; large sizes; and in processes with more threads an address
// that was last another thread's, which is timed, too (raw_log.hpp says why that gives the order).
#pragma once

#include <cstdint>

#include "workloads/trace/record/raw_log.hpp"

namespace recorder {

// What a thread appends to. Zero at thread start: the first event finds no room and opens a
// segment.
struct ThreadLog {
  std::uint64_t* at;     // the next word to be written
  std::uint64_t* limit;  // untimed events may follow while at < limit, which has room for one;
                         // null: none may
  std::uint64_t* end;
  char* segment;        // start of the mapping that holds [at, end); null where there is none
  std::uint32_t units;  // of the mapping
  std::uint32_t number_plus_1;
  std::uint32_t sequence;  // segments filled or opened so far
  std::uint32_t epoch;     // of the process state that the above belongs to
  std::uint32_t gate;      // its value at the last timed event
  std::uint32_t owner;     // what the thread is called in g_owners
  const void* sized;       // address in a sized delete
  std::uint32_t nested;    // allocator calls of the next allocator that the thread is within
};
extern constinit thread_local ThreadLog t_log __attribute__((tls_model("initial-exec")));

// One page that the kernel zeroes in a forked child, which thereby notices that it needs a log of
// its own.
struct ForkMark {
  std::atomic<std::uint32_t> open;  // 0, kOpen or kGivenUp
};
inline constexpr std::uint32_t kOpen = 1;
inline constexpr std::uint32_t kGivenUp = 2;  // no room can be had: what has begun is filled, nothing more is asked for

extern trace::raw::Control* g_control;         // null until start() has found one
extern ForkMark* g_mark;                       // never null
extern std::atomic<std::uint32_t> g_threaded;  // 1 once a second thread has a number

// Who made the last event at an address: a cache, direct-mapped, of address << 16 | owner. What is
// not in it counts as another thread's.
inline constexpr unsigned kOwnerBits = 16;
inline constexpr std::uint32_t kNoOwner = (1u << kOwnerBits) - 1;  // of threads beyond the numbers
inline constexpr std::size_t kOwnerEntries = std::size_t{1} << 18;
extern std::atomic<std::uint64_t> g_owners[kOwnerEntries];

// Neighbours in memory are neighbours here. Small heaps at the same offset of different regions, as
// the arenas of the C library are (each 64 MiB), lie 2^14 entries apart.
inline std::atomic<std::uint64_t>& owner_entry(const void* address) {
  const auto at = reinterpret_cast<std::uint64_t>(address);
  return g_owners[((at >> 4) + (at >> 12)) % kOwnerEntries];
}
inline std::uint64_t owner_value(const void* address, const ThreadLog& log) {
  return reinterpret_cast<std::uint64_t>(address) << kOwnerBits | log.owner;
}

// True where the thread's own order is the order of the events at this address: the process has one
// thread, or the thread itself made the last of them.
// relaxed: between two events at one address the program, or the allocator, has synchronised
// already, or it could not have passed the address on; so the entry of the one is seen by the
// other.
inline bool own_order(const void* address, const ThreadLog& log) {
  return g_threaded.load(std::memory_order_relaxed) == 0 ||
         owner_entry(address).load(std::memory_order_relaxed) == owner_value(address, log);
}

// True while calls are to be recorded. One load of a shared page, and one of a page that reads 0
// after a fork.
bool recording();

// Reads the environment and opens the log, once in each process. Harmless before the C library has
// an environment.
void start();

struct Call {
  trace::raw::Kind kind;
  const void* address;
  std::uint64_t size = 0;
  std::uint64_t extra = 0;  // count of a calloc, log2 of an alignment
};
// Appends one event, whatever the gate says, and times it where that is due. Keeps errno.
// REQUIRES: recording() was true.
void append(const Call& call);

constexpr bool has_extra(trace::raw::Kind kind) {
  using trace::raw::Kind;
  return kind == Kind::kCalloc || kind == Kind::kAlignedAlloc || kind == Kind::kPosixMemalign;
}

constexpr std::uint64_t first_word(trace::raw::Kind kind, const void* address,
                                   std::uint64_t small_size) {
  return (reinterpret_cast<std::uint64_t>(address) & trace::raw::kAddressMask) |
         static_cast<std::uint64_t>(kind) << trace::raw::kKindShift |
         small_size << trace::raw::kSizeShift;
}

// Writes the event and returns true if that can be done here and now, without a clock. A limit that
// is not null says that the log is open and that this thread does not stand within the next
// allocator.
[[gnu::always_inline]] inline bool try_put(const Call& call) {
  ThreadLog& log = t_log;
  // gate, relaxed: a call more or less at the moment the gate moves does not matter.
  // open, acquire: partner of the store in start()
  if (log.at >= log.limit || call.size >= trace::raw::kSizeFollows ||
      g_control->gate.load(std::memory_order_relaxed) != log.gate ||
      g_mark->open.load(std::memory_order_acquire) == 0 || !own_order(call.address, log))
      [[unlikely]] {
    return false;
  }
  // The room is taken before it is filled: an event of a signal handler that comes between goes
  // behind this one. The fences are against the compiler alone; the first word is stored last, so
  // that a crash leaves no half event.
  std::uint64_t* const event = log.at;
  log.at = event + 1 + has_extra(call.kind);
  std::atomic_signal_fence(std::memory_order_seq_cst);
  if (has_extra(call.kind)) {
    event[1] = call.extra;
    std::atomic_signal_fence(std::memory_order_seq_cst);
  }
  *event = first_word(call.kind, call.address, call.size);
  return true;
}

// Opens or closes the gate of all processes of the recording.
void set_gate(bool on);

// The number for a thread that is about to be created, and how the new thread takes it.
std::uint32_t reserve_thread();
void adopt_thread(std::uint32_t number);

}  // namespace recorder
