#include "bench/process/exec_tree.hpp"

#include <fcntl.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <filesystem>
#include <fstream>
#include <stdexcept>
#include <string>

#include "bench/measure/clock.hpp"

namespace bench {
namespace {

namespace fs = std::filesystem;

// Children of one process, started by any of its threads.
std::vector<pid_t> children_of(const fs::path& process) {
  std::vector<pid_t> found;
  std::error_code gone;  // it may end while we look
  for (fs::directory_iterator thread(process / "task", gone), end; !gone && thread != end; thread.increment(gone)) {
    std::ifstream list(thread->path() / "children");
    for (pid_t child = 0; list >> child;) {
      found.push_back(child);
    }
  }
  return found;
}

std::vector<pid_t> our_children_but(pid_t guard) {
  auto all = children_of("/proc/self");
  std::erase(all, guard);
  return all;
}

std::vector<pid_t> descendants_but(pid_t guard) {
  std::vector<pid_t> all = our_children_but(guard);
  for (std::size_t i = 0; i < all.size(); ++i) {
    const auto more = children_of(fs::path("/proc") / std::to_string(all[i]));
    all.insert(all.end(), more.begin(), more.end());
  }
  return all;
}

struct Resident {
  std::uint64_t now_bytes = 0;
  std::uint64_t peak_bytes = 0;
};

Resident resident_of(pid_t process) {
  std::ifstream status("/proc/" + std::to_string(process) + "/status");
  Resident out;
  for (std::string line; std::getline(status, line);) {
    if (line.starts_with("VmHWM:")) {
      out.peak_bytes = std::stoull(line.substr(6)) * 1024;
    } else if (line.starts_with("VmRSS:")) {
      out.now_bytes = std::stoull(line.substr(6)) * 1024;
      return out;  // follows VmHWM
    }
  }
  return out;
}

}  // namespace

void adopt_orphans() { prctl(PR_SET_CHILD_SUBREAPER, 1); }

GroupGuard::GroupGuard() {
  int ends[2];
  if (pipe2(ends, O_CLOEXEC) != 0) {
    throw std::runtime_error("cannot watch over the programs to be run: no file descriptors left");
  }
  process_ = fork();
  if (process_ == 0) {
    setpgid(0, 0);  // an interrupt from the terminal is not for it
    close(ends[1]);
    pid_t group = 0;
    pid_t next = 0;
    while (read(ends[0], &next, sizeof next) == sizeof next) {
      group = next;
    }
    if (group > 0) {
      kill(-group, SIGKILL);
    }
    _exit(0);
  }
  close(ends[0]);
  pipe_ = ends[1];
}

GroupGuard::~GroupGuard() {
  forget();
  close(pipe_);
  waitpid(process_, nullptr, 0);
}

void GroupGuard::watch(pid_t group) {
  if (write(pipe_, &group, sizeof group) != sizeof group) {
    throw std::runtime_error("the process that watches over programs is gone");
  }
}

Usage end_descendants(pid_t guard) {
  Usage total;
  // Each round ends a generation: the children of the dead become ours.
  for (auto left = our_children_but(guard); !left.empty(); left = our_children_but(guard)) {
    for (const pid_t process : left) {
      kill(process, SIGKILL);
    }
    for (const pid_t process : left) {
      rusage used{};
      if (wait4(process, nullptr, 0, &used) == process) {
        total = total + usage_of(used);
      }
    }
  }
  return total;
}

TreeSampler::TreeSampler(pid_t guard) : guard_(guard), start_ns_(monotonic_ns()) {}

void TreeSampler::look() {
  std::uint64_t sum_bytes = 0;
  for (const pid_t process : descendants_but(guard_)) {
    const Resident resident = resident_of(process);
    sum_bytes += resident.now_bytes;
    peak_bytes_ = std::max(peak_bytes_, resident.peak_bytes);
  }
  peak_bytes_ = std::max(peak_bytes_, sum_bytes);
  points_.push_back({monotonic_ns() - start_ns_, sum_bytes});
}

double TreeSampler::mean_bytes() const {
  if (points_.size() < 2) {
    return points_.empty() ? 0 : static_cast<double>(points_[0].resident_bytes);
  }
  double area = 0;
  for (std::size_t i = 1; i < points_.size(); ++i) {
    area += static_cast<double>(points_[i].resident_bytes) * static_cast<double>(points_[i].time_ns - points_[i - 1].time_ns);
  }
  return area / static_cast<double>(points_.back().time_ns - points_.front().time_ns);
}

}  // namespace bench
