#include "bench/measure/usage.hpp"

#include <sys/resource.h>

namespace bench {
namespace {

double seconds(const timeval& time) {
  return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_usec) * 1e-6;
}

}  // namespace

Usage operator-(const Usage& later, const Usage& earlier) {
  return {later.user_s - earlier.user_s,
          later.system_s - earlier.system_s,
          later.minor_faults - earlier.minor_faults,
          later.major_faults - earlier.major_faults,
          later.voluntary_switches - earlier.voluntary_switches,
          later.involuntary_switches - earlier.involuntary_switches};
}

Usage usage_so_far() {
  rusage now{};
  getrusage(RUSAGE_SELF, &now);
  return {seconds(now.ru_utime), seconds(now.ru_stime), now.ru_minflt,
          now.ru_majflt,         now.ru_nvcsw,          now.ru_nivcsw};
}

}  // namespace bench
