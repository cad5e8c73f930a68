#include "bench/process/guard.hpp"

#include <dirent.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/random.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <span>

namespace bench::guard {
namespace {

constexpr std::size_t kSlots = 1024;
constexpr int kMostRounds = 50;  // of looking for marked processes: they may start others while we look
constexpr int kRoundMs = 20;

int open_process(pid_t process) { return static_cast<int>(syscall(SYS_pidfd_open, process, 0)); }

bool has_ended(int descriptor) {
  pollfd ended{descriptor, POLLIN, 0};
  return poll(&ended, 1, 0) > 0;
}

std::string new_mark() {
  std::array<unsigned char, 8> bytes{};
  if (getrandom(bytes.data(), bytes.size(), 0) != static_cast<ssize_t>(bytes.size())) {
    bytes[0] = static_cast<unsigned char>(getpid());  // before the kernel has randomness; unique enough beside the process groups
  }
  std::string text = "BENCH_OWNER=";
  for (const unsigned byte : bytes) {
    constexpr const char* kDigits = "0123456789abcdef";
    text += kDigits[byte >> 4];
    text += kDigits[byte & 15];
  }
  return text;
}

std::string environment_of(const char* process) {
  std::string text;
  const int file = open(("/proc/" + std::string(process) + "/environ").c_str(), O_RDONLY | O_CLOEXEC);
  std::array<char, 4096> buffer{};
  for (ssize_t bytes = 0; file >= 0 && (bytes = read(file, buffer.data(), buffer.size())) > 0;) {
    text.append(buffer.data(), static_cast<std::size_t>(bytes));
  }
  if (file >= 0) {
    close(file);
  }
  return text;
}

// Kills every process that carries the mark; how many there were.
int kill_marked(const std::string& mark) {
  int found = 0;
  DIR* all = opendir("/proc");
  for (const dirent* entry = nullptr; all != nullptr && (entry = readdir(all)) != nullptr;) {
    const auto process = static_cast<pid_t>(std::atoi(entry->d_name));
    if (process > 0 && process != getpid() && environment_of(entry->d_name).find(mark) != std::string::npos) {
      found += kill(process, SIGKILL) == 0 ? 1 : 0;
    }
  }
  if (all != nullptr) {
    closedir(all);
  }
  return found;
}

class Guard {
 public:
  Guard() { begin(); }

  // A fork of us begins anew: the other's guard, table and mark are the other's.
  void be_ours() {
    if (owner_ != getpid()) {
      process_ = 0;
      begin();
    }
  }

  ~Guard() {
    if (owner_ == getpid() && process_ != 0) {
      kill(process_, SIGKILL);
      waitpid(process_, nullptr, 0);
    }
  }
  Guard(const Guard&) = delete;
  Guard& operator=(const Guard&) = delete;

  Slot* take_slot() {
    if (slots_.empty()) {
      errno = ENOMEM;
      return nullptr;
    }
    if (!is_running() && !start()) {
      return nullptr;
    }
    for (Slot& slot : slots_) {
      if (slot.load(std::memory_order_relaxed) == 0) {  // relaxed: only this thread and its stopped-for child write
        return &slot;
      }
    }
    errno = EAGAIN;
    return nullptr;
  }

  [[nodiscard]] bool is_known(pid_t process) const {
    bool known = process == process_;
    for (const Slot& slot : slots_) {
      known = known || slot.load(std::memory_order_relaxed) == process;  // relaxed: as above
    }
    return known;
  }

  [[nodiscard]] pid_t process() const { return process_; }
  [[nodiscard]] const std::string& mark() const { return mark_; }

 private:
  void begin() {
    owner_ = getpid();
    mark_ = new_mark();
    void* page = mmap(nullptr, kSlots * sizeof(Slot), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    slots_ = page == MAP_FAILED ? std::span<Slot>() : std::span(static_cast<Slot*>(page), kSlots);
  }

  [[nodiscard]] bool is_running() {
    if (process_ == 0 || !has_ended(descriptor_)) {
      return process_ != 0;
    }
    waitpid(process_, nullptr, 0);
    close(descriptor_);
    process_ = 0;
    return false;
  }

  bool start() {
    const pid_t bench = getpid();
    const pid_t child = fork();
    if (child == 0) {
      stand_by(bench);
    }
    if (child < 0) {
      return false;
    }
    descriptor_ = open_process(child);
    if (descriptor_ < 0) {
      const int error = errno;
      kill(child, SIGKILL);
      waitpid(child, nullptr, 0);
      errno = error;
      return false;
    }
    process_ = child;
    return true;
  }

  [[noreturn]] void stand_by(pid_t bench) const {
    setpgid(0, 0);  // what the terminal sends is not for it
    prctl(PR_SET_NAME, "bench-guard");
    sigset_t all;
    sigfillset(&all);
    sigprocmask(SIG_SETMASK, &all, nullptr);
    const int parent = open_process(bench);
    // Nothing of bench's may stay open for its sake: a pipe's reader waits for the last writer, a lock for its last holder.
    if (parent >= 0 && dup2(parent, 0) == 0) {
      close_range(1, ~0U, 0);
      pollfd ended{0, POLLIN, 0};
      while (getppid() == bench && poll(&ended, 1, -1) <= 0) {
      }
    }
    for (const Slot& slot : slots_) {
      if (const pid_t group = slot.load(std::memory_order_relaxed); group > 0) {  // relaxed: bench is dead, nobody writes
        kill(-group, SIGKILL);
      }
    }
    for (int round = 0; round < kMostRounds && kill_marked(mark_) > 0; ++round) {
      poll(nullptr, 0, kRoundMs);
    }
    _exit(0);
  }

  std::string mark_;
  std::span<Slot> slots_;
  pid_t process_ = 0;
  pid_t owner_ = 0;
  int descriptor_ = -1;
};

Guard& the_guard() {
  static Guard guard;
  guard.be_ours();
  return guard;
}

}  // namespace

Slot* take_slot() { return the_guard().take_slot(); }
bool is_known(pid_t process) { return the_guard().is_known(process); }
pid_t process() { return the_guard().process(); }
const std::string& mark() { return the_guard().mark(); }

}  // namespace bench::guard
