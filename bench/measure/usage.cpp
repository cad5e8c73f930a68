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

Usage operator+(const Usage& one, const Usage& other) {
  return {one.user_s + other.user_s,
          one.system_s + other.system_s,
          one.minor_faults + other.minor_faults,
          one.major_faults + other.major_faults,
          one.voluntary_switches + other.voluntary_switches,
          one.involuntary_switches + other.involuntary_switches};
}

Usage usage_of(const rusage& usage) {
  return {seconds(usage.ru_utime), seconds(usage.ru_stime), usage.ru_minflt,
          usage.ru_majflt,         usage.ru_nvcsw,          usage.ru_nivcsw};
}

Usage usage_so_far() {
  rusage now{};
  getrusage(RUSAGE_SELF, &now);
  return usage_of(now);
}

}  // namespace bench
