#include "bench/process/process.hpp"

#include <fcntl.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <fstream>
#include <string_view>

#include "bench/measure/clock.hpp"

namespace bench {
namespace {

constexpr int kExecFailedExitCode = 127;
constexpr std::chrono::milliseconds kLongestWait{1000};

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

void open_as(const char* path, int flags, int descriptor) {
  const int file = open(path, flags, 0644);
  if (file < 0 || dup2(file, descriptor) < 0) {
    _exit(kExecFailedExitCode);
  }
  close(file);
}

// Runs in the child, between fork and exec: async-signal-safe calls only.
[[noreturn]] void become(const Command& command, char* const* argv, char* const* envp, pid_t parent, int error_pipe,
                         const Signals& signals) {
  setpgid(0, 0);
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (getppid() != parent) {
    _exit(kExecFailedExitCode);  // the parent died before the line above
  }
  const rlimit no_core{0, 0};
  setrlimit(RLIMIT_CORE, &no_core);
  open_as("/dev/null", O_RDONLY, STDIN_FILENO);
  open_as(command.stdout_file.c_str(), O_WRONLY | O_CREAT | O_TRUNC, STDOUT_FILENO);
  open_as(command.stderr_file.c_str(), O_WRONLY | O_CREAT | O_TRUNC, STDERR_FILENO);
  signals.restore_in_child();
  execve(argv[0], argv, envp);
  const int error = errno;
  const auto written = write(error_pipe, &error, sizeof error);
  _exit(written == sizeof error ? kExecFailedExitCode : kExecFailedExitCode - 1);
}

Finished not_started(int error) {
  Finished finished;
  finished.ending = Ending::kNotStarted;
  finished.code = error;
  return finished;
}

// Ends the whole group of a child that may not go on.
void kill_group(pid_t child, int& status, rusage& usage) {
  kill(-child, SIGKILL);
  wait4(child, &status, 0, &usage);
}

}  // namespace

Started start(const Command& command, const Signals& signals) {
  const auto argv = as_argv(command.words);
  const auto envp = as_argv(command.environment);
  int error_pipe[2];
  if (pipe2(error_pipe, O_CLOEXEC) != 0) {
    return {0, errno};
  }
  const pid_t parent = getpid();
  const pid_t child = fork();
  if (child == 0) {
    become(command, argv.data(), envp.data(), parent, error_pipe[1], signals);
  }
  const int fork_error = errno;
  close(error_pipe[1]);
  if (child < 0) {
    close(error_pipe[0]);
    return {0, fork_error};
  }
  setpgid(child, child);  // as the child does: whoever comes first
  int exec_error = 0;
  const bool failed = read(error_pipe[0], &exec_error, sizeof exec_error) == sizeof exec_error;
  close(error_pipe[0]);
  if (failed) {
    waitpid(child, nullptr, 0);
    return {0, exec_error};
  }
  return {child, 0};
}

Finished await(pid_t child, double timeout_s, Signals& signals, const Watch* watch) {
  const std::int64_t start_ns = monotonic_ns();
  const std::int64_t end_ns = start_ns + static_cast<std::int64_t>(std::min(timeout_s, 1e9) * 1e9);
  const long long kills_before = oom_kills();
  Finished finished;
  int status = 0;
  while (wait4(child, &status, WNOHANG, &finished.usage) == 0) {
    const std::int64_t now_ns = monotonic_ns();
    const bool interrupted = signals.interrupted();
    if (interrupted || now_ns >= end_ns) {
      kill_group(child, status, finished.usage);
      finished.ending = interrupted ? Ending::kInterrupted : Ending::kTimeout;
      finished.wall_s = static_cast<double>(monotonic_ns() - start_ns) * 1e-9;
      return finished;
    }
    const auto left = std::chrono::milliseconds((end_ns - now_ns) / 1'000'000 + 1);
    if (watch != nullptr) {
      watch->look();
    }
    signals.wait(std::min(left, watch != nullptr ? watch->interval : kLongestWait));
  }
  finished.wall_s = static_cast<double>(monotonic_ns() - start_ns) * 1e-9;
  kill(-child, SIGKILL);  // what it left behind in its group
  finished.ending = WIFSIGNALED(status) ? Ending::kKilled : Ending::kExited;
  finished.code = WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status);
  if (finished.ending == Ending::kKilled && finished.code == SIGKILL && oom_kills() > kills_before) {
    finished.ending = Ending::kOutOfMemory;
  }
  return finished;
}

Finished stop(pid_t process, double patience_s, Signals& signals) {
  kill(process, SIGTERM);
  return await(process, patience_s, signals);
}

Finished run_to_end(const Command& command, Signals& signals, const Watch* watch) {
  const Started started = start(command, signals);
  return started.process == 0 ? not_started(started.error) : await(started.process, command.timeout_s, signals, watch);
}

std::vector<std::string> environment_with(const std::vector<std::string>& without, const std::vector<std::string>& set) {
  std::vector<std::string> out;
  for (char** entry = environ; *entry != nullptr; ++entry) {
    const std::string_view text = *entry;
    const auto name = text.substr(0, text.find('='));
    const auto is_name = [name](const std::string& other) { return other.substr(0, other.find('=')) == name; };
    if (std::none_of(without.begin(), without.end(), is_name) && std::none_of(set.begin(), set.end(), is_name)) {
      out.emplace_back(text);
    }
  }
  out.insert(out.end(), set.begin(), set.end());
  return out;
}

std::string last_line(const std::filesystem::path& file, std::size_t limit) {
  std::ifstream in(file);
  std::string last;
  for (std::string line; std::getline(in, line);) {
    if (line.find_first_not_of(" \t\r") != std::string::npos) {
      last = line;
    }
  }
  return last.substr(0, limit);
}

std::string signal_name(int signal) {
  const char* abbreviation = sigabbrev_np(signal);
  const char* description = strsignal(signal);
  return abbreviation == nullptr ? "signal " + std::to_string(signal)
                                 : "SIG" + std::string(abbreviation) + " (" + description + ")";
}

}  // namespace bench
