#include "bench/process/exec_tree.hpp"

#include <poll.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>

#include "bench/measure/clock.hpp"
#include "bench/process/guard.hpp"

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

// Our children that no Child object stands for: orphans that we adopted.
std::vector<pid_t> strays() {
  auto all = children_of("/proc/self");
  std::erase_if(all, guard::is_known);
  return all;
}

// A program's processes: its first one, the strays, and all their descendants.
std::vector<pid_t> processes_of(pid_t root) {
  std::vector<pid_t> all = strays();
  all.push_back(root);
  for (std::size_t i = 0; i < all.size(); ++i) {
    const auto more = children_of(fs::path("/proc") / std::to_string(all[i]));
    all.insert(all.end(), more.begin(), more.end());
  }
  return all;
}

// Kills a child that nobody waits for and adds what it used; false if it stays.
bool end_stray(pid_t process, Usage& total) {
  constexpr int kPatienceMs = 5000;
  const int descriptor = static_cast<int>(syscall(SYS_pidfd_open, process, 0));
  if (descriptor < 0) {
    return true;  // gone
  }
  syscall(SYS_pidfd_send_signal, descriptor, SIGKILL, nullptr, 0);
  pollfd ended{descriptor, POLLIN, 0};
  const bool over = poll(&ended, 1, kPatienceMs) > 0;
  siginfo_t info{};
  rusage used{};
  if (over && syscall(SYS_waitid, P_PIDFD, descriptor, &info, WEXITED, &used) == 0) {
    total = total + usage_of(used);
  }
  close(descriptor);
  return over;
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

// User and system time, of all threads.
std::uint64_t cpu_ticks_of(const fs::path& process) {
  std::ifstream stat(process / "stat");
  std::string text;
  std::getline(stat, text);
  std::istringstream fields(text.substr(std::min(text.rfind(')') + 1, text.size())));
  std::string skipped;
  for (int i = 0; i < 11; ++i) {
    fields >> skipped;
  }
  std::uint64_t user = 0;
  std::uint64_t system = 0;
  fields >> user >> system;
  return user + system;
}

bool is_mapped(const fs::path& process, const fs::path& library) {
  std::ifstream maps(process / "maps");
  for (std::string line; std::getline(maps, line);) {
    if (line.ends_with(library.native())) {
      return true;
    }
  }
  return false;
}

}  // namespace

void adopt_orphans() { prctl(PR_SET_CHILD_SUBREAPER, 1); }

Strays end_strays() {
  Strays out;
  const auto stays = [&out](pid_t process) { return std::find(out.left.begin(), out.left.end(), process) != out.left.end(); };
  // Each round ends a generation: the children of the dead become ours.
  for (bool any = true; any;) {
    any = false;
    for (const pid_t process : strays()) {
      if (!stays(process)) {
        any = true;
        if (!end_stray(process, out.usage)) {
          out.left.push_back(process);
        }
      }
    }
  }
  return out;
}

std::size_t reap_strays() {
  std::size_t running = 0;
  for (const pid_t process : strays()) {
    running += waitpid(process, nullptr, WNOHANG) == 0 ? 1 : 0;
  }
  return running;
}

TreeSampler::TreeSampler() : start_ns_(monotonic_ns()) {}

void TreeSampler::look() {
  std::uint64_t sum_bytes = 0;
  for (const pid_t process : processes_of(root_)) {
    const Resident resident = resident_of(process);
    sum_bytes += resident.now_bytes;
    look_for_library(process);
    peak_bytes_ = std::max(peak_bytes_, resident.peak_bytes);
  }
  peak_bytes_ = std::max(peak_bytes_, sum_bytes);
  points_.push_back({monotonic_ns() - start_ns_, sum_bytes});
}

void TreeSampler::look_for_library(pid_t process) {
  const fs::path folder = fs::path("/proc") / std::to_string(process);
  std::error_code gone;
  const std::string program = fs::read_symlink(folder / "exe", gone).string();
  if (gone || library_.empty()) {
    return;  // a zombie, or of another user
  }
  const std::uint64_t ticks = cpu_ticks_of(folder);
  Image& image = images_[{process, program}];
  image.first_ticks = image.looks++ == 0 ? ticks : image.first_ticks;
  image.last_ticks = std::max(image.last_ticks, ticks);
  image.is_served = image.is_served || is_mapped(folder, library_);
}

std::optional<TreeSampler::Unserved> TreeSampler::unserved() const {
  const auto weight = [](const Image& image) { return static_cast<double>(image.last_ticks - image.first_ticks) + 0.01 * image.looks; };
  double all = 0;
  double unserved = 0;
  double most = 0;
  std::string program;
  for (const auto& [key, image] : images_) {
    all += weight(image);
    // In its first moments a process has mapped nothing yet.
    if (!image.is_served && image.looks >= 2) {
      unserved += weight(image);
      program = weight(image) > most ? key.second : program;
      most = std::max(most, weight(image));
    }
  }
  return unserved > 0 ? std::optional(Unserved{program, unserved / all}) : std::nullopt;
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
