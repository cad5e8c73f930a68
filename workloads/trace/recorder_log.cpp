#include "workloads/trace/recorder_log.hpp"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#if defined(__x86_64__)
#include <x86intrin.h>
#endif

// glibc's own note that no second thread was ever started.
extern "C" char __libc_single_threaded;

namespace recorder {
namespace {

using namespace trace::raw;

constexpr std::uint32_t kNoThread = ~0u;
constexpr std::size_t kMaxPath = 512;

// What a thread appends to. Zero at thread start: the first event finds no room and opens a
// segment.
struct ThreadLog {
  std::uint64_t* at;
  std::uint64_t* end;
  char* segment;        // start of the mapping that holds [at, end); null where there is none
  std::uint32_t units;  // of the mapping
  std::uint32_t number_plus_1;
  std::uint32_t sequence;  // segments opened so far
  std::uint32_t epoch;     // of the process state that the above belongs to
  std::uint32_t untimed;   // events since the last timed one
};
thread_local ThreadLog t_log __attribute__((tls_model("initial-exec")));

// One page that the kernel zeroes in a forked child, which thereby notices that it needs a log of
// its own.
struct ForkMark {
  std::atomic<std::uint32_t> open;
};

Control* g_control = nullptr;  // shared by all processes; set once in each image, kept by its forks
ForkMark g_never_open;         // stands in until start() has made the real one
ForkMark* g_mark = &g_never_open;
LogHeader* g_header = nullptr;
char g_directory[kMaxPath];
char g_path[kMaxPath + 32];  // of this process's log
pthread_key_t g_exit_key;
bool g_has_exit_key = false;
std::atomic<std::uint32_t> g_epoch;
std::atomic<std::uint32_t> g_starting;
std::atomic<std::uint32_t> g_threaded;  // 1 from the first sign of a second thread on

std::uint64_t read_clock() {
#if defined(__x86_64__)
  unsigned cpu;
  return __rdtscp(&cpu);  // waits for all earlier loads; cheaper than LFENCE and RDTSC
#else
  timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return static_cast<std::uint64_t>(now.tv_sec) * 1000000000u +
         static_cast<std::uint64_t>(now.tv_nsec);
#endif
}

std::uint64_t monotonic_ns() {
  timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return static_cast<std::uint64_t>(now.tv_sec) * 1000000000u +
         static_cast<std::uint64_t>(now.tv_nsec);
}

char* append_text(char* at, const char* text) {
  while (*text != 0) {
    *at++ = *text++;
  }
  *at = 0;
  return at;
}

char* append_number(char* at, std::uint32_t number) {
  char digits[12];
  int n = 0;
  do {
    digits[n++] = static_cast<char>('0' + number % 10);
    number /= 10;
  } while (number != 0);
  while (n > 0) {
    *at++ = digits[--n];
  }
  *at = 0;
  return at;
}

void* map_shared(int fd, std::size_t bytes, std::size_t offset) {
  void* at = mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, fd,
                  static_cast<off_t>(offset));
  return at == MAP_FAILED ? nullptr : at;
}

// fallocate, not ftruncate: it never shrinks the file under another thread, and a full disk is an
// error here rather than a SIGBUS at the first store.
bool extend(int fd, std::size_t offset, std::size_t bytes) {
  if (fallocate(fd, 0, static_cast<off_t>(offset), static_cast<off_t>(bytes)) == 0) {
    return true;
  }
  const char zero = 0;
  return errno == EOPNOTSUPP && pwrite(fd, &zero, 1, static_cast<off_t>(offset + bytes - 1)) == 1;
}

bool map_control() {
  char path[kMaxPath + 32];
  append_text(append_text(append_text(path, g_directory), "/"), kControlName);
  const int fd = open(path, O_RDWR | O_CLOEXEC);
  if (fd < 0) {
    return false;
  }
  g_control = static_cast<Control*>(map_shared(fd, 4096, 0));
  close(fd);
  if (g_control != nullptr && g_control->magic != kControlMagic) {
    g_control = nullptr;
  }
  return g_control != nullptr;
}

void fill_header(LogHeader* header) {
  header->pid = static_cast<std::uint32_t>(getpid());
  header->parent_pid = static_cast<std::uint32_t>(getppid());
  header->start_clock = read_clock();
  header->start_ns = monotonic_ns();
  const int fd = open("/proc/self/comm", O_RDONLY | O_CLOEXEC);
  const ssize_t bytes = fd < 0 ? 0 : read(fd, header->program, sizeof header->program);
  header->program_bytes =
      bytes > 0 ? static_cast<std::uint32_t>(bytes - 1) : 0;  // it ends with a newline
  if (fd >= 0) {
    close(fd);
  }
  header->magic = kLogMagic;
}

bool open_log() {
  // relaxed: only the uniqueness of the number matters
  const std::uint32_t number = g_control->next_log.fetch_add(1, std::memory_order_relaxed);
  append_text(append_number(append_text(append_text(g_path, g_directory), "/log-"), number),
              ".raw");
  const int fd = open(g_path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
  if (fd < 0) {
    return false;
  }
  void* page = extend(fd, 0, kLogHeaderBytes) ? map_shared(fd, kLogHeaderBytes, 0) : nullptr;
  close(fd);
  g_header = static_cast<LogHeader*>(page);
  if (g_header != nullptr) {
    fill_header(g_header);
  }
  return g_header != nullptr;
}

void unmap_segment(ThreadLog& log) {
  if (log.segment != nullptr) {
    munmap(log.segment, log.units * kUnitBytes);
  }
  log.segment = nullptr;
  log.at = log.end = nullptr;
}

// Runs when the thread exits. What the thread still calls after this opens another small segment.
void leave_thread(void*) { unmap_segment(t_log); }

// The mark is made once in each image; a fork keeps the mapping and zeroes it.
bool make_mark() {
  if (g_mark != &g_never_open) {
    return true;
  }
  void* page = mmap(nullptr, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (page == MAP_FAILED || madvise(page, 4096, MADV_WIPEONFORK) != 0) {
    return false;
  }
  g_mark = static_cast<ForkMark*>(page);
  g_has_exit_key = pthread_key_create(&g_exit_key, leave_thread) == 0;
  return true;
}

bool read_directory() {
  if (g_directory[0] != 0) {
    return true;
  }
  const char* directory = getenv(kDirectoryVariable);
  if (directory == nullptr || directory[0] != '/' || strlen(directory) >= kMaxPath) {
    return false;
  }
  append_text(g_directory, directory);
  return true;
}

// Units of the log for the calling thread, mapped; null where there is no more room.
char* take_units(std::uint32_t units) {
  // relaxed: the counts bound and number the units, no data is passed through them
  if (g_control->units.fetch_add(units, std::memory_order_relaxed) >= g_control->max_units) {
    return nullptr;
  }
  const std::size_t index = g_header->units.fetch_add(units, std::memory_order_relaxed);
  const std::size_t offset = kLogHeaderBytes + index * kUnitBytes;
  const std::size_t bytes = units * kUnitBytes;
  const int fd = open(g_path, O_RDWR | O_CLOEXEC);
  if (fd < 0) {
    return nullptr;
  }
  void* at = extend(fd, offset, bytes) ? map_shared(fd, bytes, offset) : nullptr;
  close(fd);
  return static_cast<char*>(at);
}

// Short threads take little; busy ones come here once in about 16,000 events.
std::uint32_t next_units(std::uint32_t sequence) {
  return sequence == 0 ? 1 : sequence == 1 ? 4 : kMaxSegmentUnits;
}

bool open_segment(ThreadLog& log) {
  const std::uint32_t units = next_units(log.sequence);
  char* segment = take_units(units);
  if (segment == nullptr) {
    return false;
  }
  unmap_segment(log);
  if (log.number_plus_1 == 0) {
    log.number_plus_1 = reserve_thread() + 1;
  }
  auto* header = reinterpret_cast<SegmentHeader*>(segment);
  *header = {kSegmentMagic, log.number_plus_1 - 1, log.sequence++,
             units,         read_clock(),          monotonic_ns()};
  log.segment = segment;
  log.units = units;
  log.at = reinterpret_cast<std::uint64_t*>(header + 1);
  log.end = reinterpret_cast<std::uint64_t*>(segment + units * kUnitBytes);
  if (log.sequence == 1 && g_has_exit_key) {
    pthread_setspecific(g_exit_key, segment);
  }
  return true;
}

// REQUIRES: recording(). Room for one event more, or false and the gate closed for all.
bool make_room(ThreadLog& log) {
  const int saved_errno = errno;
  // relaxed: a thread that was not forked away saw its own epoch change; others cannot exist then
  const std::uint32_t epoch = g_epoch.load(std::memory_order_relaxed);
  if (log.epoch != epoch) {
    // A first event, or a fork: then the thread still points into its parent's segment, which is
    // not its own any more.
    unmap_segment(log);
    log = ThreadLog{};
    log.epoch = epoch;
  }
  const bool room = log.end - log.at >= static_cast<ptrdiff_t>(kMaxEventWords) || open_segment(log);
  if (!room) {
    // relaxed: bench reads these when the processes are gone; the others stop a few events later
    g_control->out_of_space.store(1, std::memory_order_relaxed);
    g_control->gate.store(0, std::memory_order_relaxed);
  }
  errno = saved_errno;
  return room;
}

}  // namespace

void start() {
  // acquire/release: whoever sees the mark open sees the log's address and path, too
  if (g_mark->open.load(std::memory_order_acquire) != 0 ||
      g_starting.exchange(1, std::memory_order_acquire) != 0) {
    return;
  }
  const int saved_errno = errno;
  if (read_directory() && make_mark() && (g_control != nullptr || map_control()) && open_log()) {
    g_epoch.fetch_add(1, std::memory_order_relaxed);  // relaxed: published by the store below
    g_mark->open.store(1, std::memory_order_release);
  }
  errno = saved_errno;
  g_starting.store(0, std::memory_order_release);
}

bool recording() {
  if (g_control == nullptr) [[unlikely]] {
    return false;
  }
  // relaxed: a call more or less at the moment the gate moves does not matter
  if (g_control->gate.load(std::memory_order_relaxed) == 0) {
    return false;
  }
  // acquire: partner of the store in start()
  if (g_mark->open.load(std::memory_order_acquire) == 0) [[unlikely]] {
    start();
    return g_mark->open.load(std::memory_order_acquire) != 0;
  }
  return true;
}

std::uint64_t stamp() {
  // relaxed: set by this thread, or before this thread was created
  if (g_threaded.load(std::memory_order_relaxed) == 0) [[likely]] {
    if (__libc_single_threaded != 0) [[likely]] {
      return 0;
    }
    g_threaded.store(1, std::memory_order_relaxed);
  }
  return read_clock();
}

void append(const Call& call, std::uint64_t clock) {
  ThreadLog& log = t_log;
  const bool room = log.end - log.at >= static_cast<ptrdiff_t>(kMaxEventWords) &&
                    log.epoch == g_epoch.load(std::memory_order_relaxed);  // relaxed: see make_room
  if (!room && !make_room(log)) [[unlikely]] {
    return;
  }
  if (clock == 0 && ++log.untimed >= kUntimedRun) {
    clock = read_clock();
    log.untimed = 0;
  }
  const bool long_size = has_size(call.kind) && call.size >= kSizeFollows;
  const bool extra = call.kind == Kind::kCalloc || call.kind == Kind::kAlignedAlloc ||
                     call.kind == Kind::kPosixMemalign;
  std::uint64_t first = (reinterpret_cast<std::uint64_t>(call.address) & kAddressMask) |
                        static_cast<std::uint64_t>(call.kind) << kKindShift |
                        (long_size ? kSizeFollows : call.size) << kSizeShift;
  // The room is taken before it is filled: an event of a signal handler that comes between goes
  // behind this one.
  std::uint64_t* const event = log.at;
  log.at = event + 1 + (clock != 0) + long_size + extra;
  std::atomic_signal_fence(
      std::memory_order_seq_cst);  // against the compiler: the order a handler relies on
  std::uint64_t* word = event + 1;
  if (clock != 0) {
    first |= kTimedBit;
    *word++ = clock;
  }
  if (long_size) {
    *word++ = call.size;
  }
  if (extra) {
    *word = call.extra;
  }
  std::atomic_signal_fence(
      std::memory_order_seq_cst);  // against the compiler: a crash leaves no half event
  *event = first;
}

void set_gate(bool on) {
  if (g_control != nullptr) {
    // relaxed: the gate orders nothing, it only says whether calls are recorded
    g_control->gate.store(on ? 1 : 0, std::memory_order_relaxed);
  }
}

std::uint32_t reserve_thread() {
  // relaxed: only the uniqueness of the number matters
  return g_header->threads.fetch_add(1, std::memory_order_relaxed);
}

void adopt_thread(std::uint32_t number) {
  t_log.number_plus_1 = number + 1;
  // relaxed: the creator was in this epoch before it created the thread
  t_log.epoch = g_epoch.load(std::memory_order_relaxed);
}

}  // namespace recorder
