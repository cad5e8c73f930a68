// CPU time, faults and context switches of this process, all threads.
#pragma once

#include <sys/resource.h>

#include <cstdint>

namespace bench {

struct Usage {
  double user_s = 0;
  double system_s = 0;
  std::int64_t minor_faults = 0;
  std::int64_t major_faults = 0;
  std::int64_t voluntary_switches = 0;
  std::int64_t involuntary_switches = 0;

  friend Usage operator-(const Usage& later, const Usage& earlier);
  friend Usage operator+(const Usage& one, const Usage& other);
};

// Since the process started, by getrusage.
Usage usage_so_far();

// The same from what wait4 tells of a child and of the children that it waited for.
Usage usage_of(const rusage& usage);

}  // namespace bench
