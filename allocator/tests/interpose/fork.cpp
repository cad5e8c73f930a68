// Proves that a fork at any moment leaves a heap that works in both processes: with every other
// thread allocating, from a signal handler that interrupts malloc, with another thread inside
// stdio, in a storm of 10,000 (500 in short form), in chains, and with threads in the child. Children
// that hang are ended by their alarm and fail. Does not prove that the child gets back memory that other threads'
// heaps held at the fork: they no longer exist there.
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <sys/time.h>

#include "lifecycle.hpp"

extern char** environ;

namespace {

using lifecycle::BusyThreads;
using lifecycle::expect_clean_exit;
using lifecycle::in_child;
using lifecycle::use_heap;
using test_level::Budget;
using test_level::kHangSeconds;

void fork_while_every_thread_allocates() {
  const BusyThreads busy(4);
  Budget forks("forks", {40, 10, 40}, {400, 100, 1200});
  for (unsigned turn = 0; forks.goes_on(); turn++) {
    in_child([turn] { use_heap(turn, 300); });
    use_heap(turn, 20);
  }
}

void fork_storm() {
  const BusyThreads busy(1);
  Budget forks("forks", {500, 100, 40}, {10000, 1000, 1500});
  while (forks.goes_on()) {
    in_child([] { free(malloc(100)); });
  }
}

void child_frees_blocks_of_all_threads() {
  constexpr int kBlocks = 300;
  static void* blocks[4][kBlocks];
  std::vector<std::thread> makers;
  for (auto& row : blocks) {
    makers.emplace_back([&row] {
      for (int i = 0; i < kBlocks; i++) {
        row[i] = malloc(static_cast<size_t>(i) * 40 + 1);
      }
    });
  }
  for (std::thread& maker : makers) {
    maker.join();
  }
  const BusyThreads busy(2);
  Budget forks("forks", {10, 3, 40}, {50, 20, 600});
  for (unsigned turn = 0; forks.goes_on(); turn++) {
    in_child([turn] {
      for (auto& row : blocks) {
        for (void* const block : row) {
          free(block);
        }
      }
      use_heap(turn, 300);
    });
  }
}

void child_uses_threads() {
  const BusyThreads busy(2);
  Budget forks("forks", {20, 5, 40}, {100, 30, 600});
  for (unsigned turn = 0; forks.goes_on(); turn++) {
    in_child([turn] {
      std::vector<std::thread> threads;
      for (unsigned i = 0; i < 3; i++) {
        threads.emplace_back([turn, i] { use_heap(turn + i, 200); });
      }
      for (std::thread& thread : threads) {
        thread.join();
      }
    });
  }
}

void children_fork_again(int depth) {
  use_heap(static_cast<unsigned>(depth), 50);
  if (depth > 0) {
    in_child([depth] { children_fork_again(depth - 1); });
  }
}

void fork_in_a_chain() {
  const BusyThreads busy(2);
  Budget chains("chains", {6, 2, 40}, {30, 10, 600});
  while (chains.goes_on()) {
    in_child([] { children_fork_again(5); });
  }
}

volatile sig_atomic_t is_child = 0;
std::atomic<unsigned> forks_done{0};  // lock-free, so the handler may

void fork_in_handler(int) {
  const pid_t child = fork();
  if (child == 0) {
    is_child = 1;
    alarm(kHangSeconds);
    return;  // into the interrupted allocation
  }
  expect_clean_exit(child);
  forks_done.fetch_add(1, std::memory_order_relaxed);  // a count, orders nothing
}

// The handler interrupts malloc and free of this very thread; the child then finishes the
// interrupted call and goes on. The next signal comes after the last one was answered, and half a millisecond later: however
// long a fork takes, the thread gets on.
void fork_from_a_signal_handler() {
  const BusyThreads busy(1);
  struct sigaction action = {};
  action.sa_handler = fork_in_handler;
  CHECK(sigaction(SIGVTALRM, &action, nullptr) == 0);
  const pthread_t self = pthread_self();
  std::atomic<bool> has_ended{false};
  std::thread sender([&] {
    Budget forks("forks", {100, 50, 60}, {500, 50, 600});
    for (unsigned sent = 1; forks.goes_on(); sent++) {
      pthread_kill(self, SIGVTALRM);
      while (forks_done.load(std::memory_order_relaxed) < sent) {  // as above
        usleep(100);
      }
      usleep(500);
    }
    has_ended.store(true, std::memory_order_relaxed);  // the join orders
  });
  for (unsigned turn = 0; !has_ended.load(std::memory_order_relaxed); turn++) {
    use_heap(turn, 50);
    if (is_child != 0) {
      use_heap(turn, 300);
      _exit(0);
    }
  }
  sender.join();
}

void fork_while_another_thread_is_in_stdio() {
  std::atomic<bool> stop{false};
  std::thread reader([&stop] {
    while (!stop.load(std::memory_order_relaxed)) {  // a hint to end, orders nothing
      FILE* const file = fopen("/proc/self/maps", "r");
      CHECK(file != nullptr);
      char* line = nullptr;
      size_t capacity = 0;
      while (getline(&line, &capacity, file) > 0) {
      }
      free(line);
      fclose(file);
      fflush(nullptr);
    }
  });
  Budget forks("forks", {60, 15, 40}, {400, 100, 900});
  for (unsigned turn = 0; forks.goes_on(); turn++) {
    in_child([turn] {
      FILE* const sink = fopen("/dev/null", "w");
      CHECK(sink != nullptr && fprintf(sink, "%u\n", turn) > 0 && fclose(sink) == 0);
      use_heap(turn, 100);
      exit(0);  // flushes all streams, too
    });
  }
  stop.store(true, std::memory_order_relaxed);  // as above
  reader.join();
}

void vfork_and_posix_spawn() {
  const BusyThreads busy(2);
  char name[] = "/bin/true";
  char* const arguments[] = {name, nullptr};
  Budget forks("pairs of children", {20, 5, 40}, {100, 30, 600});
  while (forks.goes_on()) {
    const pid_t child = vfork();
    if (child == 0) {
      execv(name, arguments);
      _exit(9);
    }
    expect_clean_exit(child);
    pid_t spawned = 0;
    CHECK(posix_spawn(&spawned, name, nullptr, nullptr, arguments, environ) == 0);
    expect_clean_exit(spawned);
  }
}

}  // namespace

#define CASE(name) \
  { #name, name }
static const check_case kCases[] = {
    CASE(fork_while_every_thread_allocates),
    CASE(fork_storm),
    CASE(child_frees_blocks_of_all_threads),
    CASE(child_uses_threads),
    CASE(fork_in_a_chain),
    CASE(fork_from_a_signal_handler),
    CASE(fork_while_another_thread_is_in_stdio),
    CASE(vfork_and_posix_spawn),
};

int main(int argc, char** argv) { return check_main(argc, argv, kCases, std::size(kCases)); }
