#include "allocator/tests/osmem/fork_step.hpp"

#include <limits.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <ucontext.h>

#include <atomic>
#include <cstdlib>
#include <vector>

extern "C" const char __executable_start;
extern "C" const char etext;

namespace fork_step {
namespace {

enum class Turn : int { kStepped, kWatcher };

std::atomic<Turn> turn{Turn::kStepped};
// Written by the stepped thread before it gives the turn away, and read after.
uintptr_t stopped_at = 0;
uint64_t instruction_count = 0;
unsigned visits_allowed = 0;
std::vector<unsigned char>* visit_counts = nullptr;

void on_trap(int, siginfo_t*, void* context) {
  const auto instruction =
      static_cast<uintptr_t>(static_cast<ucontext_t*>(context)->uc_mcontext.gregs[REG_RIP]);
  const auto start = reinterpret_cast<uintptr_t>(&__executable_start);
  if (instruction < start || instruction >= reinterpret_cast<uintptr_t>(&etext)) {
    return;
  }
  instruction_count++;
  unsigned char& count = (*visit_counts)[instruction - start];
  if (count >= visits_allowed) {
    return;
  }
  count++;
  stopped_at = instruction;
  turn.store(Turn::kWatcher, std::memory_order_release);  // with the watcher's acquire
  while (turn.load(std::memory_order_acquire) != Turn::kStepped) {  // with the watcher's release
    sched_yield();
  }
}

// The flag is set by popfq; the space left free is the caller's red zone.
[[gnu::noinline]] void set_trap_flag() {
  asm volatile(
      "leaq -128(%%rsp), %%rsp\n\tpushfq\n\torq $0x100, (%%rsp)\n\tpopfq\n\tleaq 128(%%rsp), %%rsp"
      ::: "memory", "cc");
}

void clear_trap_flag() {
  asm volatile(
      "leaq -128(%%rsp), %%rsp\n\tpushfq\n\tandq $~0x100, (%%rsp)\n\tpopfq\n\tleaq 128(%%rsp), %%rsp"
      ::: "memory", "cc");
}

// The last round of destructors ends the stepping: behind it the C library blocks all signals, and
// a trap that is blocked ends the process.
pthread_key_t last_round_key;

void on_round(void* round) {
  const auto number = reinterpret_cast<uintptr_t>(round);
  if (number == PTHREAD_DESTRUCTOR_ITERATIONS) {
    clear_trap_flag();
  } else {
    pthread_setspecific(last_round_key, reinterpret_cast<void*>(number + 1));
  }
}

void* run_stepped(void* body) {
  pthread_setspecific(last_round_key, reinterpret_cast<void*>(1));
  set_trap_flag();
  reinterpret_cast<void (*)()>(body)();
  return nullptr;
}

void install_handler() {
  struct sigaction action = {};
  action.sa_sigaction = on_trap;
  action.sa_flags = SA_SIGINFO;
  sigfillset(&action.sa_mask);
  if (sigaction(SIGTRAP, &action, nullptr) != 0 || pthread_key_create(&last_round_key, on_round) != 0) {
    abort();
  }
}

}  // namespace

Steps run(void (*body)(), void (*at_stop)(uintptr_t instruction), unsigned visits) {
  std::vector<unsigned char> counts(static_cast<size_t>(&etext - &__executable_start));
  visit_counts = &counts;
  visits_allowed = visits;
  instruction_count = 0;
  install_handler();
  Steps steps;
  pthread_t thread;
  if (pthread_create(&thread, nullptr, run_stepped, reinterpret_cast<void*>(body)) != 0) {
    abort();
  }
  while (pthread_tryjoin_np(thread, nullptr) != 0) {
    if (turn.load(std::memory_order_acquire) == Turn::kWatcher) {  // with the handler's release
      at_stop(stopped_at);
      steps.stops++;
      turn.store(Turn::kStepped, std::memory_order_release);  // with the handler's acquire
    }
    sched_yield();
  }
  steps.instructions = instruction_count;
  return steps;
}

}  // namespace fork_step
