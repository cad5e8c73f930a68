#include "allocator/osmem/api/background.hpp"

#include <limits.h>
#include <linux/futex.h>
#include <pthread.h>
#include <signal.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cstdint>

#include "allocator/osmem/api/options.hpp"
#include "allocator/osmem/base/tuning.hpp"
#include "allocator/osmem/os/os.hpp"
#include "allocator/osmem/pages/store.hpp"
#include "allocator/osmem/threads/heap_pool.hpp"
#include "allocator/osmem/threads/offers.hpp"

namespace osmem {
namespace {

enum State : std::uint32_t {
  kNone = 0,
  kAwake = 1,
  kAsleep = 2,   // waits on g_state until it is kAwake
  kRefused = 3,  // there can be none
};
constinit std::atomic<std::uint32_t> g_state{kNone};

void sleep_ms(std::uint64_t ms) {
  timespec left{static_cast<time_t>(ms / 1000), static_cast<long>(ms % 1000 * 1'000'000)};
  while (clock_nanosleep(CLOCK_MONOTONIC, 0, &left, &left) == EINTR) {
  }
}

// Nothing but what threads hold themselves is left: until somebody frees more.
void wait_for_work() {
  std::uint32_t awake = kAwake;
  // Relaxed, here and below: the word guards no data; the futex call looks at it again.
  if (!g_state.compare_exchange_strong(awake, kAsleep, std::memory_order_relaxed)) return;
  while (g_state.load(std::memory_order_relaxed) == kAsleep) syscall(SYS_futex, &g_state, FUTEX_WAIT_PRIVATE, kAsleep, nullptr, nullptr, 0);
}

void* give_back_forever(void*) {
  for (;;) {
    sleep_ms(std::max<std::uint64_t>(g_price.age_ms() / 4, 1));
    const std::uint64_t now = os::now_ms();
    store::give_back_aged(now);
    offers::give_back(now, g_price.age_ms());
    if (!store::has_supply() && offers::pages() == 0) wait_for_work();
  }
}

bool start() {
  constexpr std::size_t kStackBytes = std::size_t{64} << 10;
  pthread_attr_t attributes;
  if (pthread_attr_init(&attributes) != 0) return false;
  pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
  pthread_attr_setstacksize(&attributes, std::max<std::size_t>(kStackBytes, PTHREAD_STACK_MIN));
  sigset_t all;
  sigset_t before;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  pthread_t thread;
  const bool started = pthread_create(&thread, &attributes, give_back_forever, nullptr) == 0;
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
  pthread_attr_destroy(&attributes);
  return started;
}

}  // namespace

void wake_background() {
  if (!g_options.background) return;
  const std::size_t supply = g_demand.supply() + offers::pages();
  const std::size_t worth = active_heap_count() > 1 ? kBackgroundPages : kFirstThreadPages;
  if (supply < worth || supply < g_demand.needed() / 2) return;
  std::uint32_t state = g_state.load(std::memory_order_relaxed);  // relaxed, and below: see wait_for_work()
  if (state == kAsleep && g_state.compare_exchange_strong(state, kAwake, std::memory_order_relaxed)) {
    const int saved_errno = errno;
    syscall(SYS_futex, &g_state, FUTEX_WAKE_PRIVATE, 1, nullptr, nullptr, 0);
    errno = saved_errno;
    return;
  }
  state = kNone;
  // Before the thread is made: that allocates, and comes here again.
  if (!g_state.compare_exchange_strong(state, kAwake, std::memory_order_relaxed)) return;
  const int saved_errno = errno;
  if (!start()) g_state.store(kRefused, std::memory_order_relaxed);
  errno = saved_errno;
}

void recover_background_after_fork() { g_state.store(kNone, std::memory_order_relaxed); }  // relaxed: one thread is left

}  // namespace osmem
