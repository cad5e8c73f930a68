// Runs a child process to its end, or ends it.
//
// A child gets a process group of its own, no core file, its output in files (never pipes: an orphan that holds one open cannot
// block us), and a wall timeout after which the whole group is killed. It dies with us.
#pragma once

#include <sys/resource.h>

#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "bench/process/signals.hpp"

namespace bench {

struct Command {
  std::vector<std::string> words;        // words[0] is the program: a path
  std::vector<std::string> environment;  // all of it, NAME=VALUE each
  std::filesystem::path stdout_file;     // created or emptied
  std::filesystem::path stderr_file;
  double timeout_s = 60;
};

enum class Ending { kExited, kKilled, kTimeout, kInterrupted, kNotStarted, kOutOfMemory };

struct Finished {
  Ending ending = Ending::kExited;
  int code = 0;          // exit code of kExited, signal of kKilled, errno of kNotStarted
  double wall_s = 0;     // from fork to the end of the first process
  rusage usage{};        // of it and of its children that it waited for
};

// Called again and again while a child runs.
struct Watch {
  std::chrono::milliseconds interval;
  std::function<void()> look;
};

// Not thread-safe.
Finished run_to_end(const Command& command, Signals& signals, const Watch* watch = nullptr);

// The same in steps, for a child that is to run beside others.
struct Started {
  pid_t process = 0;  // and its group
  int error = 0;      // errno if it could not be started
};
Started start(const Command& command, const Signals& signals);
// Waits for its end, its timeout (from now) or an interrupt; its group is dead afterwards.
Finished await(pid_t process, double timeout_s, Signals& signals, const Watch* watch = nullptr);
// Asks it to end (SIGTERM), and kills its group if it has not within `patience_s`.
Finished stop(pid_t process, double patience_s, Signals& signals);

// The process's environment without the names given and with `set` added.
std::vector<std::string> environment_with(const std::vector<std::string>& without, const std::vector<std::string>& set);

// The last line of a file that is not blank, at most `limit` bytes of it; empty if there is none.
std::string last_line(const std::filesystem::path& file, std::size_t limit = 300);

// "SIGSEGV (Segmentation fault)"
std::string signal_name(int signal);

}  // namespace bench
