#include "allocator/osmem/base/writer.hpp"

#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>

#include "allocator/osmem/base/check.hpp"

namespace osmem {

bool Writer::flush() {
  const int saved_errno = errno;
  for (std::size_t done = 0; done < used_ && !failed_;) {
    // Not write(), which is a cancellation point: whoever asks for a report does not expect one.
    const long written = syscall(SYS_write, fd_, buffer_ + done, used_ - done);
    if (written > 0) {
      done += static_cast<std::size_t>(written);
    } else if (written == 0 || errno != EINTR) {
      failed_ = true;
    }
  }
  used_ = 0;
  errno = saved_errno;
  return !failed_;
}

void Writer::put(char c) {
  if (used_ == sizeof buffer_) flush();
  buffer_[used_++] = c;
}

Writer& Writer::text(const char* string) {
  while (*string != '\0') put(*string++);
  return *this;
}

Writer& Writer::number(std::uint64_t value) {
  char digits[20];
  int count = 0;
  do {
    digits[count++] = static_cast<char>('0' + value % 10);
    value /= 10;
  } while (value != 0);
  while (count != 0) put(digits[--count]);
  return *this;
}

Writer& Writer::address(const void* pointer) {
  const auto value = reinterpret_cast<std::uintptr_t>(pointer);
  text("0x");
  bool leading = true;
  for (int shift = 60; shift >= 0; shift -= 4) {
    const auto digit = (value >> shift) & 15;
    if (digit == 0 && leading && shift != 0) continue;
    leading = false;
    put("0123456789abcdef"[digit]);
  }
  return *this;
}

constinit bool g_errors_are_only_reported = false;

void wrong_call(const WrongCall& wrong) {
  {
    Writer line(STDERR_FILENO);
    line.text("osmem: ").text(wrong.call).text("(").address(wrong.pointer).text("): ").text(wrong.what);
    if (wrong.block_bytes != 0) line.text("; a block of ").number(wrong.block_bytes).text(" bytes");
    line.text("\n");
  }
  if (!g_errors_are_only_reported) std::abort();
}

void die(const char* reason, const void* pointer) {
  {
    Writer line(STDERR_FILENO);
    line.text("osmem: ").text(reason);
    if (pointer != nullptr) line.text(": ").address(pointer);
    line.text("\n");
  }
  std::abort();
}

}  // namespace osmem
