// The recorder's writing side: a thread appends events to its own segment of the process's log.
// Allocates from nobody: its memory is static, thread-local, or shared mappings of the log. Takes
// no lock.
#pragma once

#include <cstdint>

#include "workloads/trace/raw_log.hpp"

namespace recorder {

// True while calls are to be recorded. One load of a shared page, and one of a page that reads 0
// after a fork.
bool recording();

// Reads the environment and opens the log, once in each process. Harmless before the C library has
// an environment.
void start();

// A point in the order of all threads. `after_loads`: not earlier than what the thread has read so
// far.
std::uint64_t stamp();

struct Call {
  trace::raw::Kind kind;
  const void* address;
  std::uint64_t size = 0;
  std::uint64_t extra = 0;  // count of a calloc, log2 of an alignment
};
// Appends one event. `clock` is stamp()'s, or 0 where the process has one thread. Keeps errno.
void append(const Call& call, std::uint64_t clock);

// Opens or closes the gate of all processes of the recording.
void set_gate(bool on);

// The number for a thread that is about to be created, and how the new thread takes it.
std::uint32_t reserve_thread();
void adopt_thread(std::uint32_t number);

}  // namespace recorder
