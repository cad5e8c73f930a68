#include "bench/worker/last_words.hpp"

#include <cstdio>
#include <cstdlib>
#include <exception>
#include <new>

#include "workloads/workload.hpp"

namespace bench::worker {

// _Exit, not exit: other threads are at work, and destructors would ask for memory.
void end_for_want_of_memory() {
  std::fputs("bench-worker: out of memory: a request by operator new was refused (std::bad_alloc)\n", stderr);
  std::_Exit(workloads::kOutOfMemoryExitCode);
}

void end_on_exception() {
  try {
    throw;
  } catch (const std::bad_alloc&) {
    end_for_want_of_memory();
  } catch (const std::exception& error) {
    std::fprintf(stderr, "bench-worker: a thread of the workload ended with an exception: %s\n", error.what());
  } catch (...) {
    std::fputs("bench-worker: a thread of the workload ended with an exception that says nothing\n", stderr);
  }
  std::_Exit(EXIT_FAILURE);
}

void end_on_uncaught_exception() {
  if (std::current_exception() == nullptr) {
    std::abort();  // terminate without an exception, as by a thread that was never joined
  }
  end_on_exception();
}

}  // namespace bench::worker
