// Stops a thread before each of its instructions, so that the rest of the process can look at - or
// fork in - every state that the thread goes through.
//
// The processor's trap flag raises SIGTRAP after each instruction; the handler, on the stepped
// thread, hands over to the thread that called run() and waits. So there is no race to win: every
// window, however small, is entered. x86-64 only. One stepped thread at a time.
#pragma once

#include <cstddef>
#include <cstdint>

namespace fork_step {

struct Steps {
  uint64_t instructions = 0;  // of this program's own code
  uint64_t stops = 0;
};

// Runs body() in a new thread, stepped from its first instruction to the end of the thread,
// destructors of keys included. at_stop(instruction address) runs on the calling thread while the
// other one stands still; it must not wait for anything that the stepped thread may hold. An
// instruction is stopped at `visits` times at most: loops look the same each time.
Steps run(void (*body)(), void (*at_stop)(uintptr_t instruction), unsigned visits);

}  // namespace fork_step
