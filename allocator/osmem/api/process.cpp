#include "allocator/osmem/api/process.hpp"

#include <fcntl.h>
#include <pthread.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>

#include "allocator/osmem/threads/free_checks.hpp"
#include "allocator/osmem/threads/heap_pool.hpp"
#include "allocator/osmem/pages/large.hpp"
#include "allocator/osmem/api/background.hpp"
#include "allocator/osmem/api/foreign_blocks.hpp"
#include "allocator/osmem/api/guarded.hpp"
#include "allocator/osmem/api/options.hpp"
#include "allocator/osmem/os/os.hpp"
#include "allocator/osmem/threads/offers.hpp"
#include "allocator/osmem/api/osmem.h"
#include "allocator/osmem/threads/remote_cache.hpp"
#include "allocator/osmem/api/report.hpp"
#include "allocator/osmem/threads/thread_cache.hpp"

namespace osmem {

constinit std::atomic<bool> g_purge_pending{false};
constinit thread_local ThreadCache t_cache __attribute__((tls_model("initial-exec"))) = {};

namespace {

constinit Lock g_start_lock;
constinit std::atomic<bool> g_started{false};
constinit pthread_key_t g_thread_end_key = 0;
constinit bool g_has_key = false;  // written under g_start_lock, before g_started

// pthread runs the destructors of keys in rounds as long as any is set again; ours waits for the last but one, so that most
// other destructors still find a heap. The value of the key counts the rounds.
constexpr std::uintptr_t kLastRound = PTHREAD_DESTRUCTOR_ITERATIONS - 1;

void end_thread() {
  give_back_thread_lists();
  t_cache.state = ThreadState::kExited;  // from here on: the shared heap
  if (RemoteCache* remote = t_cache.remote; remote != &g_no_chains) {
    t_cache.remote = &g_no_chains;
    remote->flush();
    retire_remote_cache(remote);
  }
  if (t_cache.heap != nullptr) {
    Heap* heap = t_cache.heap;
    t_cache.heap = nullptr;
    retire_heap(heap);
  }
}

void on_thread_end(void* round) {
  const auto number = reinterpret_cast<std::uintptr_t>(round);
  if (number < kLastRound) {
    pthread_setspecific(g_thread_end_key, reinterpret_cast<void*>(number + 1));
    return;
  }
  const int saved_errno = errno;
  end_thread();
  errno = saved_errno;
}

// No lock is held across fork, so that a fork never waits for a thread that waits for the C library's locks, which fork
// takes as well. Instead the child gives up whatever another thread was changing.
void in_forked_child() {
  g_start_lock.recover_after_fork();
  recover_metadata_after_fork();
  g_page_heap.recover_after_fork();
  large::recover_after_fork();
  store::recover_after_fork();
  offers::recover_after_fork();
  guarded::recover_after_fork();
  recover_background_after_fork();
  recover_pool_after_fork();
}

bool start_locked() {
  const int saved_errno = errno;
  read_options();
  os::use_huge_pages(os::huge_pages_of_system(), g_options.huge_pages);
  if (!start_region(g_options.heap)) {
    errno = saved_errno;
    return false;
  }
  foreign::note_break();
  store::set_policy(g_options.memory_per_cpu, std::min(g_options.rss_limit_bytes, os::cgroup_memory_limit()));
  if (g_options.mmap_threshold_bytes != 0) large::pin_threshold(g_options.mmap_threshold_bytes);
  g_has_key = pthread_key_create(&g_thread_end_key, on_thread_end) == 0;
  g_started.store(true, std::memory_order_release);  // pairs with ensure_started()
  errno = saved_errno;
  return true;
}

// Where reports at exit go: a copy of stderr, because many programs close stderr before our destructor runs.
constinit int g_report_fd = -1;

[[gnu::constructor]] void at_load() {
  pthread_atfork(nullptr, nullptr, in_forked_child);
  if (!ensure_started()) return;  // a later call tries again
  guarded::start();
  if (g_options.stats != StatsAtExit::kNo || g_options.leaks) {
    constexpr int kOutOfTheWay = 100;  // programs expect the low numbers for themselves
    g_report_fd = fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, kOutOfTheWay);
  }
}

[[gnu::destructor]] void at_exit() {
  if (g_report_fd == -1) return;
  if (g_options.stats != StatsAtExit::kNo) write_stats(g_report_fd, g_options.stats == StatsAtExit::kJson);
  if (g_options.leaks) os_check_leaks(g_report_fd);
}

}  // namespace

