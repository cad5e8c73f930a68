// How a worker ends whose workload cannot go on: one line on stderr for bench to show, and an exit code that tells it why.
#pragma once

namespace bench::worker {

// For a `new` that was refused: the cell is OOM.
[[noreturn]] void end_for_want_of_memory();

// In a catch block: says which exception ends the process. One for want of memory is that.
[[noreturn]] void end_on_exception();

// A terminate handler: says which exception a thread of the workload's own let go, instead of a mere SIGABRT.
[[noreturn]] void end_on_uncaught_exception();

}  // namespace bench::worker
