#include "workloads/trace/record/recorder_log.hpp"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#if defined(__x86_64__)
#include <x86intrin.h>
#endif

namespace recorder {

constinit thread_local ThreadLog t_log __attribute__((tls_model("initial-exec"))) = {};

namespace {
ForkMark g_never_open;  // stands in until start() has made the real one
}
trace::raw::Control* g_control = nullptr;  // shared by all processes; set once in each image, kept
                                           // by its forks
ForkMark* g_mark = &g_never_open;
std::atomic<std::uint32_t> g_threaded;
std::atomic<std::uint64_t> g_owners[kOwnerEntries];  // untouched while there is one thread

namespace {

using namespace trace::raw;

constexpr std::uint32_t kNoThread = ~0u;
constexpr std::size_t kMaxPath = 512;

LogHeader* g_header = nullptr;
char g_directory[kMaxPath];
char g_path[kMaxPath + 32];  // of this process's log
pthread_key_t g_exit_key;
bool g_has_exit_key = false;
std::atomic<std::uint32_t> g_epoch;
std::atomic<std::uint32_t> g_starting;

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

// The system calls of the hot threads go past the C library: there, they would be points at which a
// thread can be cancelled in the midst of a malloc.
int open_file(const char* path, int flags) {
  return static_cast<int>(syscall(SYS_openat, AT_FDCWD, path, flags | O_RDWR | O_CLOEXEC, 0600));
}

void close_file(int fd) { syscall(SYS_close, fd); }

bool write_whole(int fd, const char* data, std::size_t bytes, std::size_t offset) {
  while (bytes > 0) {
    const long written = syscall(SYS_pwrite64, fd, data, bytes, offset);
    if (written < 0 && errno == EINTR) {
      continue;
    }
    if (written <= 0) {
      return false;
    }
    data += written;
    bytes -= static_cast<std::size_t>(written);
    offset += static_cast<std::size_t>(written);
  }
  return true;
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
  if (syscall(SYS_fallocate, fd, 0, offset, bytes) == 0) {
    return true;
  }
  const char zero = 0;
  return errno == EOPNOTSUPP && write_whole(fd, &zero, 1, offset + bytes - 1);
}

// Signals wait while it lives: handlers' events need the room that is being made. What a limit on file sizes made the kernel send for a write
// of ours is not the program's.
class SignalsWait {
 public:
  SignalsWait() {
    sigset_t all;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before_);
    sigset_t pending;
    had_one_ = sigpending(&pending) == 0 && sigismember(&pending, SIGXFSZ) == 1;
  }
  ~SignalsWait() {
    sigset_t too_large;
    sigemptyset(&too_large);
    sigaddset(&too_large, SIGXFSZ);
    const timespec now{};
    const int saved_errno = errno;
    while (!had_one_ && sigtimedwait(&too_large, nullptr, &now) > 0) {
    }
    errno = saved_errno;
    pthread_sigmask(SIG_SETMASK, &before_, nullptr);
  }
  SignalsWait(const SignalsWait&) = delete;
  SignalsWait& operator=(const SignalsWait&) = delete;

