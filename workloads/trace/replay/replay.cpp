#include "workloads/trace/replay/replay.hpp"

#include <dlfcn.h>
#include <malloc.h>
#include <pthread.h>
#include <sched.h>
#include <stdlib.h>
#include <sys/mman.h>

#include <algorithm>
#include <cstdio>
#include <cstring>
#include <ctime>

namespace trace {
namespace {

using workloads::Tally;

constexpr std::uint32_t kTagged = std::uint32_t{1} << 31;
constexpr int kSpinsBeforeYield = 200;

constexpr std::uint32_t tag_of(std::uint32_t cell) { return cell * 2654435761u + 1; }

void write_tag(void* object, std::uint32_t cell) {
  const std::uint32_t tag = tag_of(cell);
  std::memcpy(object, &tag, sizeof tag);
}

std::uint32_t read_tag(const void* object) {
  std::uint32_t tag;
  std::memcpy(&tag, object, sizeof tag);
  return tag;
}

// Whoever waits for the last to have been done to the cell gets what was done before it, too.
void count_up(Cell& cell) {
  // relaxed: only this thread may touch the cell now; release: partner of the acquire in wait_for()
  cell.count.store(cell.count.load(std::memory_order_relaxed) + 1, std::memory_order_release);
}

void wait_for(const Cell& cell, std::uint32_t count) {
  for (int spins = 0; cell.count.load(std::memory_order_acquire) < count;
       ++spins) {  // partner: count_up()
    if (spins >= kSpinsBeforeYield) {
      sched_yield();
    }
#if defined(__x86_64__)
    __builtin_ia32_pause();
#endif
  }
}

std::int64_t now_ns() {
  timespec now{};
  clock_gettime(CLOCK_MONOTONIC, &now);
  return static_cast<std::int64_t>(now.tv_sec) * 1'000'000'000 + now.tv_nsec;
}

void sleep_until(std::int64_t time_ns) {
  const timespec until{static_cast<time_t>(time_ns / 1'000'000'000), static_cast<long>(time_ns % 1'000'000'000)};
  while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &until, nullptr) != 0) {
  }
}

template <Touch kTouch>
void touch_new(void* object, std::size_t bytes, std::size_t from, std::uint32_t cell) {
  if constexpr (kTouch == Touch::kPage) {
    if (bytes > from) {
      workloads::touch_pages(static_cast<char*>(object) + from, bytes - from,
                             static_cast<std::uint8_t>(cell));
    }
  } else if constexpr (kTouch == Touch::kWhole) {
    if (bytes > from) {
      workloads::touch_whole(static_cast<char*>(object) + from, bytes - from,
                             static_cast<std::uint8_t>(cell));
    }
  }
  if (kTouch != Touch::kNone && from == 0 && bytes >= sizeof(std::uint32_t)) {
    write_tag(object, cell);
  }
  workloads::escape(object);
}

// The calls for real.
template <Touch kTouch>
struct RealCalls {
  void (*free_sized)(void*, std::size_t);  // null where the allocator under test has none

  static void* checked(void* object, const Op& op, std::size_t bytes) {
    object = workloads::allocated(object, bytes);
    touch_new<kTouch>(object, bytes, 0, op.cell);
    return object;
  }
  void* allocate(const Op& op) const {
    const std::size_t alignment = std::size_t{1} << op.alignment_log2();
    switch (op.kind()) {
      case OpKind::kCalloc:
        return checked(calloc(op.detail, op.size()), op, op.detail * op.size());
      case OpKind::kAlignedAlloc:
        return checked(memalign(alignment, op.size()), op, op.size());
      case OpKind::kPosixMemalign: {
        void* object = nullptr;
        if (posix_memalign(&object, alignment, op.size()) != 0) {
          object = nullptr;
        }
        return checked(object, op, op.size());
      }
      default:
        return checked(malloc(op.size()), op, op.size());
    }
  }
  void* reallocate(void* object, const Op& op) const {
    object = workloads::allocated(realloc(object, op.size()), op.size());
    const std::size_t kept = std::size_t{op.detail & ~kTagged} * workloads::kPageBytes;
    touch_new<kTouch>(object, op.size(), kept, op.cell);
    if (kTouch != Touch::kNone && (op.detail & kTagged) == 0 &&
        op.size() >= sizeof(std::uint32_t)) {
      write_tag(object, op.cell);
    }
    return object;
  }
  std::uint64_t release(void* object, const Op& op) const {
    const bool tagged = kTouch != Touch::kNone && op.size() >= sizeof(std::uint32_t);
    const std::uint64_t tag = tagged ? read_tag(object) : 0;
    if (op.kind() == OpKind::kFreeSized && free_sized != nullptr) {
      free_sized(object, op.size());
    } else {
      free(object);
    }
    return tag;
  }
};

