// CPU time, faults and context switches of this process, all threads.
#pragma once

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
};

// Since the process started, by getrusage.
Usage usage_so_far();

}  // namespace bench
