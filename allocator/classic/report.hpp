// Text on a file descriptor without stdio and without memory: for leak reports, dumps and last
// words.
#pragma once

#include <unistd.h>

#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <cstring>

namespace classic {

// Collects text and writes it when full and at the end. Not thread-safe. Errors end the writing;
// ok() tells.
class Report {
 public:
  explicit Report(int file) : file_(file) {}
  ~Report() { flush(); }
  Report(const Report&) = delete;
  Report& operator=(const Report&) = delete;

  Report& text(const char* words) {
    for (; *words != '\0'; ++words) {
      put(*words);
    }
    return *this;
  }

  Report& number(std::uint64_t value) { return digits(value, 10); }
  Report& address(const void* at) {
    return text("0x").digits(reinterpret_cast<std::uintptr_t>(at), 16);
  }

  bool flush() {
    std::size_t done = 0;
    while (ok_ && done < used_) {
      const ssize_t written = write(file_, buffer_ + done, used_ - done);
      if (written > 0) {
        done += static_cast<std::size_t>(written);
      } else if (errno != EINTR) {
        ok_ = false;
      }
    }
    used_ = 0;
    return ok_;
  }

 private:
  Report& digits(std::uint64_t value, unsigned base) {
    char reversed[20];
    std::size_t count = 0;
    do {
      reversed[count++] = "0123456789abcdef"[value % base];
      value /= base;
    } while (value != 0);
    while (count > 0) {
      put(reversed[--count]);
    }
    return *this;
  }

  void put(char c) {
    if (used_ == sizeof buffer_) {
      flush();
    }
    buffer_[used_++] = c;
  }

  int file_;
  bool ok_ = true;
  std::size_t used_ = 0;
  char buffer_[1024];
};

}  // namespace classic