// The same work around them, and no call: what replay itself costs.
struct NoCalls {
  static void* allocate(const Op& op) { return reinterpret_cast<void*>(op.size() | 1); }
  static void* reallocate(void*, const Op& op) { return reinterpret_cast<void*>(op.size() | 1); }
  static std::uint64_t release(void* object, const Op&) { return object != nullptr; }
};

}  // namespace

struct Replay::Player {
  Replay& replay;
  Running& self;

  template <bool kThreaded, typename Calls>
  void play(const Calls& calls) {
    const ReplayProgram& program = replay.program_;
    for (const OpChunk& chunk : program.chunks(self.number)) {
      const Op* ops = program.load(chunk, self.buffer);
      for (const Op* op = ops; op != ops + chunk.count; ++op) {
        play_one<kThreaded>(*op, calls);
      }
    }
  }

  template <bool kThreaded, typename Calls>
  void play_one(const Op& op, const Calls& calls) {
    Cell& cell = replay.cells_[op.kind() == OpKind::kStartThread ? 0 : op.cell];  // kUntil has 0
    switch (op.kind()) {
      case OpKind::kStartThread:
        if constexpr (kThreaded) {
          replay.start_thread(op.cell);
        }
        return;
      case OpKind::kWait:
        if constexpr (kThreaded) {
          wait_for(cell, op.detail);
        }
        return;
      case OpKind::kUntil:
        if constexpr (kThreaded) {
          sleep_until(replay.start_ns_ + static_cast<std::int64_t>(op.size()) * 1000);
        }
        return;
      case OpKind::kFree:
      case OpKind::kFreeSized:
        self.tally.checksum += calls.release(cell.object, op);
        cell.object = nullptr;
        break;
      case OpKind::kRealloc:
        cell.object = calls.reallocate(cell.object, op);
        break;
      default:
        cell.object = calls.allocate(op);
        break;
    }
    ++self.tally.operations;
    count_up(cell);
  }

  template <Touch kTouch>
  void play_with() {
    play<true>(RealCalls<kTouch>{replay.free_sized_});
  }

  void play_real() {
    switch (replay.touch_) {
      case Touch::kNone:
        return play_with<Touch::kNone>();
      case Touch::kFirst:
        return play_with<Touch::kFirst>();
      case Touch::kPage:
        return play_with<Touch::kPage>();
      case Touch::kWhole:
        return play_with<Touch::kWhole>();
    }
  }
};

