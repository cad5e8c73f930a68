// Text to a file descriptor without stdio and without allocation. Not thread-safe; one writer a message.
#pragma once

#include <cstddef>
#include <cstdint>

namespace osmem {

class Writer {
 public:
  explicit Writer(int fd) : fd_(fd) {}
  ~Writer() { flush(); }
  Writer(const Writer&) = delete;
  Writer& operator=(const Writer&) = delete;

  Writer& text(const char* string);
  Writer& number(std::uint64_t value);
  Writer& address(const void* pointer);

  // False once a write has failed.
  bool flush();

 private:
  void put(char c);

  int fd_;
  bool failed_ = false;
  std::size_t used_ = 0;
  char buffer_[512];
};

}  // namespace osmem
