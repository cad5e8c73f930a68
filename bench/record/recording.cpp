#include "bench/record/recording.hpp"

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <fstream>
#include <new>
#include <utility>

#include "bench/measure/clock.hpp"
#include "bench/plan/exec_program.hpp"
#include "bench/process/exec_tree.hpp"
#include "workloads/trace/record/raw_log.hpp"

namespace trace {
namespace {

using bench::monotonic_ns;

constexpr std::int64_t kTickNs = 2'000'000;  // how coarse the time in a trace is
constexpr double kNoTimeoutS = 1e9;

double seconds_since(std::int64_t start_ns) { return static_cast<double>(monotonic_ns() - start_ns) * 1e-9; }

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
  [[nodiscard]] std::uint32_t losses() const { return control_->losses.load(std::memory_order_relaxed); }

 private:
  std::filesystem::path path_;
  raw::Control* control_ = nullptr;
};

std::vector<std::string> recording_environment(const std::filesystem::path& recorder, const LogDirectory& logs) {
  const char* preload = std::getenv("LD_PRELOAD");
  return bench::environment_with({}, {"LD_PRELOAD=" + recorder.string() + (preload != nullptr && *preload != 0 ? ":" + std::string(preload) : ""),
                                      std::string(raw::kDirectoryVariable) + "=" + logs.path().string()});
}

bench::Command command_of(const RecordOptions& options, std::vector<std::string> environment) {
  bench::Command command;
  command.words = options.command;
  command.words[0] = bench::find_executable(command.words[0]).string();
  command.environment = std::move(environment);
  command.timeout_s = kNoTimeoutS;
  command.streams = bench::Streams::kInherited;
  return command;
}

// A program being recorded, and what it leaves behind.
class Follower {
 public:
  Follower(const bench::Command& command, LogDirectory& logs, bench::Signals& signals)
      : logs_(logs), signals_(signals), program_(bench::start(command, signals)) {
    if (!program_.is_running()) {
      throw TraceError(command.words[0] + ": cannot start it: " + std::strerror(program_.finished().code));
    }
  }

  // Waits until the program and all that it left behind have ended, `until_ns` has come, or the user wants an end of the wait for the latter.
  void follow(std::int64_t until_ns) {
    bench::Child* const one[] = {&program_};
    const int files[] = {signals_.descriptor()};
    while (monotonic_ns() < until_ns && (program_.is_running() || wait_for_the_rest())) {
      logs_.tick();
      const auto woken = bench::await_through_signals(one, std::min(until_ns, monotonic_ns() + kTickNs), files);
      if (woken == bench::Woken::kReady) {
        pass_on();
      }
    }
  }

  [[nodiscard]] bool is_over() const { return !program_.is_running() && left_ == 0; }
  [[nodiscard]] std::size_t left_behind() const { return left_; }
  [[nodiscard]] const bench::Finished& finished() const { return program_.finished(); }

 private:
  // Such as a daemon: its calls are the program's.
  bool wait_for_the_rest() {
    const std::size_t before = std::exchange(left_, bench::reap_strays());
    if (left_ > 0 && before == 0 && !is_enough_) {
      std::fprintf(stderr, "bench: the program has ended; it left %zu process%s, recorded until %s end%s or Ctrl-C\n", left_, left_ == 1 ? "" : "es",
                   left_ == 1 ? "it" : "they", left_ == 1 ? "s" : "");
    }
    return left_ > 0 && !is_enough_;
  }

  void pass_on() {
    while (const auto signal = signals_.take()) {
      if (signal->number == SIGUSR1) {
        logs_.turn_gate();
        continue;
      }
      is_enough_ = true;
      if (!(signal->number == SIGINT && signal->is_from_kernel)) {  // Ctrl-C at a terminal has reached the program by itself
        program_.send(signal->number);
      }
    }
  }

