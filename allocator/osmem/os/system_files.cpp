// What the system tells in files: the limit on memory of the process's control group (version 2), and to whom it gives huge pages.
#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "allocator/osmem/base/config.hpp"
#include "allocator/osmem/os/os.hpp"

namespace osmem::os {
namespace {

constexpr char kRoot[] = "/sys/fs/cgroup";
constexpr char kFile[] = "/memory.max";

// The file's front as a string; false if it cannot be read.
template <std::size_t kBytes>
bool read_file(const char* path, char (&text)[kBytes]) {
  const int file = open(path, O_RDONLY | O_CLOEXEC);
  if (file < 0) return false;
  const ssize_t got = read(file, text, kBytes - 1);
  close(file);
  if (got < 0) return false;
  text[got] = '\0';
  return true;
}

// "max" or a number of bytes.
std::size_t limit_in(const char* path) {
  char text[32];
  if (!read_file(path, text) || text[0] < '0' || text[0] > '9') return SIZE_MAX;
  std::size_t bytes = 0;
  for (const char* c = text; *c >= '0' && *c <= '9'; ++c) bytes = bytes * 10 + static_cast<std::size_t>(*c - '0');
  return bytes;
}

}  // namespace

std::size_t cgroup_memory_limit() {
  const int saved_errno = errno;
  char groups[1024];
  std::size_t limit = SIZE_MAX;
  // The line of version 2 is "0::PATH"; with version 1 there are others, and none of it.
  const char* line = read_file("/proc/self/cgroup", groups) ? std::strstr(groups, "0::/") : nullptr;
  if (line != nullptr && (line == groups || line[-1] == '\n')) {
    const char* group = line + 3;
    std::size_t length = std::strcspn(group, "\n");
    while (length > 1) {
      char path[sizeof kRoot + sizeof groups + sizeof kFile];
      std::memcpy(path, kRoot, sizeof kRoot - 1);
      std::memcpy(path + sizeof kRoot - 1, group, length);
      std::memcpy(path + sizeof kRoot - 1 + length, kFile, sizeof kFile);
      limit = std::min(limit, limit_in(path));
      while (length > 0 && group[length - 1] != '/') --length;
      if (length > 0) --length;  // the group above
    }
    char top[sizeof kRoot + sizeof kFile];
    std::memcpy(top, kRoot, sizeof kRoot - 1);
    std::memcpy(top + sizeof kRoot - 1, kFile, sizeof kFile);
    limit = std::min(limit, limit_in(top));
  }
  errno = saved_errno;
  return limit;
}

HugePages huge_pages_of_system() {
  const int saved_errno = errno;
  char modes[64];
  HugePages mode = HugePages::kNone;
  if (page_bytes() == kPageBytes && read_file("/sys/kernel/mm/transparent_hugepage/enabled", modes)) {
    if (std::strstr(modes, "[madvise]") != nullptr) mode = HugePages::kAsked;
    if (std::strstr(modes, "[always]") != nullptr) mode = HugePages::kUnasked;
  }
  errno = saved_errno;
  return mode;
}

}  // namespace osmem::os
