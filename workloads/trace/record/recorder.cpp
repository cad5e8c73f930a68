// libosmem-recorder.so: preloaded, it passes every allocation call on to the next allocator and
// notes it in the log.
//
// It is no allocator. Only what the dynamic linker's symbol search itself asks for, before the next
// allocator is known, is served from a small static arena, and is not recorded.
#include <dlfcn.h>
#include <errno.h>
#include <pthread.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <atomic>

#include "workloads/trace/record/recorder_log.hpp"

#define RECORDER_EXPORT extern "C" __attribute__((visibility("default")))

namespace {

using trace::raw::Kind;

// The next allocator's functions that are called at every turn. They hold our own first_*() until
// the search is done, so that the hot path needs no test of whether it is.
void* first_malloc(size_t size);
void first_free(void* p);
// relaxed, here and where they are called: whichever of the two values a thread reads, it works
std::atomic<void* (*)(size_t)> g_next_malloc{first_malloc};
std::atomic<void (*)(void*)> g_next_free{first_free};

// The others; valid after resolve().
struct Next {
  void* (*calloc)(size_t, size_t);
  void* (*realloc)(void*, size_t);
  void* (*memalign)(size_t, size_t);
  void* (*aligned_alloc)(size_t, size_t);
  int (*posix_memalign)(void**, size_t, size_t);
  void* (*valloc)(size_t);
  void* (*pvalloc)(size_t);
  size_t (*usable_size)(void*);
  int (*pthread_create)(pthread_t*, const pthread_attr_t*, void* (*)(void*), void*);
};
Next g_next;
std::atomic<uint32_t> g_ready;  // 1: g_next is filled
thread_local bool t_resolving __attribute__((tls_model("initial-exec")));

constexpr size_t kArenaBytes = 64 * 1024;
alignas(16) char g_arena[kArenaBytes];
std::atomic<size_t> g_arena_used;

bool in_arena(const void* p) {
  return reinterpret_cast<uintptr_t>(p) - reinterpret_cast<uintptr_t>(g_arena) < kArenaBytes;
}

// Each block has its size in the 16 bytes before it, for realloc.
void* arena_malloc(size_t size) {
  const size_t bytes = (size + 31) & ~size_t{15};
  // relaxed: the blocks are disjoint, nothing else is passed
  const size_t at = g_arena_used.fetch_add(bytes, std::memory_order_relaxed);
  if (size > kArenaBytes || at + bytes > kArenaBytes) {
    errno = ENOMEM;
    return nullptr;
  }
  memcpy(g_arena + at, &size, sizeof size);
  return g_arena + at + 16;
}

size_t arena_size(const void* p) {
  size_t size;
  memcpy(&size, static_cast<const char*>(p) - 16, sizeof size);
  return size;
}

template <typename F>
void find(F& function, const char* name) {
  function = reinterpret_cast<F>(dlsym(RTLD_NEXT, name));
}

void search() {
  Next next;  // several threads may search at once; they find the same
  void* (*next_malloc)(size_t) = nullptr;
  void (*next_free)(void*) = nullptr;
  find(next_malloc, "malloc");
  find(next_free, "free");
  find(next.calloc, "calloc");
  find(next.realloc, "realloc");
  find(next.memalign, "memalign");
  find(next.aligned_alloc, "aligned_alloc");
  find(next.posix_memalign, "posix_memalign");
  find(next.valloc, "valloc");
  find(next.pvalloc, "pvalloc");
  find(next.usable_size, "malloc_usable_size");
  find(next.pthread_create, "pthread_create");
  // acquire: partner of the store below
  if (g_ready.load(std::memory_order_acquire) == 0) {
    g_next = next;
    g_next_malloc.store(next_malloc, std::memory_order_relaxed);
    g_next_free.store(next_free, std::memory_order_relaxed);
    g_ready.store(1, std::memory_order_release);  // partner of the loads in resolve() and above
  }
}

[[gnu::noinline]] bool resolve_now() {
  if (t_resolving) {
    return false;
  }
  t_resolving = true;
  search();
  t_resolving = false;
  recorder::start();
  return true;
}

// Fills g_next. False while the calling thread is itself within the search.
inline bool resolve() {
  // acquire: partner of the store in search()
  return g_ready.load(std::memory_order_acquire) != 0 || resolve_now();
}

void* first_malloc(size_t size) {
  return resolve() ? g_next_malloc.load(std::memory_order_relaxed)(size) : arena_malloc(size);
}

void first_free(void* p) {
  if (resolve()) {
    g_next_free.load(std::memory_order_relaxed)(p);
  }
}

uint64_t log2_of(size_t alignment) {
  return alignment == 0 ? 0 : static_cast<uint64_t>(63 - __builtin_clzll(alignment));
}

// An allocator may serve a calloc, a realloc or an aligned request by calling malloc or free
// through the symbol table, which is us again: those calls are its own, not the program's. Without
// a limit they leave the inline path, and note_slowly() leaves them out.
class Nested {
 public:
  Nested() : limit_(recorder::t_log.limit) {
    recorder::t_log.limit = nullptr;
    ++recorder::t_log.nested;
  }
  ~Nested() {
    --recorder::t_log.nested;
    recorder::t_log.limit = limit_;
  }
  Nested(const Nested&) = delete;
  Nested& operator=(const Nested&) = delete;

