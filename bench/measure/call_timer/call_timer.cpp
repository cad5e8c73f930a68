// The library behind call_timer.hpp. Allocates nothing from whom it measures: its tables are mappings, one a thread, kept for the next
// thread when one ends.
//
//   the program's malloc() -> timed() -> ticks, the allocator's malloc, ticks -> counts of this thread
//
// The allocator's functions are looked up by dlsym at the first call, which may come before any constructor; what the lookup itself asks
// for is served from a small arena and never given back.
#include "bench/measure/call_timer/call_timer.hpp"

#include <dlfcn.h>
#include <malloc.h>
#include <pthread.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <new>
#include <utility>

#include "bench/measure/call_timer/ticks.hpp"

namespace {

using bench::CallTimes;
using bench::LogBuckets;
using bench::SlowCall;
using bench::TimedCall;

// Owned by one thread at a time; read by stop() when all are at rest.
struct ThreadTimes {
  std::uint64_t counts[bench::kTimedCalls][LogBuckets::kCount];
  std::uint64_t max_ticks[bench::kTimedCalls];
  SlowCall slowest[bench::kSlowCallsKept];  // the slowest first
  std::size_t slowest_count;
  std::uint32_t purges;  // calls so far
  std::uint32_t mappings;
  ThreadTimes* next;       // in the list of all, fixed once it is there
  std::atomic<bool> taken;
};

struct Next {
  void* (*malloc)(std::size_t);
  void (*free)(void*);
  void* (*calloc)(std::size_t, std::size_t);
  void* (*realloc)(void*, std::size_t);
  void* (*aligned_alloc)(std::size_t, std::size_t);
  void* (*memalign)(std::size_t, std::size_t);
  int (*posix_memalign)(void**, std::size_t, std::size_t);
};

enum class Lookup { kNotYet, kUnderWay, kDone };

// Written once, by the first call of the process, while it has one thread.
Lookup lookup = Lookup::kNotYet;
Next next_of;

alignas(16) char arena[16384];
std::size_t arena_used = 0;

// Written by start() and stop(), when no other thread is in a call.
std::atomic<bool> active{false};
bool explains = false;
bool uses_counter = false;
std::uint64_t cost_ticks = 0;
std::uint64_t step_ticks = 1;
std::uint64_t start_clock_ns = 0;
std::uint64_t start_ticks = 0;

std::atomic<ThreadTimes*> all_times{nullptr};
pthread_key_t thread_end;
bool has_thread_end = false;

#define INITIAL_EXEC __attribute__((tls_model("initial-exec")))
__thread ThreadTimes* my_times INITIAL_EXEC = nullptr;
__thread int depth INITIAL_EXEC = 0;  // of calls of ours that this thread is in

template <typename Function>
void look_up(Function& into, const char* name) {
  into = reinterpret_cast<Function>(dlsym(RTLD_NEXT, name));
}

void release_times(void* times) {
  my_times = nullptr;
  static_cast<ThreadTimes*>(times)->taken.store(false, std::memory_order_release);  // pairs with the acquire in take_times()
}

void look_up_all() {
  lookup = Lookup::kUnderWay;
  look_up(next_of.malloc, "malloc");
  look_up(next_of.free, "free");
  look_up(next_of.calloc, "calloc");
  look_up(next_of.realloc, "realloc");
  look_up(next_of.aligned_alloc, "aligned_alloc");
  look_up(next_of.memalign, "memalign");
  look_up(next_of.posix_memalign, "posix_memalign");
  lookup = Lookup::kDone;
  has_thread_end = pthread_key_create(&thread_end, release_times) == 0;
  uses_counter = bench::cpu_ticks_are_steady();
}

void* from_arena(std::size_t size) {
  const std::size_t aligned = (size + 15) & ~std::size_t{15};
  if (aligned > sizeof arena - arena_used) {
    errno = ENOMEM;
    return nullptr;
  }
  return arena + std::exchange(arena_used, arena_used + aligned);
}

bool is_from_arena(const void* block) { return block >= arena && block < arena + sizeof arena; }

// Whether the allocator can be called; false while its functions are looked up.
bool ready() {
  if (lookup == Lookup::kNotYet) [[unlikely]] {
    look_up_all();
  }
  return lookup == Lookup::kDone;
}

ThreadTimes* take_times() {
  for (ThreadTimes* times = all_times.load(std::memory_order_acquire); times != nullptr; times = times->next) {
    if (!times->taken.exchange(true, std::memory_order_acquire)) {  // pairs with the release in release_times()
      return times;
    }
  }
  const long mapped = syscall(SYS_mmap, nullptr, sizeof(ThreadTimes), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
  if (mapped == -1) {
    return nullptr;
  }
  auto* times = reinterpret_cast<ThreadTimes*>(mapped);  // all zero
  times->taken.store(true, std::memory_order_relaxed);   // not seen by others yet
  times->next = all_times.load(std::memory_order_relaxed);
  while (!all_times.compare_exchange_weak(times->next, times, std::memory_order_release, std::memory_order_relaxed)) {
  }
  return times;
}

// This thread's; null if there is no memory for them, and then its calls are not timed.
ThreadTimes* times_of_this_thread() {
  if (my_times == nullptr) {
    my_times = take_times();
    if (my_times != nullptr && has_thread_end) {
      pthread_setspecific(thread_end, my_times);
    }
  }
  return my_times;
}

std::uint64_t ticks_now() { return uses_counter ? bench::cpu_ticks() : bench::clock_ticks(); }

// Keeps a call if it is among the slowest.
void keep_slow(SlowCall* slowest, std::size_t& count, const SlowCall& call) {
  if (count == bench::kSlowCallsKept) {
    if (call.ticks <= slowest[count - 1].ticks) {
      return;
    }
    --count;
  }
  std::size_t place = count++;
  for (; place > 0 && slowest[place - 1].ticks < call.ticks; --place) {
    slowest[place] = slowest[place - 1];
  }
  slowest[place] = call;
}

// What the kernel did for this thread so far.
struct Kernel {
  rusage usage;
  std::uint32_t purges;
  std::uint32_t mappings;

  static Kernel now(const ThreadTimes& times) {
    Kernel kernel{};
    getrusage(RUSAGE_THREAD, &kernel.usage);
    kernel.purges = times.purges;
    kernel.mappings = times.mappings;
    return kernel;
  }
};

SlowCall explained(SlowCall call, const Kernel& before, const Kernel& after) {
  call.minor_faults = static_cast<std::uint32_t>(after.usage.ru_minflt - before.usage.ru_minflt);
  call.major_faults = static_cast<std::uint32_t>(after.usage.ru_majflt - before.usage.ru_majflt);
  call.preemptions = static_cast<std::uint32_t>(after.usage.ru_nivcsw - before.usage.ru_nivcsw);
  call.waits = static_cast<std::uint32_t>(after.usage.ru_nvcsw - before.usage.ru_nvcsw);
  call.purges = after.purges - before.purges;
  call.mappings = after.mappings - before.mappings;
  return call;
}

// In a call of ours for as long as it lives: what the allocator asks of itself meanwhile is part of that call.
class Inside {
 public:
  Inside() { ++depth; }
  ~Inside() { --depth; }
  Inside(const Inside&) = delete;
  Inside& operator=(const Inside&) = delete;
};

// Makes the call, timed if it is to be. An exception passes through, and its call is not counted.
template <typename Call>
auto timed(TimedCall kind, std::size_t size_bytes, Call call) {
  if (!active.load(std::memory_order_relaxed) || depth != 0) {  // relaxed: set when no other thread is in a call
    return call();
  }
  const Inside inside;
  ThreadTimes* const times = times_of_this_thread();
  if (times == nullptr) {
    return call();
  }
  const Kernel before = explains ? Kernel::now(*times) : Kernel{};
  const std::uint64_t start = ticks_now();
  auto result = call();
  const std::uint64_t passed = ticks_now() - start;
  const std::uint64_t ticks = passed > cost_ticks ? passed - cost_ticks : 0;
  const int saved_errno = errno;
  const auto row = static_cast<std::size_t>(kind);
  ++times->counts[row][LogBuckets::index_of(ticks)];
  times->max_ticks[row] = std::max(times->max_ticks[row], ticks);
  SlowCall slow{};
  slow.ticks = ticks;
  slow.size_bytes = size_bytes;
  slow.call = kind;
  keep_slow(times->slowest, times->slowest_count, explains ? explained(slow, before, Kernel::now(*times)) : slow);
  errno = saved_errno;
  return result;
}

// An allocator's operator new or delete, whatever its signature; the C++ library's where it has none of its own.
template <typename Function>
Function* operator_of(Function*& cached, const char* symbol) {
  if (cached == nullptr) {  // all threads would write the same
    cached = reinterpret_cast<Function*>(dlsym(RTLD_NEXT, symbol));
  }
  return cached;
}

struct Nothing {};

__attribute__((noinline)) void* no_call(std::size_t size) {
  asm volatile("" : "+r"(size));
  return nullptr;
}

// What a call that does nothing takes: the median of many. And the steps of the clock: the least that two of them differ by.
void measure_cost() {
  constexpr std::size_t kTries = 4001;
  static std::uint64_t tries[kTries];
  void* (*volatile call)(std::size_t) = no_call;
  for (std::uint64_t& one : tries) {
    const std::uint64_t start = ticks_now();
    call(1);
    one = ticks_now() - start;
  }
  std::sort(tries, tries + kTries);
  cost_ticks = tries[kTries / 2];
  step_ticks = UINT64_MAX;
  for (std::size_t i = 1; i < kTries; ++i) {
    if (tries[i] != tries[i - 1]) {
      step_ticks = std::min(step_ticks, tries[i] - tries[i - 1]);
    }
  }
  step_ticks = step_ticks == UINT64_MAX ? 1 : step_ticks;
}

}  // namespace

#define EXPORTED extern "C" __attribute__((visibility("default")))

EXPORTED void bench_call_timer_start(bool explaining) {
  ready();
  explains = explaining;
  measure_cost();
  start_clock_ns = bench::clock_ticks();
  start_ticks = ticks_now();
  active.store(true, std::memory_order_release);  // threads that start later see what stands before it
}

EXPORTED void bench_call_timer_stop(CallTimes* out) {
  active.store(false, std::memory_order_relaxed);
  const std::uint64_t ticks = ticks_now() - start_ticks;
  const std::uint64_t clock_ns = bench::clock_ticks() - start_clock_ns;
  std::memset(out, 0, sizeof *out);
  out->ns_per_tick = uses_counter && ticks > 0 ? static_cast<double>(clock_ns) / static_cast<double>(ticks) : 1;
  out->cost_ticks = static_cast<double>(cost_ticks);
  out->step_ticks = static_cast<double>(step_ticks);
  out->uses_counter = uses_counter;
  for (const ThreadTimes* times = all_times.load(std::memory_order_acquire); times != nullptr; times = times->next) {
    for (std::size_t row = 0; row < bench::kTimedCalls; ++row) {
      out->max_ticks[row] = std::max(out->max_ticks[row], times->max_ticks[row]);
      for (std::size_t i = 0; i < LogBuckets::kCount; ++i) {
        out->counts[row][i] += times->counts[row][i];
      }
    }
    for (std::size_t i = 0; i < times->slowest_count; ++i) {
      keep_slow(out->slowest, out->slowest_count, times->slowest[i]);
    }
  }
}

EXPORTED void* bench_call_timer_target(const char* name) {
  void* found = dlsym(RTLD_NEXT, name);
  asm volatile("" : "+r"(found));  // no tail call: "next" is after the library that dlsym returns to
  return found;
}

EXPORTED void* malloc(std::size_t size) noexcept {
  return !ready() ? from_arena(size) : timed(TimedCall::kMalloc, size, [size] { return next_of.malloc(size); });
}

EXPORTED void free(void* block) noexcept {
  if (is_from_arena(block) || !ready()) {
    return;
  }
  timed(TimedCall::kFree, 0, [block] {
    next_of.free(block);
    return Nothing{};
  });
}

EXPORTED void* calloc(std::size_t count, std::size_t size) noexcept {
  return !ready() ? from_arena(count * size)  // never used before, so zero
                  : timed(TimedCall::kCalloc, count * size, [=] { return next_of.calloc(count, size); });
}

EXPORTED void* realloc(void* block, std::size_t size) noexcept {
  if (!ready() || is_from_arena(block)) {
    void* const moved = malloc(size);
    if (moved != nullptr && block != nullptr) {
      const auto left = static_cast<std::size_t>(arena + sizeof arena - static_cast<char*>(block));
      std::memcpy(moved, block, std::min(size, left));
    }
    return moved;
  }
  return timed(TimedCall::kRealloc, size, [=] { return next_of.realloc(block, size); });
}

EXPORTED void* aligned_alloc(std::size_t alignment, std::size_t size) noexcept {
  return !ready() ? nullptr : timed(TimedCall::kAligned, size, [=] { return next_of.aligned_alloc(alignment, size); });
}

EXPORTED void* memalign(std::size_t alignment, std::size_t size) noexcept {
  return !ready() ? nullptr : timed(TimedCall::kAligned, size, [=] { return next_of.memalign(alignment, size); });
}

EXPORTED int posix_memalign(void** out, std::size_t alignment, std::size_t size) noexcept {
  return !ready() ? ENOMEM : timed(TimedCall::kAligned, size, [=] { return next_of.posix_memalign(out, alignment, size); });
}

// new and delete, by their mangled names, so that one macro serves each signature.
#define TIMED_NEW(symbol, kind, parameters, arguments)                                         \
  EXPORTED void* symbol parameters {                                                           \
    static void*(*next) parameters;                                                            \
    return timed(kind, size, [&] { return operator_of(next, #symbol) arguments; });            \
  }
#define TIMED_DELETE(symbol, parameters, arguments)                                            \
  EXPORTED void symbol parameters {                                                            \
    static void(*next) parameters;                                                             \
    timed(TimedCall::kFree, 0, [&] {                                                           \
      operator_of(next, #symbol) arguments;                                                    \
      return Nothing{};                                                                        \
    });                                                                                        \
  }

using Bytes = std::size_t;
using Tag = const std::nothrow_t&;

TIMED_NEW(_Znwm, TimedCall::kMalloc, (Bytes size), (size))
TIMED_NEW(_Znam, TimedCall::kMalloc, (Bytes size), (size))
TIMED_NEW(_ZnwmRKSt9nothrow_t, TimedCall::kMalloc, (Bytes size, Tag tag), (size, tag))
TIMED_NEW(_ZnamRKSt9nothrow_t, TimedCall::kMalloc, (Bytes size, Tag tag), (size, tag))
TIMED_NEW(_ZnwmSt11align_val_t, TimedCall::kAligned, (Bytes size, Bytes alignment), (size, alignment))
TIMED_NEW(_ZnamSt11align_val_t, TimedCall::kAligned, (Bytes size, Bytes alignment), (size, alignment))
TIMED_DELETE(_ZdlPv, (void* block), (block))
TIMED_DELETE(_ZdaPv, (void* block), (block))
TIMED_DELETE(_ZdlPvm, (void* block, Bytes size), (block, size))
TIMED_DELETE(_ZdaPvm, (void* block, Bytes size), (block, size))
TIMED_DELETE(_ZdlPvSt11align_val_t, (void* block, Bytes alignment), (block, alignment))
TIMED_DELETE(_ZdaPvSt11align_val_t, (void* block, Bytes alignment), (block, alignment))
TIMED_DELETE(_ZdlPvmSt11align_val_t, (void* block, Bytes size, Bytes alignment), (block, size, alignment))
TIMED_DELETE(_ZdaPvmSt11align_val_t, (void* block, Bytes size, Bytes alignment), (block, size, alignment))

// The calls by which an allocator gives memory back and takes it, counted where it makes them through these.
namespace {
void count_purge() {
  if (my_times != nullptr) {
    ++my_times->purges;
  }
}
void count_mapping() {
  if (my_times != nullptr) {
    ++my_times->mappings;
  }
}
}  // namespace

EXPORTED int madvise(void* address, std::size_t bytes, int advice) noexcept {
  count_purge();
  return static_cast<int>(syscall(SYS_madvise, address, bytes, advice));
}

EXPORTED int munmap(void* address, std::size_t bytes) noexcept {
  count_purge();
  return static_cast<int>(syscall(SYS_munmap, address, bytes));
}

EXPORTED void* mmap(void* address, std::size_t bytes, int protection, int flags, int file, off_t offset) noexcept {
  count_mapping();
  return reinterpret_cast<void*>(syscall(SYS_mmap, address, bytes, protection, flags, file, offset));
}

EXPORTED void* mmap64(void* address, std::size_t bytes, int protection, int flags, int file, off_t offset) noexcept {
  return mmap(address, bytes, protection, flags, file, offset);
}

EXPORTED int mprotect(void* address, std::size_t bytes, int protection) noexcept {
  count_mapping();
  return static_cast<int>(syscall(SYS_mprotect, address, bytes, protection));
}
