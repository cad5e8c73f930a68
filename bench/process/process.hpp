// Runs one child to its end, and what else is wanted around children. Several at once: child.hpp.
#pragma once

#include <chrono>
#include <filesystem>
#include <functional>
#include <string>
#include <vector>

#include "bench/process/child.hpp"
#include "bench/process/signals.hpp"

namespace bench {

// Called again and again while a child runs.
struct Watch {
  std::chrono::milliseconds interval;
  std::function<void()> look;
};

// Starts it and waits for its end, its timeout or an interrupt; its group is dead afterwards.
Finished run_to_end(const Command& command, Signals& signals, const Watch* watch = nullptr);

// The second half of that.
Finished await_end(Child& child, Signals& signals, const Watch* watch = nullptr);

// Asks it to end (SIGTERM), and kills its group if it has not within `patience_s`.
Finished stop(Child& child, double patience_s, Signals& signals);

// The process's environment without the names given and with `set` added.
std::vector<std::string> environment_with(const std::vector<std::string>& without, const std::vector<std::string>& set);

// The last line of a file that is not blank, at most `limit` bytes of it; empty if there is none.
std::string last_line(const std::filesystem::path& file, std::size_t limit = 300);

// "SIGSEGV (Segmentation fault)"
std::string signal_name(int signal);

// Gives descriptors 0, 1 and 2 something to stand for where they were closed when we were started, so that no file of ours gets their number:
// reading and writing them fails as before. For main(), before anything else.
void hold_standard_descriptors();

}  // namespace bench
