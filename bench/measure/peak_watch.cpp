#include "bench/measure/peak_watch.hpp"

#include <fcntl.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstddef>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <exception>
#include <stdexcept>
#include <string>
#include <thread>

#include "bench/measure/process_memory.hpp"

namespace bench {
namespace {

#if defined(__x86_64__)
constexpr std::uint32_t kArchitecture = AUDIT_ARCH_X86_64;
#elif defined(__aarch64__)
constexpr std::uint32_t kArchitecture = AUDIT_ARCH_AARCH64;
#else
#error "add the audit number of this architecture"
#endif

constexpr sock_filter load(std::size_t offset) { return BPF_STMT(BPF_LD | BPF_W | BPF_ABS, static_cast<std::uint32_t>(offset)); }
constexpr sock_filter skip_unless(std::uint32_t value, std::uint8_t count) { return BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, value, 0, count); }
constexpr sock_filter skip_if(std::uint32_t value, std::uint8_t count) { return BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, value, count, 0); }
constexpr sock_filter verdict(std::uint32_t action) { return BPF_STMT(BPF_RET | BPF_K, action); }

// Which calls may take pages away; mmap does so where it replaces what is there. The flags are the lower half of a little-endian
// argument.
constexpr sock_filter kFilter[] = {
    load(offsetof(seccomp_data, arch)),
    skip_unless(kArchitecture, 8),
    load(offsetof(seccomp_data, nr)),
    skip_if(__NR_munmap, 7),
    skip_if(__NR_madvise, 6),
    skip_if(__NR_brk, 5),
    skip_if(__NR_mremap, 4),
    skip_unless(__NR_mmap, 2),
    load(offsetof(seccomp_data, args[3])),
    BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, MAP_FIXED, 1, 0),
    verdict(SECCOMP_RET_ALLOW),
    verdict(SECCOMP_RET_USER_NOTIF),
};

// Linux 6.6: the watcher runs at once, on the caller's CPU. Newer than the headers that this is built with.
#ifndef SECCOMP_IOCTL_NOTIF_SET_FLAGS
#define SECCOMP_IOCTL_NOTIF_SET_FLAGS SECCOMP_IOW(4, __u64)
#define SECCOMP_USER_NOTIF_FD_SYNC_WAKE_UP (1UL << 0)
#endif

[[noreturn]] void refuse(const char* what) {
  throw std::runtime_error(std::string("the peak of resident memory cannot be watched: ") + what + ": " + std::strerror(errno));
}

// The calling thread and its future children are stopped in the calls that kFilter names, until the file's reader lets them go on.
int install_filter() {
  if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) {
    refuse("no_new_privs");
  }
  seccomp_notif_sizes sizes{};
  if (syscall(__NR_seccomp, SECCOMP_GET_NOTIF_SIZES, 0, &sizes) != 0) {
    refuse("seccomp");
  }
  if (sizes.seccomp_notif > sizeof(seccomp_notif) || sizes.seccomp_notif_resp > sizeof(seccomp_notif_resp)) {
    errno = EOVERFLOW;
    refuse("the kernel's records are longer than known here");
  }
  const sock_fprog program{static_cast<unsigned short>(std::size(kFilter)), const_cast<sock_filter*>(kFilter)};
  const long file = syscall(__NR_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_NEW_LISTENER, &program);
  if (file < 0) {
    refuse("seccomp");
  }
  ioctl(static_cast<int>(file), SECCOMP_IOCTL_NOTIF_SET_FLAGS, SECCOMP_USER_NOTIF_FD_SYNC_WAKE_UP);  // without it, looks take longer
  return static_cast<int>(file);
}

// Whether the kernel adds up what its CPUs have counted when VmRSS is read (since Linux 6.17), so that each page shows at once.
bool counts_each_page(const ResidentReader& reader) {
  constexpr std::size_t kPages = 16;
  static const auto page_bytes = static_cast<std::size_t>(sysconf(_SC_PAGESIZE));
  void* memory = mmap(nullptr, kPages * page_bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (memory == MAP_FAILED) {
    refuse("mmap");
  }
  madvise(memory, kPages * page_bytes, MADV_NOHUGEPAGE);  // fails where there are none
  auto* bytes = static_cast<volatile char*>(memory);
  bytes[0] = 1;  // the page table's own page, and that of the stack below
  std::uint64_t before = reader.read_bytes();
  bool each = true;
  for (std::size_t page = 1; page < kPages; ++page) {
    bytes[page * page_bytes] = 1;
    const std::uint64_t now = reader.read_bytes();
    each = each && now == before + page_bytes;
    before = now;
  }
  munmap(memory, kPages * page_bytes);
  return each;
}

}  // namespace

