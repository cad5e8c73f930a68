// The finest clock there is: the CPU's own counter where it runs at one rate on all CPUs, else the system's clock.
#pragma once

#include <time.h>

#include <cstdint>

namespace bench {

#if defined(__x86_64__)
// Earlier instructions are over before the counter is read, and it is read before later ones begin.
inline std::uint64_t cpu_ticks() {
  std::uint32_t low = 0;
  std::uint32_t high = 0;
  asm volatile("lfence\n\trdtsc\n\tlfence" : "=a"(low), "=d"(high)::"memory");
  return std::uint64_t{high} << 32 | low;
}
inline bool cpu_ticks_are_steady() {
  std::uint32_t eax = 0x80000000;
  std::uint32_t edx = 0;
  asm volatile("cpuid" : "+a"(eax), "=d"(edx)::"rbx", "rcx");
  if (eax < 0x80000007) {
    return false;
  }
  eax = 0x80000007;
  asm volatile("cpuid" : "+a"(eax), "=d"(edx)::"rbx", "rcx");
  return (edx >> 8 & 1) != 0;  // invariant TSC
}
#else
inline std::uint64_t cpu_ticks() { return 0; }
inline bool cpu_ticks_are_steady() { return false; }
#endif

inline std::uint64_t clock_ticks() {
  timespec now{};
  clock_gettime(CLOCK_MONOTONIC, &now);
  return static_cast<std::uint64_t>(now.tv_sec) * 1'000'000'000U + static_cast<std::uint64_t>(now.tv_nsec);
}

}  // namespace bench