  LogDirectory& logs_;
  bench::Signals& signals_;
  bench::Child program_;
  std::size_t left_ = 0;
  bool is_enough_ = false;
};

// ns of one allocation call of the probe, or 0 where it did not run.
double probe_call_ns(const RecordOptions& options, const LogDirectory& logs, std::vector<std::string> environment, bench::Signals& signals) {
  bench::Command command;
  command.words = {options.probe.string()};
  command.environment = std::move(environment);
  command.stdout_file = logs.path() / "probe.out";
  command.stderr_file = logs.path() / "probe.err";
  const bench::Finished finished = bench::run_to_end(command, signals);
  const bool done = finished.ending == bench::Ending::kExited && finished.code == 0;
  return done ? std::strtod(bench::last_line(command.stdout_file).c_str(), nullptr) : 0;
}

// The middle of an odd number of values.
double middle(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  return values[values.size() / 2];
}

// Runs in turn, so that a machine that becomes slower or faster meanwhile does so for both.
void measure_cost(const RecordOptions& options, bench::Signals& signals, Recording& result) {
  constexpr int kProbeRuns = 5;
  std::vector<double> plain;
  std::vector<double> recorded;
  for (int run = 0; run < kProbeRuns; ++run) {
    LogDirectory logs(options.out, ~0ull);
    logs.open_gate();
    plain.push_back(probe_call_ns(options, logs, bench::environment_with({}, {}), signals));
    recorded.push_back(probe_call_ns(options, logs, recording_environment(options.recorder, logs), signals));
  }
  result.plain_call_ns = middle(plain);
  result.recorded_call_ns = middle(recorded);
  if (options.measure) {
    result.unrecorded_wall_s = bench::run_to_end(command_of(options, bench::environment_with({}, {})), signals).wall_s;
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

std::string why_nothing(const RecordOptions& options, const Recording& result) {
  if (!result.losses.empty()) {
    return "nothing was recorded: " + result.losses.front();
  }
  if (result.finished.ending == bench::Ending::kKilled) {
    return options.command[0] + ": ended by " + bench::signal_name(result.finished.code) + " before any call that could be recorded";
  }
  if (options.command.empty()) {
    return "no calls are in these logs";
  }
  return options.command[0] + ": made no call that could be recorded. Is it linked statically, or setuid? Was the recording started?";
}

void convert(const RecordOptions& options, const std::filesystem::path& logs, Recording& result) {
  const std::vector<RawLog> found = find_raw_logs(logs);
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
    throw TraceError(why_nothing(options, result));
  }
}

std::vector<std::string> losses_of(std::uint32_t losses) {
  std::vector<std::string> out;
  const auto add = [&](raw::Loss loss, const char* text) {
    if ((losses & static_cast<std::uint32_t>(loss)) != 0) {
      out.emplace_back(text);
    }
  };
  add(raw::Loss::kMaxSize, "recording ended early: --max-size was reached");
  add(raw::Loss::kDiskFull, "recording ended early: there is no more space for the logs");
  add(raw::Loss::kFileSize, "a process is not recorded to its end: it limits the size of files (RLIMIT_FSIZE, ulimit -f)");
  add(raw::Loss::kDescriptors, "a process is not recorded to its end: it has no file descriptor left (RLIMIT_NOFILE, ulimit -n)");
  add(raw::Loss::kOutOfReach, "a process is not recorded to its end: it changed its user or root, and cannot open its log any more");
  add(raw::Loss::kOther, "a process is not recorded to its end: the system refused memory or files to the recorder");
  return out;
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
  bench::Signals signals(SIGUSR1);
  bench::adopt_orphans();
  LogDirectory logs(options.out, units_for(options.max_bytes));
  if (!options.paused) {
    logs.open_gate();
  }
  const std::int64_t begin_ns = monotonic_ns();
  Follower follower(command_of(options, recording_environment(options.recorder, logs)), logs, signals);
  follower.follow(options.duration_s > 0 ? begin_ns + static_cast<std::int64_t>(std::min(options.duration_s, 1e9) * 1e9) : bench::kForever);
  result.still_running = !follower.is_over();
  result.left_behind = follower.left_behind();
  result.finished = follower.finished();
  result.wall_s = seconds_since(begin_ns);
  logs.close_gate();
  result.losses = losses_of(logs.losses());
  result.is_incomplete = (logs.losses() & ~static_cast<std::uint32_t>(raw::Loss::kMaxSize)) != 0;
  convert(options, logs.path(), result);
  if (result.still_running) {
    follower.follow(bench::kForever);
    result.finished = follower.finished();
    result.left_behind = follower.left_behind();
  }
  measure_cost(options, signals, result);
  return result;
}

Recording recover(const std::filesystem::path& logs, const RecordOptions& options) {
  Recording result;
  if (std::ifstream control(logs / raw::kControlName, std::ios::binary); !control) {
    throw TraceError(logs.string() + ": no logs of a recording (it has no file '" + raw::kControlName + "')");
  }
  convert(options, logs, result);
  return result;
}

}  // namespace trace
