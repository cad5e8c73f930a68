// The one clock of all measurements.
#pragma once

#include <time.h>

#include <cstdint>

namespace bench {

// Nanoseconds of CLOCK_MONOTONIC; the same origin in all threads and processes of the machine. No system call.
inline std::int64_t monotonic_ns() {
  timespec now{};
  clock_gettime(CLOCK_MONOTONIC, &now);
  return std::int64_t{now.tv_sec} * 1'000'000'000 + now.tv_nsec;
}

}  // namespace bench
