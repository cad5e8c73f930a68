#include "bench/process/process.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <fstream>
#include <string_view>

#include "bench/measure/clock.hpp"

namespace bench {

Finished await_end(Child& child, Signals& signals, const Watch* watch) {
  Child* const one[] = {&child};
  std::int64_t next_ns = watch != nullptr ? monotonic_ns() : kForever;
  while (child.is_running()) {
    if (await(one, signals, next_ns) == Woken::kTime) {
      watch->look();
      next_ns = monotonic_ns() + std::chrono::nanoseconds(watch->interval).count();
    }
  }
  return child.finished();
}

Finished run_to_end(const Command& command, Signals& signals, const Watch* watch) {
  Child child = start(command, signals);
  return await_end(child, signals, watch);
}

Finished stop(Child& child, double patience_s, Signals& signals) {
  child.send(SIGTERM);
  child.set_deadline_ns(monotonic_ns() + static_cast<std::int64_t>(patience_s * 1e9));
  return await_end(child, signals);
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

void hold_standard_descriptors() {
  for (const int descriptor : {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO}) {
    if (fcntl(descriptor, F_GETFD) < 0) {
      // The lowest free number is this one. Opened the wrong way round, so that its use still is an error.
      static_cast<void>(open("/dev/null", descriptor == STDIN_FILENO ? O_WRONLY : O_RDONLY));
    }
  }
}

}  // namespace bench
