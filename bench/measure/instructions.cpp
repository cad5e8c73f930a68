#include "bench/measure/instructions.hpp"

#include <linux/perf_event.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>
#include <cstring>
#include <stdexcept>
#if __has_include(<valgrind/callgrind.h>)
#include <valgrind/callgrind.h>
#endif

namespace bench {
namespace {

#ifdef CALLGRIND_ZERO_STATS
bool under_callgrind() { return RUNNING_ON_VALGRIND != 0; }
void begin_count() { CALLGRIND_ZERO_STATS; }
void write_count() { CALLGRIND_DUMP_STATS; }
#else
bool under_callgrind() { return false; }
void begin_count() {}
void write_count() {}
#endif

// A counter of this thread and of those that it will start; -1 and errno.
int open_counter(std::uint64_t what) {
  perf_event_attr wanted{};
  wanted.type = PERF_TYPE_HARDWARE;
  wanted.size = sizeof wanted;
  wanted.config = what;
  wanted.disabled = 1;
  wanted.inherit = 1;
  wanted.exclude_kernel = 1;
  wanted.exclude_hv = 1;
  return static_cast<int>(syscall(SYS_perf_event_open, &wanted, 0, -1, -1, PERF_FLAG_FD_CLOEXEC));
}

double value_of(int counter) {
  std::uint64_t value = 0;
  return read(counter, &value, sizeof value) == static_cast<ssize_t>(sizeof value) ? static_cast<double>(value) : 0;
}

}  // namespace

std::string why_no_hardware_counters() {
  const int counter = open_counter(PERF_COUNT_HW_INSTRUCTIONS);
  const int error = errno;
  if (counter >= 0) {
    close(counter);
    return "";
  }
  if (error == EACCES || error == EPERM) {
    return "the kernel forbids it (lower /proc/sys/kernel/perf_event_paranoid to 2)";
  }
  if (error == ENOENT || error == EOPNOTSUPP || error == ENODEV) {
    return "this machine shows no counters of its CPU (a virtual machine without them)";
  }
  return std::string("perf_event_open: ") + std::strerror(error);
}

InstructionCounter::~InstructionCounter() {
  for (const int counter : {instructions_, cycles_}) {
    if (counter >= 0) {
      close(counter);
    }
  }
}

void InstructionCounter::start() {
  if (under_callgrind()) {
    begin_count();
    return;
  }
  instructions_ = open_counter(PERF_COUNT_HW_INSTRUCTIONS);
  cycles_ = open_counter(PERF_COUNT_HW_CPU_CYCLES);
  if (instructions_ < 0 || cycles_ < 0) {
    throw std::runtime_error("instructions cannot be counted: " + why_no_hardware_counters());
  }
  for (const int counter : {instructions_, cycles_}) {
    ioctl(counter, PERF_EVENT_IOC_RESET, 0);
    ioctl(counter, PERF_EVENT_IOC_ENABLE, 0);
  }
}

void InstructionCounter::stop() {
  if (under_callgrind()) {
    write_count();
    return;
  }
  for (const int counter : {instructions_, cycles_}) {
    ioctl(counter, PERF_EVENT_IOC_DISABLE, 0);
  }
}

std::vector<std::pair<std::string, double>> InstructionCounter::counts() const {
  if (instructions_ < 0) {
    return {};
  }
  return {{"instructions", value_of(instructions_)}, {"cycles", value_of(cycles_)}};
}

}  // namespace bench
