#include "bench/process/child.hpp"

#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <fstream>
#include <utility>

#include "bench/measure/clock.hpp"

// What runs on the parent's memory with a stack of its own: a sanitizer knows neither.
#define BENCH_UNINSTRUMENTED __attribute__((no_sanitize("address", "undefined")))

namespace bench {
namespace {

constexpr int kNotStartedExitCode = 127;
constexpr std::int64_t kPatienceNs = 5'000'000'000;
constexpr std::size_t kLaunchStackBytes = 64 << 10;

std::vector<char*> as_argv(const std::vector<std::string>& words) {
  std::vector<char*> out;
  for (const auto& word : words) {
    out.push_back(const_cast<char*>(word.c_str()));
  }
  out.push_back(nullptr);
  return out;
}

// Kills counted by the kernel so far: 0 where /proc/vmstat does not tell.
long long oom_kills() {
  std::ifstream vmstat("/proc/vmstat");
  for (std::string line; std::getline(vmstat, line);) {
    if (line.starts_with("oom_kill ")) {
      return std::atoll(line.c_str() + std::strlen("oom_kill "));
    }
  }
  return 0;
}

// Whether the kernel has killed for want of memory since the last call.
bool was_short_of_memory() {
  static long long seen = oom_kills();
  const long long now = oom_kills();
  return std::exchange(seen, now) < now;
}

// What start() tells the process that becomes the child. They share memory: the parent stands still until the child is another program.
struct Launch {
  const Signals& signals;
  char* const* argv;
  char* const* environment;
  const char* stdout_file;
  const char* stderr_file;
  Streams streams;
  pid_t parent;
  guard::Slot* slot;
  int error;
};

BENCH_UNINSTRUMENTED bool open_as(const char* path, int flags, int descriptor) {
  const int file = open(path, flags, 0644);
  if (file < 0 || file == descriptor) {  // the wanted one was closed when we were started
    return file >= 0;
  }
  const bool done = dup2(file, descriptor) >= 0;
  close(file);
  return done;
}

BENCH_UNINSTRUMENTED bool set_apart(const Launch& launch) {
  const rlimit no_core{0, 0};
  return setpgid(0, 0) == 0 && setrlimit(RLIMIT_CORE, &no_core) == 0 && open_as("/dev/null", O_RDONLY, STDIN_FILENO) &&
         open_as(launch.stdout_file, O_WRONLY | O_CREAT | O_TRUNC, STDOUT_FILENO) &&
         open_as(launch.stderr_file, O_WRONLY | O_CREAT | O_TRUNC, STDERR_FILENO);
}

// Runs in the child until it is another program. Async-signal-safe calls only, and nothing that the parent would miss.
BENCH_UNINSTRUMENTED int become(void* argument) {
  Launch& launch = *static_cast<Launch*>(argument);
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (getppid() == launch.parent && (launch.streams == Streams::kInherited || set_apart(launch))) {
    if (launch.streams == Streams::kFiles) {
      launch.slot->store(getpid(), std::memory_order_relaxed);  // relaxed: the guard reads it when all writers are dead
    }
    launch.signals.restore_in_child();
    execve(launch.argv[0], launch.argv, launch.environment);
  }
  launch.error = errno != 0 ? errno : ESRCH;
  _exit(kNotStartedExitCode);
}

struct Born {
  pid_t process = -1;
  int descriptor = -1;
};

// Returns when the child is another program or gone. Sharing memory instead of copying it: a copy makes each page that we write to afterwards
// cost a fault, while something is measured.
Born launch_child(Launch& launch) {
  alignas(64) std::array<std::byte, kLaunchStackBytes> stack;
  sigset_t all;
  sigset_t before;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);  // a handler in the child would run on our memory
  Born born;
  errno = 0;
  born.process = clone(become, stack.data() + stack.size(), CLONE_VM | CLONE_VFORK | CLONE_PIDFD | SIGCHLD, &launch, &born.descriptor);
  const int error = born.process < 0 ? errno : launch.error;
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
  launch.error = error;
  return born;
}

int wait_for(int descriptor, siginfo_t& info, rusage& usage, int options) {
  // The C library's waitid has no usage.
  return static_cast<int>(syscall(SYS_waitid, P_PIDFD, descriptor, &info, WEXITED | options, &usage));
}

bool ends_within(int descriptor, std::int64_t limit_ns) {
  const std::int64_t end_ns = monotonic_ns() + limit_ns;
  pollfd ended{descriptor, POLLIN, 0};
  for (std::int64_t left_ns = limit_ns; left_ns >= 0; left_ns = end_ns - monotonic_ns()) {
    if (poll(&ended, 1, static_cast<int>(left_ns / 1'000'000 + 1)) > 0) {
      return true;
    }
  }
  return false;
}

Finished finished_as(const siginfo_t& info, const rusage& usage) {
  Finished out;
  out.usage = usage;
  out.code = info.si_status;
  out.ending = info.si_code == CLD_EXITED ? Ending::kExited : Ending::kKilled;
  if (out.ending == Ending::kKilled && out.code == SIGKILL && was_short_of_memory()) {
    out.ending = Ending::kOutOfMemory;
  }
  return out;
}

double seconds_since(std::int64_t start_ns) { return static_cast<double>(monotonic_ns() - start_ns) * 1e-9; }

}  // namespace