 private:
  std::uint64_t* limit_;
};

template <typename Function, typename... Arguments>
auto pass(Function function, Arguments... arguments) {
  const Nested nested;
  return function(arguments...);
}

[[gnu::noinline]] void* note_slowly(Kind kind, void* address, size_t size, uint64_t extra) {
  if (address != nullptr && !in_arena(address) && recorder::t_log.nested == 0 &&
      recorder::recording()) {
    recorder::append({kind, address, size, extra});
  }
  return address;
}

[[gnu::always_inline]] inline void* note(Kind kind, void* address, size_t size = 0,
                                         uint64_t extra = 0) {
  if (address != nullptr && recorder::try_put({kind, address, size, extra})) [[likely]] {
    return address;
  }
  return note_slowly(kind, address, size, extra);
}

// The end of a realloc is noted wherever its beginning was: failed, or with the gate closed since.
void note_realloc_end(void* result, size_t size) {
  if (!recorder::try_put({Kind::kReallocEnd, result, size})) {
    recorder::append({Kind::kReallocEnd, result, size});
  }
}

void* realloc_from_arena(void* p, size_t size) {
  void* copy = malloc(size);
  if (copy != nullptr) {
    memcpy(copy, p, size < arena_size(p) ? size : arena_size(p));
  }
  return copy;
}

__attribute__((constructor)) void start_recording() { resolve(); }

}  // namespace

RECORDER_EXPORT void* malloc(size_t size) {
  return note(Kind::kMalloc, g_next_malloc.load(std::memory_order_relaxed)(size), size);
}

RECORDER_EXPORT void free(void* p) {
  if (p == nullptr || in_arena(p)) {
    return;
  }
  note(recorder::t_log.sized == p ? Kind::kFreeSized : Kind::kFree, p);
  g_next_free.load(std::memory_order_relaxed)(p);
}

RECORDER_EXPORT void cfree(void* p) { free(p); }

RECORDER_EXPORT void* calloc(size_t count, size_t size) {
  if (!resolve()) {
    return count == 0 || size <= kArenaBytes / count ? arena_malloc(count * size) : nullptr;
  }
  return note(Kind::kCalloc, pass(g_next.calloc, count, size), size, count);
}

RECORDER_EXPORT void* realloc(void* p, size_t size) {
  if (p == nullptr) {
    return malloc(size);
  }
  if (in_arena(p) || !resolve()) {
    return realloc_from_arena(p, size);
  }
  if (recorder::t_log.nested != 0 || !recorder::recording()) {
    return pass(g_next.realloc, p, size);
  }
  if (size == 0) {  // what becomes of the block differs between allocators; most free it
    note(Kind::kFree, p);
    return note(Kind::kMalloc, pass(g_next.realloc, p, size_t{0}));
  }
  if (!recorder::try_put({Kind::kReallocBegin, p})) {
    recorder::append({Kind::kReallocBegin, p});
  }
  void* result = pass(g_next.realloc, p, size);
  note_realloc_end(result, size);
  return result;
}

RECORDER_EXPORT void* reallocarray(void* p, size_t count, size_t size) {
  size_t bytes;
  if (__builtin_mul_overflow(count, size, &bytes)) {
    errno = ENOMEM;
    return nullptr;
  }
  return realloc(p, bytes);
}

RECORDER_EXPORT void* memalign(size_t alignment, size_t size) {
  resolve();
  return note(Kind::kAlignedAlloc, pass(g_next.memalign, alignment, size), size,
              log2_of(alignment));
}

RECORDER_EXPORT void* aligned_alloc(size_t alignment, size_t size) {
  resolve();
  return note(Kind::kAlignedAlloc, pass(g_next.aligned_alloc, alignment, size), size,
              log2_of(alignment));
}

RECORDER_EXPORT int posix_memalign(void** out, size_t alignment, size_t size) {
  resolve();
  const int result = pass(g_next.posix_memalign, out, alignment, size);
  if (result == 0) {
    note(Kind::kPosixMemalign, *out, size, log2_of(alignment));
  }
  return result;
}

