#include "workloads/trace/record/recording.hpp"

#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <new>

#include "workloads/trace/record/raw_log.hpp"

extern char** environ;

namespace trace {
namespace {

using Clock = std::chrono::steady_clock;

constexpr long kTickNs = 2'000'000;  // how coarse the time in a trace is

double seconds_since(Clock::time_point start) {
  return std::chrono::duration<double>(Clock::now() - start).count();
}

// The directory of one recording, with its control file; removed with all logs at the end.
class LogDirectory {
 public:
  // `max_units` bounds the logs of all processes together.
  LogDirectory(const std::filesystem::path& beside, std::uint64_t max_units) {
    std::string name = std::filesystem::absolute(beside).string() + ".logs-XXXXXX";
    if (mkdtemp(name.data()) == nullptr) {
      throw TraceError(name + ": cannot create it: " + std::strerror(errno));
    }
    path_ = name;
    const std::filesystem::path control = path_ / raw::kControlName;
    const int fd = open(control.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    void* page = fd >= 0 && ftruncate(fd, 4096) == 0
                     ? mmap(nullptr, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0)
                     : MAP_FAILED;
    if (fd >= 0) {
      close(fd);
    }
    if (page == MAP_FAILED) {
      throw TraceError(control.string() + ": cannot create it: " + std::strerror(errno));
    }
    control_ = new (page) raw::Control{};
    control_->max_units = max_units;
    control_->magic = raw::kControlMagic;
  }
  ~LogDirectory() {
    std::error_code ignored;  // a directory that cannot be removed is left for the user to see
    std::filesystem::remove_all(path_, ignored);
    munmap(control_, 4096);
  }
  LogDirectory(const LogDirectory&) = delete;
  LogDirectory& operator=(const LogDirectory&) = delete;

  [[nodiscard]] const std::filesystem::path& path() const { return path_; }
  // relaxed throughout: the gate orders nothing, it only says whether calls are recorded
  void open_gate() { control_->gate.store(1, std::memory_order_relaxed); }
  void close_gate() { control_->gate.store(0, std::memory_order_relaxed); }
  void turn_gate() {
    control_->gate.load(std::memory_order_relaxed) == 0 ? open_gate() : close_gate();
  }
  // Another number for an open gate; one that is closed meanwhile stays closed.
  void tick() {
    std::uint32_t gate = control_->gate.load(std::memory_order_relaxed);
    if (gate != 0) {
      const std::uint32_t next = gate == ~0u ? 1 : gate + 1;
      control_->gate.compare_exchange_strong(gate, next, std::memory_order_relaxed);
    }
  }
  [[nodiscard]] bool out_of_space() const {
    return control_->out_of_space.load(std::memory_order_relaxed) != 0;
  }

 private:
  std::filesystem::path path_;
  raw::Control* control_ = nullptr;
};

std::vector<std::string> environment_with(const std::filesystem::path& recorder,
                                          const LogDirectory& logs) {
  std::vector<std::string> result;
  std::string preload = "LD_PRELOAD=" + recorder.string();
  for (char** entry = environ; *entry != nullptr; ++entry) {
    const std::string variable = *entry;
    if (variable.starts_with("LD_PRELOAD=") && variable.size() > std::strlen("LD_PRELOAD=")) {
      preload += ":" + variable.substr(std::strlen("LD_PRELOAD="));
    } else {
      result.push_back(variable);
    }
  }
  result.push_back(preload);
  result.push_back(std::string(raw::kDirectoryVariable) + "=" + logs.path().string());
  return result;
}

std::vector<std::string> plain_environment() {
  std::vector<std::string> result;
  for (char** entry = environ; *entry != nullptr; ++entry) {
    result.emplace_back(*entry);
  }
  return result;
}

std::vector<char*> pointers(std::vector<std::string>& strings) {
  std::vector<char*> result;
  for (std::string& text : strings) {
    result.push_back(text.data());
  }
  result.push_back(nullptr);
  return result;
}

// Signals that bench waits for instead of being ended by. The program starts with none of them
// blocked.
sigset_t awaited_signals() {
  sigset_t set;
  sigemptyset(&set);
  for (const int number : {SIGCHLD, SIGUSR1, SIGINT, SIGTERM}) {
    sigaddset(&set, number);
  }
  return set;
}

class BlockSignals {
 public:
  BlockSignals() {
    const sigset_t set = awaited_signals();
    pthread_sigmask(SIG_BLOCK, &set, &before_);
  }
  ~BlockSignals() { pthread_sigmask(SIG_SETMASK, &before_, nullptr); }
  BlockSignals(const BlockSignals&) = delete;
  BlockSignals& operator=(const BlockSignals&) = delete;
  [[nodiscard]] const sigset_t& before() const { return before_; }