bool ensure_started() {
  if (g_started.load(std::memory_order_acquire)) return true;  // acquire pairs with start_locked()
  Guard guard(g_start_lock);
  return g_started.load(std::memory_order_relaxed) || start_locked();  // relaxed: under the lock
}

void watch_thread_end() {
  t_cache.state = ThreadState::kActive;
  // May call calloc for keys beyond the first 32: the thread is active already, and is served.
  if (g_has_key) pthread_setspecific(g_thread_end_key, reinterpret_cast<void*>(1));
}

void give_back_thread_lists() {
  Heap* heap = t_cache.heap;
  if (heap == nullptr) return;
  for (std::uint32_t c = 1; c < kClassCount; ++c) {
    Bin& bin = heap->bins[c];
    Block*& head = head_of(*heap, c);
    Block* lists[2] = {head, bin.freed};
    head = nullptr;
    bin.freed = nullptr;
    bin.budget = bin.limit;
    for (Block* list : lists) heap->give_back_list(list);
  }
}

void retire_orphan(Heap* heap) {
  const int saved_errno = errno;
  for (std::uint32_t c = 1; c < kClassCount; ++c) {
    Bin& bin = heap->bins[c];
    Block* lists[2] = {bin.head, bin.freed};
    bin.head = nullptr;
    bin.freed = nullptr;
    bin.budget = bin.limit;
    for (Block* list : lists) heap->give_back_list(list);
  }
  retire_heap(heap);
  errno = saved_errno;
}

std::size_t give_back_everything() {
  give_back_thread_lists();
  flush_own_chains();
  if (t_cache.heap != nullptr) {
    t_cache.heap->take_arrivals();
    t_cache.heap->release_empty();
    t_cache.heap->purge_idle();
    t_cache.heap->offer_sparse();
  }
  return offers::give_back(os::now_ms(), 0);
}

namespace {

constinit std::atomic<std::uint64_t> g_next_purge_ms{0};
// A thread whose looks at the clock are this far apart calls now and then only: a step or more of the coarse clock.
constexpr std::uint64_t kTrickleMs = 4;

// A quarter of an age apart, or free pages would grow much older.
void give_back_aged(std::uint64_t now, std::uint64_t age_ms) {
  // Relaxed: one thread wins the exchange and does the work; nothing else hangs on the time.
  std::uint64_t due = g_next_purge_ms.load(std::memory_order_relaxed);
  if (now >= due && g_next_purge_ms.compare_exchange_strong(due, now + age_ms / 4, std::memory_order_relaxed,  // relaxed: as above
                                                            std::memory_order_relaxed)) {
    store::give_back_aged(now);
    offers::give_back(now, age_ms, {kSparseSlabsAtATime, kSlicesAtATime});
  }
}

}  // namespace

void maintain() {
  const int saved_errno = errno;
  const std::uint64_t now = os::now_ms();
  const std::uint64_t age_ms = g_price.age_ms();
  Heap* heap = t_cache.heap;
  if (heap != nullptr) {
    heap->trickles = now - heap->last_seen_ms >= kTrickleMs;
    if (now != heap->last_seen_ms) heap->loans_left = kLoansPerStep;
    heap->last_seen_ms = now;
    if (now - heap->last_tick_ms >= age_ms / 4) {
      heap->last_tick_ms = now;
      // While memory is to go back, the lists of a thread that hardly allocates hold slabs for nothing.
      if (heap->trickles && purge_pending()) give_back_thread_lists();
      heap->take_arrivals();
      heap->note_share();
      for (Bin& bin : heap->bins) arm(bin, kLaterLooks);
      heap->release_empty();
      flush_own_chains();
    }
  }
  give_back_aged(now, age_ms);
  g_purge_pending.store(store::has_supply() || offers::pages() != 0, std::memory_order_relaxed);  // relaxed: a hint
  wake_background();
  errno = saved_errno;
}

}  // namespace osmem
