// Proves that a fork at any moment leaves a heap that works in both processes: with every other
// thread allocating, from a signal handler that interrupts malloc, with another thread inside
// stdio, in a storm of 10,000, in chains, and with threads in the child. Children that hang are
// ended by their alarm and fail. Does not prove that the child gets back memory that other threads'
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

void fork_while_every_thread_allocates() {
  const BusyThreads busy(4);
  for (unsigned turn = 0; turn < 400; turn++) {
    in_child([turn] { use_heap(turn, 300); });
    use_heap(turn, 20);
  }
}

void fork_storm() {
  const BusyThreads busy(1);
  for (int turn = 0; turn < 10000; turn++) {
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
  for (unsigned turn = 0; turn < 50; turn++) {
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
  for (unsigned turn = 0; turn < 100; turn++) {
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
  for (int turn = 0; turn < 30; turn++) {
    in_child([] { children_fork_again(5); });
  }
}

volatile sig_atomic_t forks_done = 0;
volatile sig_atomic_t is_child = 0;

void fork_in_handler(int) {
  const pid_t child = fork();
  if (child == 0) {
    is_child = 1;
    alarm(20);
    return;  // into the interrupted allocation
  }
  expect_clean_exit(child);
  forks_done = forks_done + 1;
}

// The handler interrupts malloc and free of this very thread; the child then finishes the
// interrupted call and goes on.
void fork_from_a_signal_handler() {
  const BusyThreads busy(1);
  sigset_t alarm_set;
  sigemptyset(&alarm_set);
  sigaddset(&alarm_set, SIGVTALRM);
  struct sigaction action = {};
  action.sa_handler = fork_in_handler;
  CHECK(sigaction(SIGVTALRM, &action, nullptr) == 0);
  const pthread_t self = pthread_self();
  std::atomic<bool> stop{false};
  std::thread sender([&] {
    while (!stop.load(std::memory_order_relaxed)) {  // a hint to end, orders nothing
      pthread_kill(self, SIGVTALRM);
      usleep(500);
    }
  });
  for (unsigned turn = 0; forks_done < 500; turn++) {
    use_heap(turn, 50);
    if (is_child != 0) {
      use_heap(turn, 300);
      _exit(0);
    }
  }
  stop.store(true, std::memory_order_relaxed);  // as above
  pthread_sigmask(SIG_BLOCK, &alarm_set, nullptr);
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
  for (unsigned turn = 0; turn < 400; turn++) {
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
  for (int turn = 0; turn < 100; turn++) {
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
