// The processes of a program that is measured as a whole: it, its children, theirs, and those that lost their parent.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "bench/measure/usage.hpp"

namespace bench {

// Makes orphans of our descendants our children, so that nothing a program starts gets out of sight.
void adopt_orphans();

// What end_strays() found.
struct Strays {
  Usage usage;               // of those that ended
  std::vector<pid_t> left;   // that could not be ended: they belong to another user, or hang in the kernel
};

// Kills all our descendants but running Child objects and theirs and the guard, waits for them, each at most 5 s, and adds up what they used.
Strays end_strays();

// Takes the news of strays that ended by themselves; how many are still running.
std::size_t reap_strays();

// Resident memory of a program over time: of one child, its descendants, and those that we adopted. Reads /proc/PID/status of each: run it only
// where nothing is timed. Other children that run meanwhile, such as a server's load, are left out.
class TreeSampler {
 public:
  struct Point {
    std::int64_t time_ns;        // since the sampler was made
    std::uint64_t resident_bytes;  // VmRSS summed: pages that processes share count once each
  };

  TreeSampler();

  // The program's first process, and the allocator that is to be mapped in each of its processes: an existing file.
  void follow(pid_t root, std::filesystem::path library) {
    root_ = root;
    library_ = std::move(library);
  }
  void look();

  [[nodiscard]] const std::vector<Point>& points() const { return points_; }
  // The highest sum seen, or the VmHWM of one process where that is more: the kernel's own peak falls between two looks.
  [[nodiscard]] std::uint64_t peak_bytes() const { return peak_bytes_; }
  [[nodiscard]] double mean_bytes() const;

  // Processes in which two looks or more did not find the allocator, as one that clears its environment or is linked statically: the busiest
  // one's program, and the share of all of them in the CPU time seen. Nothing if there was none.
  struct Unserved {
    std::string program;
    double cpu_share;
  };
  [[nodiscard]] std::optional<Unserved> unserved() const;

 private:
  // A program in a process; another one after exec.
  struct Image {
    bool is_served = false;
    int looks = 0;
    std::uint64_t first_ticks = 0;
    std::uint64_t last_ticks = 0;
  };
  void look_for_library(pid_t process);

  pid_t root_ = 0;
  std::filesystem::path library_;
  std::map<std::pair<pid_t, std::string>, Image> images_;
  const std::int64_t start_ns_;
  std::vector<Point> points_;
  std::uint64_t peak_bytes_ = 0;
};

}  // namespace bench