RECORDER_EXPORT void* valloc(size_t size) {
  resolve();
  return note(Kind::kAlignedAlloc, pass(g_next.valloc, size), size, 12);
}

RECORDER_EXPORT void* pvalloc(size_t size) {
  resolve();
  return note(Kind::kAlignedAlloc, pass(g_next.pvalloc, size), (size + 4095) & ~size_t{4095}, 12);
}

RECORDER_EXPORT size_t malloc_usable_size(void* p) {
  if (p == nullptr || in_arena(p) || !resolve()) {
    return p != nullptr && in_arena(p) ? arena_size(p) : 0;
  }
  return g_next.usable_size(p);
}

// C23's sized frees, and C++'s sized delete. The latter is passed on to the C++ library (or to
// whoever replaced operator delete there), which ends in free() above: ThreadLog::sized tells it
// what it is part of.
RECORDER_EXPORT void free_sized(void* p, size_t) {
  recorder::t_log.sized = p;
  free(p);
  recorder::t_log.sized = nullptr;
}

RECORDER_EXPORT void free_aligned_sized(void* p, size_t, size_t size) { free_sized(p, size); }

namespace {

template <typename... Arguments>
void pass_delete(std::atomic<void*>& cache, const char* name, void* p, Arguments... arguments) {
  using Delete = void (*)(void*, Arguments...);
  // relaxed: every thread that searches finds the same function
  auto next = reinterpret_cast<Delete>(cache.load(std::memory_order_relaxed));
  if (next == nullptr) {
    next = reinterpret_cast<Delete>(dlsym(RTLD_NEXT, name));
    cache.store(reinterpret_cast<void*>(next), std::memory_order_relaxed);
  }
  recorder::t_log.sized = p;
  if (next != nullptr) {
    next(p, arguments...);
  } else {
    free(p);
  }
  recorder::t_log.sized = nullptr;
}

}  // namespace

#define RECORDER_SIZED_DELETE(symbol)                 \
  RECORDER_EXPORT void symbol(void* p, size_t size) { \
    static constinit std::atomic<void*> next;         \
    pass_delete(next, #symbol, p, size);              \
  }
#define RECORDER_SIZED_ALIGNED_DELETE(symbol)                           \
  RECORDER_EXPORT void symbol(void* p, size_t size, size_t alignment) { \
    static constinit std::atomic<void*> next;                           \
    pass_delete(next, #symbol, p, size, alignment);                     \
  }
RECORDER_SIZED_DELETE(_ZdlPvm)
RECORDER_SIZED_DELETE(_ZdaPvm)
RECORDER_SIZED_ALIGNED_DELETE(_ZdlPvmSt11align_val_t)
RECORDER_SIZED_ALIGNED_DELETE(_ZdaPvmSt11align_val_t)

namespace {

// What a new thread is told: which number the log of its creator has for it.
struct Launch {
  std::atomic<uint32_t> taken;
  uint32_t number;
  void* (*body)(void*);
  void* argument;
};
constexpr size_t kLaunches = 256;  // threads that are being created at one moment
Launch g_launches[kLaunches];

Launch* take_launch() {
  for (Launch& launch : g_launches) {
    // acquire: partner of the release in launched(), after which the fields are free
    if (launch.taken.exchange(1, std::memory_order_acquire) == 0) {
      return &launch;
    }
  }
  return nullptr;
}

void* launched(void* argument) {
  auto* launch = static_cast<Launch*>(argument);
  void* (*body)(void*) = launch->body;
  void* body_argument = launch->argument;
  recorder::adopt_thread(launch->number);
  launch->taken.store(0, std::memory_order_release);  // partner of take_launch()
  return body(body_argument);
}

}  // namespace

RECORDER_EXPORT int pthread_create(pthread_t* thread, const pthread_attr_t* attributes,
                                   void* (*body)(void*), void* argument) {
  resolve();
  Launch* launch = recorder::recording() ? take_launch() : nullptr;
  if (launch == nullptr) {  // a thread that nobody announced is given a number at its first event
    return g_next.pthread_create(thread, attributes, body, argument);
  }
  launch->number = recorder::reserve_thread();
  launch->body = body;
  launch->argument = argument;
  recorder::append({Kind::kThreadStart, reinterpret_cast<void*>(uintptr_t{launch->number})});
  const int result = g_next.pthread_create(thread, attributes, launched, launch);
  if (result != 0) {
    launch->taken.store(0, std::memory_order_release);  // partner of take_launch()
  }
  return result;
}

// For programs that know of the recorder: record from here on (1), or stop (0).
RECORDER_EXPORT void osmem_recorder_gate(int on) { recorder::set_gate(on != 0); }
