// startup: what does the first allocation of a thread, or of a process, cost?
//
// Origin: programs of many short threads or processes: shells, compilers, tests. what=thread: each
// iteration every thread of run() starts one thread; all of them are released together, allocate
// one block of `size` bytes, write and free it, and end. what=process: each iteration starts the
// program `true` and waits for it, in the same environment, so with the same allocator preloaded:
// the cost of loading and initialising it, and of its first few allocations.
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <barrier>
#include <cstdlib>
#include <memory>

#include "workloads/memory.hpp"
#include "workloads/threads.hpp"
#include "workloads/workload.hpp"

namespace workloads {
namespace {

enum class What { kThread, kProcess };

class Startup : public Workload {
 public:
  explicit Startup(const Setup& setup)
      : size_(setup.count("size")),
        what_(static_cast<What>(setup["what"])),
        released_(setup.threads()) {}

  Tally run(int /*thread_index*/, Steps& steps) override {
    Tally tally{static_cast<std::uint64_t>(steps.total()), 0};
    for (std::int64_t i = 0; steps.next(); ++i) {
      tally.checksum += what_ == What::kThread ? start_thread_and_allocate(i) : start_process();
    }
    return tally;
  }

 private:
  std::uint64_t start_thread_and_allocate(std::int64_t i) {
    std::uint64_t seen = 0;
    Thread thread([&] {
      released_.arrive_and_wait();
      void* block = allocate(size_);
      touch_ends(block, size_, tag_of(static_cast<std::uint64_t>(i)));
      seen = read_ends(block, size_);
      std::free(block);
    });
    thread.join();
    return seen;
  }

  // 1 if `true` could be started and succeeded.
  static std::uint64_t start_process() {
    char name[] = "true";
    char* const arguments[] = {name, nullptr};
    pid_t child = 0;
    if (posix_spawnp(&child, name, nullptr, nullptr, arguments, environ) != 0) {
      return 0;
    }
    int status = 0;
    if (waitpid(child, &status, 0) != child) {
      return 0;
    }
    return WIFEXITED(status) && WEXITSTATUS(status) == 0 ? 1 : 0;
  }

  std::size_t size_;
  What what_;
  std::barrier<> released_;  // all threads of an iteration
};

const Registration registration(
    {.name = "startup",
     .question = "What does the first allocation of a thread, or of a process, cost?",
     .origin = "programs of many short threads or processes",
     .operation = "the life of a thread or process that allocates once",
     .threading = Threading::kAny,
     .parameters = {{"what", 0, "", "what starts", 0, 1, {"thread", "process"}},
                    {"size", 64, "bytes", "size of the block", 1, 1 << 30}},
     .smoke_iterations = 10,
     .threads_note = "threads:N is N threads started and released together; those that run() is "
                     "called on only wait",
     .profile = "live: one block a thread for a moment; no remote frees"},
    [](const Setup& setup) { return std::make_unique<Startup>(setup); });

}  // namespace
}  // namespace workloads