std::uint64_t vm_hwm_error_bytes(int cpus) {
  const std::uint64_t count = static_cast<std::uint64_t>(cpus);
  const std::uint64_t batch = std::max<std::uint64_t>(32, 2 * count);  // the kernel's percpu_counter_batch, from which on all see it
  return (batch - 1) * count * static_cast<std::uint64_t>(sysconf(_SC_PAGESIZE));
}

// Tried out, in a process of its own: old kernels know the notification but cannot let a call go on, some containers forbid the filter, and
// there may be one already.
bool PeakWatch::available() {
  static const bool works = [] {
    constexpr unsigned kPatienceS = 5;
    const pid_t child = fork();
    if (child == 0) {
      alarm(kPatienceS);
      try {
        start();
        void* page = mmap(nullptr, 1, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        _exit(munmap(page, 1) == 0 ? 0 : 1);
      } catch (const std::exception&) {
        _exit(1);
      }
    }
    int status = 0;
    while (child > 0 && waitpid(child, &status, 0) < 0 && errno == EINTR) continue;
    return child > 0 && WIFEXITED(status) && WEXITSTATUS(status) == 0;
  }();
  return works;
}

PeakWatch& PeakWatch::start() {
  static PeakWatch watch;
  return watch;
}

PeakWatch::PeakWatch() : exact_reader_(counts_each_page(reader_)), page_bytes_(sysconf(_SC_PAGESIZE)) {
  // Started before the filter is there, and so without it: a thread that waited for itself would wait for ever. For the same reason it
  // must not allocate from here on, as a thread's start does: the lock may be held by one that waits for it.
  std::thread([this] { answer_calls(); }).detach();
  listener_.wait(kStarting);
  listener_.store(install_filter(), std::memory_order_release);  // pairs with the acquire in answer_calls()
  listener_.notify_one();
  look();
}

void PeakWatch::answer_calls() {
  listener_.store(kWaiting, std::memory_order_relaxed);  // relaxed: tells nothing else
  listener_.notify_one();
  listener_.wait(kWaiting);
  const int listener = listener_.load(std::memory_order_acquire);
  for (;;) {
    seccomp_notif call{};
    if (ioctl(listener, SECCOMP_IOCTL_NOTIF_RECV, &call) != 0) {
      if (errno == EINTR || errno == ENOENT) {
        continue;  // a signal came, or the thread that called was killed
      }
      std::fprintf(stderr, "bench-worker: the peak of resident memory cannot be watched any more: %s\n", std::strerror(errno));
      std::_Exit(EXIT_FAILURE);  // the others wait for this thread, and would for ever
    }
    count(call.data.nr, call.data.args[1], call.data.args[2]);
    look();
    seccomp_notif_resp answer{};
    answer.id = call.id;
    answer.flags = SECCOMP_USER_NOTIF_FLAG_CONTINUE;
    ioctl(listener, SECCOMP_IOCTL_NOTIF_SEND, &answer);  // fails if the thread was killed meanwhile
  }
}

// brk, mremap and a replacing mmap are not counted: what they give back is not in their arguments.
void PeakWatch::count(int call, std::uint64_t bytes, std::uint64_t advice) {
  const bool drops = advice == MADV_DONTNEED || advice == MADV_FREE || advice == MADV_REMOVE;
  if (call == __NR_munmap || (call == __NR_madvise && drops)) {
    // relaxed: counts, read when the threads have ended.
    purge_calls_.fetch_add(1, std::memory_order_relaxed);
    purge_pages_.fetch_add(bytes / static_cast<std::uint64_t>(page_bytes_), std::memory_order_relaxed);
  }
}

void PeakWatch::look() {
  const std::uint64_t resident = exact_reader_ ? reader_.read_bytes() : mapping_totals().value_or(MappingTotals{}).resident_bytes;
  // relaxed: a running maximum; a thread in a watched call is stopped until its look is over.
  std::uint64_t seen = peak_bytes_.load(std::memory_order_relaxed);
  while (resident > seen && !peak_bytes_.compare_exchange_weak(seen, resident, std::memory_order_relaxed)) {
  }
}

void PeakWatch::reset() {
  // relaxed: no other thread is at work
  peak_bytes_.store(0, std::memory_order_relaxed);
  purge_calls_.store(0, std::memory_order_relaxed);
  purge_pages_.store(0, std::memory_order_relaxed);
  look();
}

std::uint64_t PeakWatch::peak_bytes() {
  look();
  return peak_bytes_.load(std::memory_order_relaxed);  // relaxed: as in look()
}

}  // namespace bench
