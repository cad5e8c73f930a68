// Text put together without allocating and without stdio, for reports of an allocator about itself.
// One owner, one thread. What does not fit is cut off.
#pragma once

#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <cstddef>
#include <cstring>

namespace interpose {

class Text {
 public:
  Text& add(const char* text) noexcept {
    const size_t wanted = strlen(text);
    const size_t taken = wanted < kCapacityBytes - used_ ? wanted : kCapacityBytes - used_;
    memcpy(bytes_ + used_, text, taken);
    used_ += taken;
    return *this;
  }

  Text& add(size_t number) noexcept {
    char digits[24];
    char* first = digits + sizeof digits - 1;
    *first = '\0';
    do {
      *--first = static_cast<char>('0' + number % 10);
      number /= 10;
    } while (number != 0);
    return add(first);
  }

  // Retries when a signal cuts in; any other failure ends the report, as there is nowhere to report
  // it.
  void write_to(int fd) const noexcept {
    size_t done = 0;
    while (done < used_) {
      // Not write(), which is a cancellation point: a report would be one, too.
      const long written = syscall(SYS_write, fd, bytes_ + done, used_ - done);
      if (written < 0 && errno != EINTR) {
        return;
      }
      done += written > 0 ? static_cast<size_t>(written) : 0;
    }
  }

  const char* data() const noexcept { return bytes_; }
  size_t size() const noexcept { return used_; }

 private:
  static constexpr size_t kCapacityBytes = 16 * 1024;
  size_t used_ = 0;
  char bytes_[kCapacityBytes];
};

}  // namespace interpose
