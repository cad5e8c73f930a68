// The processes of a program that is measured as a whole: it, its children, theirs, and those that lost their parent.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <vector>

#include "bench/measure/usage.hpp"

namespace bench {

// Makes orphans of our descendants our children, so that nothing a program starts gets out of sight.
void adopt_orphans();

// A process that outlives us by a moment: when we die, however that happens, it kills the group it was last told of. A program's
// children would otherwise go on after a kill -9 of bench.
class GroupGuard {
 public:
  GroupGuard();
  ~GroupGuard();
  GroupGuard(const GroupGuard&) = delete;
  GroupGuard& operator=(const GroupGuard&) = delete;
  void watch(pid_t group);
  void forget() { watch(0); }
  [[nodiscard]] pid_t process() const { return process_; }

 private:
  pid_t process_ = 0;
  int pipe_ = -1;  // writes process groups; its closing is the news of our death
};

// Kills all our descendants but the guard, waits for them and adds up what they used.
Usage end_descendants(pid_t guard);

// Resident memory of all our descendants over time. Reads /proc/PID/status of each: run it only where nothing is timed.
class TreeSampler {
 public:
  struct Point {
    std::int64_t time_ns;        // since the sampler was made
    std::uint64_t resident_bytes;  // VmRSS summed: pages that processes share count once each
  };

  // `guard` is no part of the program.
  explicit TreeSampler(pid_t guard);

  void look();

  [[nodiscard]] const std::vector<Point>& points() const { return points_; }
  // The highest sum seen, or the VmHWM of one process where that is more: the kernel's own peak falls between two looks.
  [[nodiscard]] std::uint64_t peak_bytes() const { return peak_bytes_; }
  [[nodiscard]] double mean_bytes() const;

 private:
  const pid_t guard_;
  const std::int64_t start_ns_;
  std::vector<Point> points_;
  std::uint64_t peak_bytes_ = 0;
};

}  // namespace bench