 private:
  sigset_t before_;
  bool had_one_ = false;
};

Loss loss_of(int error) {
  switch (error) {
    case 0:
      return Loss::kMaxSize;
    case ENOSPC:
    case EDQUOT:
      return Loss::kDiskFull;
    case EFBIG:
      return Loss::kFileSize;
    case EMFILE:
      return Loss::kDescriptors;
    case EACCES:
    case EPERM:
    case ENOENT:
      return Loss::kOutOfReach;
    default:
      return Loss::kOther;
  }
}

// Of this process alone, or of all where nobody can go on.
void give_up(int error) {
  const Loss loss = loss_of(error);
  // relaxed: bench reads these when the processes are gone; the others stop a few events later
  g_control->losses.fetch_or(static_cast<std::uint32_t>(loss), std::memory_order_relaxed);
  if (loss == Loss::kMaxSize || loss == Loss::kDiskFull) {
    g_control->gate.store(0, std::memory_order_relaxed);
  } else if (g_mark != &g_never_open) {
    g_mark->open.store(kGivenUp, std::memory_order_relaxed);
  }
}

bool map_control() {
  char path[kMaxPath + 32];
  append_text(append_text(append_text(path, g_directory), "/"), kControlName);
  const int fd = open_file(path, 0);
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
  const int fd = open_file(g_path, O_CREAT | O_EXCL);
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
  log.at = log.limit = log.end = nullptr;
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

// A place for so many units in the log, and the log opened; fd < 0 where there is no more room.
struct Place {
  int fd = -1;
  std::size_t offset = 0;
};
Place take_units(std::uint32_t units) {
  // relaxed: the counts bound and number the units, no data is passed through them
  if (g_control->units.fetch_add(units, std::memory_order_relaxed) >= g_control->max_units) {
    return {};
  }
  const std::size_t index = g_header->units.fetch_add(units, std::memory_order_relaxed);
  return {open_file(g_path, 0), kLogHeaderBytes + index * kUnitBytes};
}

void begin_segment(ThreadLog& log) {
  auto* header = reinterpret_cast<SegmentHeader*>(log.segment);
  *header = {kSegmentMagic, log.number_plus_1 - 1, log.sequence++,
             log.units,     read_clock(),          monotonic_ns()};
  log.at = reinterpret_cast<std::uint64_t*>(header + 1);
  log.limit = nullptr;
}

// Short threads take little.
std::uint32_t next_units(std::uint32_t sequence) {
  return sequence == 0 ? 1 : sequence == 1 ? 4 : kMaxSegmentUnits;
}

void name_thread(ThreadLog& log, std::uint32_t number) {
  log.number_plus_1 = number + 1;
  log.owner = log.number_plus_1 < kNoOwner ? log.number_plus_1 : kNoOwner;
}

bool open_segment(ThreadLog& log) {
  const std::uint32_t units = next_units(log.sequence);
  const std::size_t bytes = units * kUnitBytes;
  const Place place = take_units(units);
  if (place.fd < 0) {
    return false;
  }
  void* at =
      extend(place.fd, place.offset, bytes) ? map_shared(place.fd, bytes, place.offset) : nullptr;
  close_file(place.fd);
  if (at == nullptr) {
    return false;
  }
  unmap_segment(log);
  if (log.number_plus_1 == 0) {
    name_thread(log, reserve_thread());
  }
  log.segment = static_cast<char*>(at);
  log.units = units;
  // A signal handler's events can come between a test for room and the taking of it.
  log.end = reinterpret_cast<std::uint64_t*>(log.segment + bytes) - kMaxEventWords;
  begin_segment(log);
  if (log.sequence == 1 && g_has_exit_key) {
    pthread_setspecific(g_exit_key, log.segment);
  }
  return true;
}

// Copies a full segment to a new place in the log and begins anew in the same memory, which stays
// in the cache: a fourth of the cost of mapping fresh pages of a file. The copy's header is written
// last; while both are there, the copy counts (see raw_log.hpp).
bool reuse_segment(ThreadLog& log) {
  constexpr std::size_t kHeader = sizeof(SegmentHeader);
  const std::size_t bytes = log.units * kUnitBytes;
  const Place place = take_units(log.units);
  if (place.fd < 0) {
    return false;
  }
  const bool copied =
      write_whole(place.fd, log.segment + kHeader, bytes - kHeader, place.offset + kHeader) &&
      write_whole(place.fd, log.segment, kHeader, place.offset);
  close_file(place.fd);
  if (copied) {
    memset(log.segment + kHeader, 0, bytes - kHeader);
    // against the compiler: with the new header, old events would count twice
    std::atomic_signal_fence(std::memory_order_seq_cst);
    begin_segment(log);
  }
  return copied;
}

bool has_room(const ThreadLog& log) {
  return log.end - log.at >= static_cast<ptrdiff_t>(kMaxEventWords);
}

bool renew(ThreadLog& log) {
  // relaxed: a thread that was not forked away saw its own epoch change; others cannot exist then
  const std::uint32_t epoch = g_epoch.load(std::memory_order_relaxed);
  if (log.epoch != epoch) {
    // A first event, or a fork: then the thread still points into its parent's segment, which is
    // not its own any more.
    unmap_segment(log);
    log = ThreadLog{};
    log.epoch = epoch;
  }
  return has_room(log) || (log.units == kMaxSegmentUnits ? reuse_segment(log) : open_segment(log));
}

// REQUIRES: recording(). Room for one event more, or false and recording given up.
bool make_room(ThreadLog& log) {
  const int saved_errno = errno;
  const SignalsWait wait;
  errno = 0;
  const bool room = renew(log);
  if (!room) {
    give_up(errno);
  }
  errno = saved_errno;
  return room;
}

// Clock of the event, 0 where it needs none; a timed one begins the next run of untimed ones.
// REQUIRES: room.
std::uint64_t clock_of(const Call& call, ThreadLog& log) {
  // relaxed: see own_order() and try_put()
  const std::uint32_t gate = g_control->gate.load(std::memory_order_relaxed);
  const bool own = call.kind != Kind::kThreadStart && own_order(call.address, log);
  if (own && log.at < log.limit && gate == log.gate) {
    return 0;
  }
  if (!own) {
    owner_entry(call.address).store(owner_value(call.address, log), std::memory_order_relaxed);
  }
  if (log.owner != kNoOwner) {
    std::uint64_t* const last = log.end - 2 * kMaxEventWords;  // this event goes before the limit
    log.limit = last - log.at > static_cast<ptrdiff_t>(kUntimedRun) ? log.at + kUntimedRun : last;
  }
  log.gate = gate;
  return read_clock();
}

}  // namespace

void start() {
  // acquire/release: whoever sees the mark open sees the log's address and path, too
  if (g_mark->open.load(std::memory_order_acquire) != 0 ||
      g_starting.exchange(1, std::memory_order_acquire) != 0) {
    return;
  }
  const int saved_errno = errno;
  const SignalsWait wait;
  const bool can_start = read_directory() && make_mark() && (g_control != nullptr || map_control());
  errno = 0;
  if (can_start && !open_log()) {
    give_up(errno != 0 ? errno : EIO);
  } else if (can_start) {
    g_epoch.fetch_add(1, std::memory_order_relaxed);  // relaxed: published by the store below
    g_threaded.store(0, std::memory_order_relaxed);   // relaxed: a process starts with one thread
    t_log.limit = nullptr;  // after a fork, it may still be that of the parent's segment
    g_mark->open.store(kOpen, std::memory_order_release);
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
  }
  // relaxed: whoever gave up did so for all threads, and these may find out for themselves
  return g_mark->open.load(std::memory_order_relaxed) == kOpen;
}

void append(const Call& call) {
  ThreadLog& log = t_log;
  const bool room = has_room(log) &&
                    log.epoch == g_epoch.load(std::memory_order_relaxed);  // relaxed: see renew()
  if (!room && !make_room(log)) [[unlikely]] {
    return;
  }
  const std::uint64_t clock = clock_of(call, log);
  const bool long_size = has_size(call.kind) && call.size >= kSizeFollows;
  const bool extra = has_extra(call.kind);
  std::uint64_t first = first_word(call.kind, call.address, long_size ? kSizeFollows : call.size);
  // The order of the stores is that of try_put().
  std::uint64_t* const event = log.at;
  log.at = event + 1 + (clock != 0) + long_size + extra;
  std::atomic_signal_fence(std::memory_order_seq_cst);
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
  std::atomic_signal_fence(std::memory_order_seq_cst);
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
  const std::uint32_t number = g_header->threads.fetch_add(1, std::memory_order_relaxed);
  if (number > 0) {
    // relaxed: a thread must see it from its first event on at an address that this one has had,
    // and between the two events they have synchronised
    g_threaded.store(1, std::memory_order_relaxed);
  }
  return number;
}

void adopt_thread(std::uint32_t number) {
  name_thread(t_log, number);
  // relaxed: the creator was in this epoch before it created the thread
  t_log.epoch = g_epoch.load(std::memory_order_relaxed);
}

}  // namespace recorder