 private:
  sigset_t before_{};
};

pid_t start(std::vector<std::string> command, std::vector<std::string> environment,
            const sigset_t& mask, int stdout_fd = -1) {
  posix_spawnattr_t attributes;
  posix_spawnattr_init(&attributes);
  posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK);
  posix_spawnattr_setsigmask(&attributes, &mask);
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  if (stdout_fd >= 0) {
    posix_spawn_file_actions_adddup2(&actions, stdout_fd, 1);
  }
  pid_t pid = -1;
  const int error = posix_spawnp(&pid, command[0].c_str(), &actions, &attributes,
                                 pointers(command).data(), pointers(environment).data());
  posix_spawn_file_actions_destroy(&actions);
  posix_spawnattr_destroy(&attributes);
  if (error != 0) {
    throw TraceError(command[0] + ": cannot start it: " + std::strerror(error));
  }
  return pid;
}

int wait_for(pid_t pid) {
  int status = 0;
  while (waitpid(pid, &status, 0) < 0 && errno == EINTR) {
  }
  return status;
}

// Waits until the program ends or the duration is over. True if it ended.
bool follow(pid_t pid, LogDirectory& logs, double duration_s, int& status) {
  const Clock::time_point start = Clock::now();
  const sigset_t awaited = awaited_signals();
  const timespec wait{0, kTickNs};
  for (;;) {
    if (waitpid(pid, &status, WNOHANG) == pid) {
      return true;
    }
    if (duration_s > 0 && seconds_since(start) >= duration_s) {
      return false;
    }
    logs.tick();
    siginfo_t info;
    const int number = sigtimedwait(&awaited, &info, &wait);
    if (number == SIGUSR1) {
      logs.turn_gate();
    } else if (number == SIGTERM || (number == SIGINT && info.si_code == SI_USER)) {
      kill(pid, number);  // Ctrl-C at a terminal has reached the program by itself
    }
  }
}

// ns of one allocation call of the probe, or 0 where it did not run.
double probe_call_ns(const RecordOptions& options, std::vector<std::string> environment,
                     const sigset_t& mask) {
  int ends[2];
  if (pipe2(ends, O_CLOEXEC) != 0) {
    return 0;
  }
  const pid_t pid = start({options.probe.string()}, std::move(environment), mask, ends[1]);
  close(ends[1]);
  char text[64] = {};
  const ssize_t bytes = read(ends[0], text, sizeof text - 1);
  close(ends[0]);
  return wait_for(pid) == 0 && bytes > 0 ? std::strtod(text, nullptr) : 0;
}

// The middle of an odd number of values.
double middle(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  return values[values.size() / 2];
}

// Runs in turn, so that a machine that becomes slower or faster meanwhile does so for both.
void measure_cost(const RecordOptions& options, const sigset_t& mask, Recording& result) {
  constexpr int kProbeRuns = 5;
  std::vector<double> plain;
  std::vector<double> recorded;
  for (int run = 0; run < kProbeRuns; ++run) {
    LogDirectory logs(options.out, ~0ull);
    logs.open_gate();
    plain.push_back(probe_call_ns(options, plain_environment(), mask));
    recorded.push_back(probe_call_ns(options, environment_with(options.recorder, logs), mask));
  }
  result.plain_call_ns = middle(plain);
  result.recorded_call_ns = middle(recorded);
  if (options.measure) {
    const Clock::time_point begin = Clock::now();
    wait_for(start(options.command, plain_environment(), mask));
    result.unrecorded_wall_s = seconds_since(begin);
  }
}

std::filesystem::path numbered(const std::filesystem::path& out, std::size_t number) {
  if (number == 1) {
    return out;
  }
  std::filesystem::path name = out.stem();
  name += "." + std::to_string(number);
  name += out.extension();
  return out.parent_path() / name;
}

std::string info_lines(const RecordOptions& options) {
  std::string info = "command=";
  for (const std::string& word : options.command) {
    info += (info.back() == '=' ? "" : " ") + word;
  }
  for (char& c : info) {
    c = c == '\n' ? ' ' : c;
  }
  return info + "\n" + (options.note.empty() ? "" : "note=" + options.note + "\n");
}

void convert(const RecordOptions& options, const LogDirectory& logs, Recording& result) {
  const std::vector<RawLog> found = find_raw_logs(logs.path());
  for (const RawLog& log : found) {
    result.calls += log.calls;
    if (log.calls < options.min_calls && !result.traces.empty()) {
      ++result.small_processes;
      continue;
    }
    ConvertOptions convert_options;
    convert_options.info = info_lines(options);
    convert_options.max_bytes = options.max_bytes;
    const std::filesystem::path path = numbered(options.out, result.traces.size() + 1);
    result.traces.push_back({path, log, convert_raw_log(log, path, convert_options)});
  }
  if (result.calls == 0) {
    throw TraceError(options.command[0] +
                     ": made no call that could be recorded. Is it linked statically, or setuid? "
                     "Was the recording "
                     "started?");
  }
}

// A packed event takes a byte or more, a raw one up to 32: a trace of max_bytes needs no more than
// this.
std::uint64_t units_for(std::uint64_t max_bytes) {
  constexpr std::uint64_t kRawPerPacked = 32;
  return max_bytes == ~0ull ? max_bytes : max_bytes / raw::kUnitBytes * kRawPerPacked + 64;
}

}  // namespace

Recording record(const RecordOptions& options) {
  Recording result;
  const BlockSignals block;
  LogDirectory logs(options.out, units_for(options.max_bytes));
  if (!options.paused) {
    logs.open_gate();
  }
  const Clock::time_point begin = Clock::now();
  const pid_t pid =
      start(options.command, environment_with(options.recorder, logs), block.before());
  result.still_running = !follow(pid, logs, options.duration_s, result.exit_status);
  result.wall_s = seconds_since(begin);
  logs.close_gate();
  result.out_of_space = logs.out_of_space();
  convert(options, logs, result);
  if (result.still_running) {
    follow(pid, logs, 0, result.exit_status);
  }
  measure_cost(options, block.before(), result);
  return result;
}

}  // namespace trace
