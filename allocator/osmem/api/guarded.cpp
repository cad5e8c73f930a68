#include "allocator/osmem/api/guarded.hpp"

#include <dlfcn.h>
#include <unistd.h>
#include <unwind.h>

#include <cerrno>
#include <csignal>
#include <cstdlib>

#include "allocator/osmem/base/check.hpp"
#include "allocator/osmem/base/lock.hpp"
#include "allocator/osmem/base/writer.hpp"
#include "allocator/osmem/os/os.hpp"
#include "allocator/osmem/slabs/carve_order.hpp"

namespace osmem::guarded {

constinit std::size_t g_sample_bytes = 0;
constinit std::uintptr_t g_start = 0;

namespace {

constexpr std::size_t kPlaces = 16;
constexpr std::size_t kMostLive = 8;
constexpr int kFrames = 16;
constexpr int kOwnFrames = 2;  // capture() and who called it

struct Stack {
  std::uintptr_t frames[kFrames];
  int count;
};

enum class State : std::uint8_t { kUnused, kLive, kFreed };

struct Place {
  std::uintptr_t block = 0;
  std::size_t bytes = 0;
  State state = State::kUnused;
  std::uint64_t freed_number = 0;  // the place freed longest ago is used next
  int allocated_by = 0;            // thread ids
  int freed_by = 0;
  Stack allocated{};
  Stack freed{};
};

constinit Lock g_lock;
// Guarded by g_lock; the handler reads it without, as the thread that faulted is in the program's own code:
constinit Place g_places[kPlaces];
constinit std::size_t g_live_count = 0;
constinit std::uint64_t g_freed_number = 0;

using Backtrace = _Unwind_Reason_Code (*)(_Unwind_Trace_Fn, void*);
using InstructionPointer = _Unwind_Ptr (*)(_Unwind_Context*);
// Written once, at start:
constinit Backtrace g_backtrace = nullptr;
constinit InstructionPointer g_instruction_pointer = nullptr;
constinit struct sigaction g_before[2] = {};  // of SIGSEGV and SIGBUS

// An unwinder may allocate: then no block is guarded for it.
constinit thread_local bool t_busy __attribute__((tls_model("initial-exec"))) = false;

struct Capture {
  Stack* stack;
  int skip;
};

_Unwind_Reason_Code add_frame(_Unwind_Context* context, void* argument) {
  auto* capture = static_cast<Capture*>(argument);
  if (capture->skip-- > 0) return _URC_NO_REASON;
  const std::uintptr_t address = g_instruction_pointer(context);
  if (address == 0 || capture->stack->count == kFrames) return _URC_END_OF_STACK;
  capture->stack->frames[capture->stack->count++] = address;
  return _URC_NO_REASON;
}

[[gnu::noinline]] void capture(Stack& stack) {
  stack.count = 0;
  if (g_backtrace == nullptr) return;
  Capture capture{&stack, kOwnFrames};
  g_backtrace(add_frame, &capture);
}

std::size_t page() { return os::page_bytes(); }
std::uintptr_t page_of(std::size_t place) { return g_start + (2 * place + 1) * page(); }

// The place in whose page or behind or before it the address lies: nearer by half a page that cannot be touched.
std::size_t place_near(std::uintptr_t address) {
  const std::size_t half_pages = (address - g_start) / (page() / 2);
  const std::size_t place = half_pages < 1 ? 0 : (half_pages - 1) / 4;
  return place < kPlaces ? place : kPlaces - 1;
}

bool is_inside(std::uintptr_t address) { return address - g_start < (2 * kPlaces + 1) * page(); }

void write_stack(const char* title, int thread, const Stack& stack) {
  Writer(STDERR_FILENO).text("osmem:   ").text(title).text(" by thread ").number(static_cast<std::uint64_t>(thread)).text(
      stack.count == 0 ? ", no stack: no unwinder was found\n" : " at\n");
  for (int i = 0; i < stack.count; ++i) {
    Dl_info info{};
    Writer line(STDERR_FILENO);
    line.text("osmem:     #").number(static_cast<std::uint64_t>(i)).text(" ").address(reinterpret_cast<void*>(stack.frames[i]));
    // The call, not where it returns to.
    if (dladdr(reinterpret_cast<void*>(stack.frames[i] - 1), &info) != 0 && info.dli_fname != nullptr) {
      line.text(" ").text(info.dli_fname).text("+").address(
          reinterpret_cast<void*>(stack.frames[i] - reinterpret_cast<std::uintptr_t>(info.dli_fbase)));
      if (info.dli_sname != nullptr) line.text(" ").text(info.dli_sname);
    }
    line.text("\n");
  }
}

void write_history(const Place& place) {
  write_stack("allocated", place.allocated_by, place.allocated);
  if (place.state == State::kFreed) write_stack("freed", place.freed_by, place.freed);
}

// The line, the stacks, and then the end, unless errors are only reported.
void report(const char* call, const char* what, const void* pointer, const Place& place) {
  {
    Writer line(STDERR_FILENO);
    line.text("osmem: ").text(call).text("(").address(pointer).text("): ").text(what).text("; a guarded block of ")
        .number(place.bytes).text(" bytes at ").address(reinterpret_cast<void*>(place.block))
        .text(place.state == State::kLive ? ", live\n" : ", freed\n");
  }
  write_history(place);
  if (!g_errors_are_only_reported) std::abort();
}

const char* what_fault(const Place& place, std::uintptr_t address) {
  if (place.state == State::kUnused) return "access to memory that no block was in";
  if (address >= place.block + place.bytes) return place.state == State::kLive ? "access behind the end" : "access behind the end, after the free";
  if (address < place.block) return place.state == State::kLive ? "access before the start" : "access before the start, after the free";
  return "access after the free";
}

void pass_on(int signal, siginfo_t* info, void* context) {
  const struct sigaction& before = g_before[signal == SIGSEGV ? 0 : 1];
  if ((before.sa_flags & SA_SIGINFO) != 0 && before.sa_sigaction != nullptr) return before.sa_sigaction(signal, info, context);
  if (before.sa_handler != SIG_DFL && before.sa_handler != SIG_IGN) return before.sa_handler(signal);
  std::signal(signal, SIG_DFL);  // the access is made again, and ends the program as it would have
}

void on_fault(int signal, siginfo_t* info, void* context) {
  const auto address = reinterpret_cast<std::uintptr_t>(info->si_addr);
  if (info->si_code <= 0 || !is_inside(address)) return pass_on(signal, info, context);
  const Place& place = g_places[place_near(address)];
  const bool report_only = g_errors_are_only_reported;
  const bool has_handler = g_before[0].sa_handler != SIG_DFL && g_before[0].sa_handler != SIG_IGN;
  if (has_handler) g_errors_are_only_reported = true;  // that handler decides
  report("access", what_fault(place, address), info->si_addr, place);
  g_errors_are_only_reported = report_only;
  if (has_handler) return pass_on(signal, info, context);
  os::commit(reinterpret_cast<void*>(address & ~(page() - 1)), page());  // reported: from here on it may
}

// g_lock held. The place to use next; null: so many blocks are live that none is guarded.
Place* choose() {
  if (g_live_count == kMostLive) return nullptr;
  Place* best = nullptr;
  for (Place& place : g_places) {
    if (place.state == State::kLive) continue;
    if (best == nullptr || place.freed_number < best->freed_number) best = &place;
  }
  return best;
}

bool is_clean_before(const Place& place) {
  for (auto at = place.block & ~(page() - 1); at < place.block; ++at) {
    if (*reinterpret_cast<const unsigned char*>(at) != 0) return false;
  }
  return true;
}

// The live block that starts there; null, and reported: there is none. g_lock held.
Place* find_live(const char* call, const void* ptr) {
  const auto address = reinterpret_cast<std::uintptr_t>(ptr);
  Place& place = g_places[place_near(address)];
  if (place.state == State::kLive && place.block == address) return &place;
  const bool again = place.state == State::kFreed && place.block == address;
  report(call, again ? "freed before" : "a pointer into or beside a block, not to its start", ptr, place);
  return nullptr;
}

void find_unwinder() {
  void* library = RTLD_DEFAULT;
  if (dlsym(library, "_Unwind_Backtrace") == nullptr) library = dlopen("libgcc_s.so.1", RTLD_LAZY);
  if (library == nullptr) library = RTLD_DEFAULT;
  g_instruction_pointer = reinterpret_cast<InstructionPointer>(dlsym(library, "_Unwind_GetIP"));
  if (g_instruction_pointer != nullptr) g_backtrace = reinterpret_cast<Backtrace>(dlsym(library, "_Unwind_Backtrace"));
}

void set_handler() {
  constexpr int kSignals[2] = {SIGSEGV, SIGBUS};
  struct sigaction ours {};
  ours.sa_sigaction = on_fault;
  ours.sa_flags = SA_SIGINFO | SA_ONSTACK;
  sigemptyset(&ours.sa_mask);
  for (int i = 0; i < 2; ++i) sigaction(kSignals[i], &ours, &g_before[i]);
}

}  // namespace

void start() {
  if (g_sample_bytes == 0) return;
  const std::size_t bytes = g_sample_bytes;
  g_sample_bytes = 0;  // what the unwinder's library allocates is not guarded
  const std::size_t area = (2 * kPlaces + 1) * page();
  find_unwinder();
  g_start = area <= kMostAreaBytes ? reinterpret_cast<std::uintptr_t>(os::reserve(area, page())) : 0;
  if (g_start == 0) return;
  set_handler();
  g_sample_bytes = bytes;
}

void* allocate(Heap& heap, std::uint32_t size_class) {
  const std::size_t bytes = kClassBytes[size_class];
  const std::size_t taken = bytes * heap.bins[size_class].batch;
  if (heap.until_guard_bytes > taken) {
    heap.until_guard_bytes -= taken;
    return nullptr;
  }
  const bool is_first = heap.until_guard_bytes == 0 && g_sample_bytes > 1;
  // At random between half and three halves, so that no pattern of the program's escapes.
  heap.until_guard_bytes = g_sample_bytes / 2 + (g_sample_bytes > 1 ? random_word() % g_sample_bytes : 0);
  if (is_first || bytes > page() || t_busy) return nullptr;
  const Guard guard(g_lock);
  Place* place = choose();
  if (place == nullptr) return nullptr;
  const std::uintptr_t start = page_of(static_cast<std::size_t>(place - g_places));
  if (!os::commit(reinterpret_cast<void*>(start), page())) return nullptr;
  t_busy = true;
  capture(place->allocated);
  t_busy = false;
  place->block = start + page() - bytes;
  place->bytes = bytes;
  place->allocated_by = gettid();
  place->state = State::kLive;
  ++g_live_count;
  return reinterpret_cast<void*>(place->block);
}

bool free(void* ptr) {
  if (!is_inside(reinterpret_cast<std::uintptr_t>(ptr))) return false;
  const Guard guard(g_lock);
  Place* place = find_live("free", ptr);
  if (place == nullptr) return true;
  if (!is_clean_before(*place)) report("free", "written before its start", ptr, *place);
  t_busy = true;
  capture(place->freed);
  t_busy = false;
  place->freed_by = gettid();
  place->state = State::kFreed;
  place->freed_number = ++g_freed_number;
  --g_live_count;
  auto* start = reinterpret_cast<void*>(place->block & ~(page() - 1));
  os::purge(start, page());
  os::forbid(start, page());
  return true;
}

std::size_t usable_bytes(const char* call, const void* ptr) {
  if (!is_inside(reinterpret_cast<std::uintptr_t>(ptr))) return SIZE_MAX;
  const Guard guard(g_lock);
  const Place* place = find_live(call, ptr);
  return place == nullptr ? 0 : place->bytes;
}

void recover_after_fork() { g_lock.recover_after_fork(); }

}  // namespace osmem::guarded
