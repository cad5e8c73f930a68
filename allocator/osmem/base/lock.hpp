// A mutual exclusion lock of one word, on a futex.
//
// It knows its holder, because the child of a fork has to tell a lock held by a thread that no longer exists (the
// guarded data may be half written) from one held by the forking thread itself (it goes on in the child).
// Constant-initialised; never allocates. Not recursive.
#pragma once

#include <atomic>
#include <cstdint>

namespace osmem {

// Address of the calling thread's control block: unique among the living threads of a process, never 0.
inline std::uintptr_t thread_pointer() {
#if defined(__x86_64__)
  std::uintptr_t value;
  asm("mov %%fs:0, %0" : "=r"(value));
  return value;
#else
  return reinterpret_cast<std::uintptr_t>(__builtin_thread_pointer());
#endif
}

class Lock {
 public:
  constexpr Lock() = default;
  Lock(const Lock&) = delete;
  Lock& operator=(const Lock&) = delete;

  void lock() {
    std::uint32_t expected = kFree;
    // Acquire pairs with the release in unlock().
    if (!state_.compare_exchange_strong(expected, kHeld, std::memory_order_acquire,
                                        std::memory_order_relaxed)) {
      lock_contended();
    }
    holder_.store(thread_pointer(), std::memory_order_relaxed);  // read by this thread or after fork only
  }

  void unlock() {
    holder_.store(0, std::memory_order_relaxed);  // as in lock()
    // Release: what was written under the lock is seen by the next holder.
    if (state_.exchange(kFree, std::memory_order_release) == kContended) wake();
  }

  // In the child of a fork. True if another thread held the lock at the time of the fork: the lock is free now, and
  // what it guards has to be given up.
  bool recover_after_fork();

 private:
  static constexpr std::uint32_t kFree = 0;
  static constexpr std::uint32_t kHeld = 1;
  static constexpr std::uint32_t kContended = 2;  // held, and someone may sleep on it

  void lock_contended();
  void wake();

  std::atomic<std::uint32_t> state_{kFree};
  std::atomic<std::uintptr_t> holder_{0};
};

class [[nodiscard]] Guard {
 public:
  explicit Guard(Lock& lock) : lock_(lock) { lock_.lock(); }
  ~Guard() { lock_.unlock(); }
  Guard(const Guard&) = delete;
  Guard& operator=(const Guard&) = delete;

 private:
  Lock& lock_;
};

// Sleeps for 50 us, for what another thread is about to finish and nobody announces. By futex, which the locks make already: no filter of
// system calls has to allow more for it. Keeps errno.
void wait_a_moment();

}  // namespace osmem
