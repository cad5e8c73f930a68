#include "allocator/osmem/base/lock.hpp"

#include <linux/futex.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include <cerrno>

namespace osmem {
namespace {

// Critical sections are short, so a waiter spins this often before it sleeps.
constexpr int kSpins = 64;

void pause_cpu() {
#if defined(__x86_64__)
  __builtin_ia32_pause();
#endif
}

void futex(std::atomic<std::uint32_t>* word, int operation, std::uint32_t value, const timespec* most = nullptr) {
  const int saved_errno = errno;
  syscall(SYS_futex, word, operation | FUTEX_PRIVATE_FLAG, value, most, nullptr, 0);
  errno = saved_errno;
}

}  // namespace

void Lock::lock_contended() {
  for (int i = 0; i < kSpins; ++i) {
    std::uint32_t expected = kFree;
    // Relaxed look first, so that spinning does not take the line away from the holder; acquire as in lock().
    if (state_.load(std::memory_order_relaxed) == kFree &&
        state_.compare_exchange_strong(expected, kHeld, std::memory_order_acquire,
                                       std::memory_order_relaxed)) {
      return;
    }
    pause_cpu();
  }
  // Acquire as in lock(). From here on the word says that someone may sleep, so every unlock wakes one.
  while (state_.exchange(kContended, std::memory_order_acquire) != kFree) {
    futex(&state_, FUTEX_WAIT, kContended);
  }
}

void Lock::wake() { futex(&state_, FUTEX_WAKE, 1); }

void wait_a_moment() {
  constexpr timespec kMoment{0, 50'000};
  std::atomic<std::uint32_t> nobody_wakes_it{0};
  futex(&nobody_wakes_it, FUTEX_WAIT, 0, &kMoment);
}

bool Lock::recover_after_fork() {
  // Relaxed: one thread is left.
  if (state_.load(std::memory_order_relaxed) == kFree) return false;
  if (holder_.load(std::memory_order_relaxed) == thread_pointer()) return false;  // relaxed: as above
  holder_.store(0, std::memory_order_relaxed);                                   // relaxed: as above
  state_.store(kFree, std::memory_order_relaxed);                                // relaxed: as above
  return true;
}

}  // namespace osmem