Child::~Child() { end(Ending::kInterrupted); }

void Child::swap(Child& other) noexcept {
  std::swap(process_, other.process_);
  std::swap(descriptor_, other.descriptor_);
  std::swap(owns_group_, other.owns_group_);
  std::swap(slot_, other.slot_);
  std::swap(start_ns_, other.start_ns_);
  std::swap(deadline_ns_, other.deadline_ns_);
  std::swap(finished_, other.finished_);
}

void Child::send(int signal) const {
  if (is_running()) {
    syscall(SYS_pidfd_send_signal, descriptor_, signal, nullptr, 0);
  }
}

// REQUIRES: not yet reaped, so that the number is still its own.
void Child::kill_group() const {
  if (owns_group_) {
    ::kill(-process_, SIGKILL);
  }
}

void Child::let_go() {
  slot_->store(0, std::memory_order_relaxed);  // relaxed: the guard reads it when we are dead
  close(std::exchange(descriptor_, -1));
}

bool Child::reap() {
  if (!is_running()) {
    return true;
  }
  siginfo_t info{};
  rusage usage{};
  const bool known = wait_for(descriptor_, info, usage, WNOHANG | WNOWAIT) == 0;
  if (known && info.si_pid == 0) {
    return false;
  }
  const double wall_s = seconds_since(start_ns_);
  if (known) {
    kill_group();  // what it left behind; its number is taken until it is reaped
    wait_for(descriptor_, info, usage, 0);
    finished_ = finished_as(info, usage);
  } else {
    finished_.ending = Ending::kLost;
  }
  finished_.wall_s = wall_s;
  let_go();
  return true;
}

void Child::end(Ending as) {
  if (reap()) {
    return;  // it was quicker: what it did stands
  }
  kill_group();
  send(SIGKILL);  // it may have left its group
  const bool ended = ends_within(descriptor_, kPatienceNs) && reap();
  if (!ended) {
    let_go();
  }
  finished_.ending = as;
  finished_.code = 0;
  finished_.goes_on = !ended;
  finished_.wall_s = seconds_since(start_ns_);
}

