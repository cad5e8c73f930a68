// Runs a child process to its end, or ends it.
//
// A child gets a process group of its own, no core file, its output in files (never pipes: an orphan that holds one open cannot
// block us), and a wall timeout after which the whole group is killed. It dies with us.
#pragma once

#include <sys/resource.h>

#include <filesystem>
#include <string>
#include <vector>

#include "bench/run/signals.hpp"

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

// Not thread-safe: one child at a time.
Finished run_to_end(const Command& command, Signals& signals);

// The process's environment without the names given and with `set` added.
std::vector<std::string> environment_with(const std::vector<std::string>& without, const std::vector<std::string>& set);

// The last line of a file that is not blank, at most `limit` bytes of it; empty if there is none.
std::string last_line(const std::filesystem::path& file, std::size_t limit = 300);

// "SIGSEGV (Segmentation fault)"
std::string signal_name(int signal);

}  // namespace bench