namespace {

ReplayProgram load_program(const std::filesystem::path& path, std::uint64_t resident_bytes, ThinkTime think_time) {
  Reader reader(path);
  return ReplayProgram(reader, resident_bytes, think_time);
}

constexpr int kOwnCostTurns = 3;

// Of the calling thread.
double cpu_seconds_now() {
  timespec now{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
  return static_cast<double>(now.tv_sec) + static_cast<double>(now.tv_nsec) * 1e-9;
}

}  // namespace

Replay::Replay(const std::filesystem::path& path, Touch touch, std::uint64_t resident_bytes, ThinkTime think_time)
    : program_(load_program(path, resident_bytes, think_time)),
      touch_(touch),
      cells_(std::max<std::uint32_t>(program_.cells(), 1)),
      running_(program_.threads()),
      free_sized_(
          reinterpret_cast<void (*)(void*, std::size_t)>(dlsym(RTLD_DEFAULT, "free_sized"))) {
  for (std::uint32_t i = 0; i < program_.threads(); ++i) {
    running_[i].replay = this;
    running_[i].number = i;
    if (program_.streamed()) {
      void* buffer =
          mmap(nullptr, kBufferBytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
      running_[i].buffer = buffer == MAP_FAILED ? nullptr : static_cast<Op*>(buffer);
      if (buffer == MAP_FAILED) {
        workloads::out_of_memory(kBufferBytes);
      }
    }
  }
  measure_own_cost();
}

Replay::~Replay() {
  for (Running& running : running_) {
    if (running.buffer != nullptr) {
      munmap(running.buffer, kBufferBytes);
    }
  }
}

// The least of a few turns, the first of which brings operations and cells into memory. CPU time, as
// nothing waits here: what other programs take from this one is no cost of the replay, and would be
// subtracted from a run that they let alone.
void Replay::measure_own_cost() {
  double all_s = 0;
  for (int turn = 0; turn < kOwnCostTurns; ++turn) {
    double turn_s = 0;
    double longest_s = 0;
    for (Running& running : running_) {
      const double start_s = cpu_seconds_now();
      Player{*this, running}.play<false>(NoCalls());
      const double thread_s = cpu_seconds_now() - start_s;
      turn_s += thread_s;
      longest_s = std::max(longest_s, thread_s);
      running.tally = {};
    }
    all_s = turn == 0 ? turn_s : std::min(all_s, turn_s);
    own_seconds_ = turn == 0 ? longest_s : std::min(own_seconds_, longest_s);
    for (Cell& cell : cells_) {
      clear(cell);
    }
  }
  own_ns_per_operation_ =
      program_.calls() == 0 ? 0 : all_s * 1e9 / static_cast<double>(program_.calls());
}

void Replay::clear(Cell& cell) {
  cell.object = nullptr;
  cell.count.store(0, std::memory_order_relaxed);  // relaxed: no other thread plays now
}

void* Replay::thread_body(void* argument) {
  auto& self = *static_cast<Running*>(argument);
  Player{*self.replay, self}.play_real();
  self.replay->add_finished(self);
  return nullptr;
}

void Replay::add_finished(Running& running) {
  Running* head = finished_.load(std::memory_order_relaxed);  // relaxed: the exchange checks it
  do {
    running.next_finished = head;
    // release: partner of the acquire in join_finished()
  } while (!finished_.compare_exchange_weak(head, &running, std::memory_order_release,
                                            std::memory_order_relaxed));
}

// Threads that have played all they had are joined by the next that starts one: their stacks serve
// again.
std::uint32_t Replay::join_finished() {
  std::uint32_t joined = 0;
  Running* at = finished_.exchange(nullptr, std::memory_order_acquire);  // partner: add_finished()
  while (at != nullptr) {
    Running* next = at->next_finished;
    pthread_join(at->thread, nullptr);
    ++joined;
    at = next;
  }
  joined_.fetch_add(
      joined, std::memory_order_relaxed);  // relaxed: read by the last joiner after it joined all
  return joined;
}

void Replay::start_thread(std::uint32_t number) {
  join_finished();
  const int error =
      pthread_create(&running_[number].thread, nullptr, thread_body, &running_[number]);
  if (error != 0) {
    std::fprintf(stderr, "replay: cannot start thread %u of the trace: %s\n", number,
                 std::strerror(error));
    std::_Exit(1);
  }
}

Tally Replay::run_once() {
  start_ns_ = now_ns();  // before any other thread of the trace is there
  Player{*this, running_[0]}.play_real();
  // relaxed: each join orders what the joined thread did; the count itself only says how many are
  // left
  while (joined_.load(std::memory_order_relaxed) + 1 < running_.size()) {
    if (join_finished() == 0) {
      sched_yield();
    }
  }
  joined_.store(0, std::memory_order_relaxed);  // relaxed: this is the only thread again
  Tally sum;
  for (Running& running : running_) {
    sum.operations += running.tally.operations;
    sum.checksum += running.tally.checksum;
    running.tally = {};
  }
  free_left_over(sum);
  return sum;
}

void Replay::free_left_over(Tally& tally) {
  for (Cell& cell : cells_) {
    if (cell.object != nullptr) {
      free(cell.object);
      ++tally.operations;
    }
    clear(cell);
  }
}

Tally Replay::run(int, workloads::Steps& steps) {
  Tally sum;
  while (steps.next()) {
    const Tally tally = run_once();
    sum.operations += tally.operations;
    sum.checksum += tally.checksum;
  }
  return sum;
}

double Replay::own_seconds(std::int64_t iterations) const {
  if (program_.keeps_time()) {
    return 0;  // it lies within the program's own pauses
  }
  return own_seconds_ * static_cast<double>(iterations);
}

}  // namespace trace
