// Where a list heap gets its memory: the program break and anonymous mappings. A heap is given such
// a source as a type, so that the tests can put one in its place that fails on demand or keeps a
// log.
//
// The break is moved by sbrk, never by the raw system call: the C library keeps the break in a
// variable of its own, and its malloc would hand out our memory if it moved behind its back. That
// variable also makes the first current_break() the only one that costs a system call.
#pragma once

#include <sys/mman.h>
#include <unistd.h>

#include <concepts>
#include <cstddef>
#include <cstdint>

namespace classic {

// clang-format off
template <class S>
concept MemorySource = requires(S source, std::size_t bytes, void* address) {
  { source.current_break() } -> std::same_as<char*>;      // null if there is no break to move
  { source.extend_break(bytes) } -> std::same_as<char*>;  // the old break; null on failure
  { source.map(bytes) } -> std::same_as<char*>;           // zeroed pages; null on failure
  { source.unmap(address, bytes) } -> std::same_as<void>;
};
// clang-format on

class SystemMemory {
 public:
  char* current_break() { return checked(sbrk(0)); }

  char* extend_break(std::size_t bytes) {
    if (bytes > static_cast<std::size_t>(PTRDIFF_MAX)) {
      return nullptr;
    }
    return checked(sbrk(static_cast<std::intptr_t>(bytes)));
  }

  char* map(std::size_t bytes) {
    return checked(
        mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
  }

  void unmap(void* address, std::size_t bytes) { munmap(address, bytes); }

 private:
  // sbrk and mmap both say (void*)-1 on failure.
  static char* checked(void* result) {
    return result == reinterpret_cast<void*>(-1) ? nullptr : static_cast<char*>(result);
  }
};
static_assert(MemorySource<SystemMemory>);

}  // namespace classic