Child start(const Command& command, const Signals& signals) {
  Child child;
  child.finished_.ending = Ending::kNotStarted;
  auto variables = command.environment;
  std::erase_if(variables, [](const std::string& one) { return one.starts_with(guard::mark().substr(0, guard::mark().find('=') + 1)); });
  variables.push_back(guard::mark());
  const auto argv = as_argv(command.words);
  const auto environment = as_argv(variables);
  guard::Slot* slot = guard::take_slot();
  if (slot == nullptr) {
    child.finished_.code = errno;
    return child;
  }
  was_short_of_memory();
  Launch launch{signals, argv.data(), environment.data(), command.stdout_file.c_str(), command.stderr_file.c_str(),
                command.streams, getpid(), slot, 0};
  child.slot_ = slot;
  child.start_ns_ = monotonic_ns();
  const Born born = launch_child(launch);
  if (launch.error != 0) {
    slot->store(0, std::memory_order_relaxed);  // relaxed: as in let_go()
    child.finished_.code = launch.error;
    if (born.process > 0) {
      siginfo_t info{};
      wait_for(born.descriptor, info, child.finished_.usage, 0);
      close(born.descriptor);
    }
    return child;
  }
  slot->store(born.process, std::memory_order_relaxed);  // relaxed: as in let_go()
  child.process_ = born.process;
  child.descriptor_ = born.descriptor;
  child.owns_group_ = command.streams == Streams::kFiles;
  child.deadline_ns_ = child.start_ns_ + static_cast<std::int64_t>(std::min(command.timeout_s, 1e9) * 1e9);
  return child;
}

namespace {

std::int64_t first_deadline_ns(std::span<Child* const> children, std::int64_t until_ns) {
  for (const Child* child : children) {
    until_ns = child->is_running() ? std::min(until_ns, child->deadline_ns()) : until_ns;
  }
  return until_ns;
}

bool any_running(std::span<Child* const> children) {
  return std::any_of(children.begin(), children.end(), [](const Child* child) { return child->is_running(); });
}

// Takes the news of those that ended, and ends those whose time is up. True if there was any.
bool settle(std::span<Child* const> children) {
  bool any = false;
  for (Child* child : children) {
    if (!child->is_running()) {
      continue;
    }
    if (!child->reap() && monotonic_ns() >= child->deadline_ns()) {
      child->end(Ending::kTimeout);
    }
    any |= !child->is_running();
  }
  return any;
}

bool any_readable(std::span<const int> descriptors) {
  return std::any_of(descriptors.begin(), descriptors.end(), [](int descriptor) {
    pollfd file{descriptor, POLLIN, 0};
    return poll(&file, 1, 0) > 0;
  });
}

void poll_until(std::vector<pollfd>& files, std::int64_t until_ns) {
  const std::int64_t left_ns = std::max<std::int64_t>(until_ns - monotonic_ns(), 0);
  const timespec left{left_ns / 1'000'000'000, left_ns % 1'000'000'000};
  ppoll(files.data(), files.size(), until_ns == kForever ? nullptr : &left, nullptr);  // a failure is seen as nothing having come
}

}  // namespace

Woken await_through_signals(std::span<Child* const> children, std::int64_t until_ns, std::span<const int> descriptors) {
  std::vector<pollfd> files;
  for (const int descriptor : descriptors) {
    files.push_back({descriptor, POLLIN, 0});
  }
  for (const Child* child : children) {
    files.push_back({child->descriptor(), POLLIN, 0});  // poll passes over negative ones
  }
  while (any_running(children) || !descriptors.empty() || until_ns != kForever) {
    poll_until(files, first_deadline_ns(children, until_ns));
    if (settle(children)) {
      return Woken::kEnded;
    }
    if (std::any_of(files.begin(), files.begin() + static_cast<std::ptrdiff_t>(descriptors.size()), [](const pollfd& file) { return file.revents != 0; })) {
      return Woken::kReady;
    }
    if (monotonic_ns() >= until_ns) {
      return Woken::kTime;
    }
  }
  return Woken::kEnded;
}

Woken await(std::span<Child* const> children, Signals& signals, std::int64_t until_ns, std::span<const int> descriptors) {
  if (!any_running(children) && descriptors.empty() && until_ns == kForever) {
    return Woken::kEnded;
  }
  std::vector<int> all = {signals.descriptor()};
  all.insert(all.end(), descriptors.begin(), descriptors.end());
  for (;;) {
    const bool interrupted = signals.interrupted();
    const Woken woken = interrupted ? Woken::kInterrupted : await_through_signals(children, until_ns, all);
    if (interrupted || signals.interrupted()) {
      for (Child* child : children) {
        child->end(Ending::kInterrupted);
      }
      return Woken::kInterrupted;
    }
    if (woken != Woken::kReady || any_readable(descriptors)) {
      return woken;
    }
  }
}

}  // namespace bench
