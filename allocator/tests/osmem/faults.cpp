#include "allocator/tests/osmem/faults.hpp"

#include <sys/mman.h>
#include <sys/types.h>

#include <atomic>
#include <cerrno>
#include <cstdarg>
#include <cstdint>
#include <cstdlib>
#include <cstring>

namespace faults {
namespace {

struct Plan {
  const char* call;  // of OSMEM_TEST_FAULTS; followed by a colon
  bool goes_on;
  uint64_t n;
};

std::atomic<bool> is_cleared{false};
std::atomic<uint64_t> made{0};

// Read at each call: the first ones come before constructors, and there is one plan a process.
Plan plan() {
  const char* const text = getenv("OSMEM_TEST_FAULTS");
  const char* const mode = text != nullptr ? strchr(text, ':') : nullptr;
  if (mode == nullptr) {
    return {"", false, 0};
  }
  const bool goes_on = strncmp(mode, ":on:", 4) == 0;
  return {text, goes_on, strtoull(strchr(mode + 1, ':') + 1, nullptr, 10)};
}

bool fails(const char* call) {
  const Plan planned = plan();
  const size_t length = strlen(call);
  if (is_cleared.load(std::memory_order_relaxed) ||  // set by the thread that made the others
      strncmp(planned.call, call, length) != 0 || planned.call[length] != ':') {
    return false;
  }
  const uint64_t number = made.fetch_add(1, std::memory_order_relaxed) + 1;  // a count
  return planned.goes_on ? number >= planned.n : number == planned.n;
}

template <typename Result>
Result fail(Result result) {
  errno = ENOMEM;
  return result;
}

}  // namespace

void clear() { is_cleared.store(true, std::memory_order_relaxed); }  // see fails()

uint64_t calls_made() { return made.load(std::memory_order_relaxed); }  // a count

}  // namespace faults

extern "C" {

void* __real_mmap(void* address, size_t bytes, int protection, int flags, int fd, off_t offset);
int __real_munmap(void* address, size_t bytes);
int __real_mprotect(void* address, size_t bytes, int protection);
int __real_madvise(void* address, size_t bytes, int advice);
void* __real_mremap(void* address, size_t old_bytes, size_t new_bytes, int flags, ...);
void* __real_sbrk(intptr_t bytes);

void* __wrap_mmap(void* address, size_t bytes, int protection, int flags, int fd, off_t offset) {
  return faults::fails("mmap") ? faults::fail(MAP_FAILED)
                               : __real_mmap(address, bytes, protection, flags, fd, offset);
}

int __wrap_munmap(void* address, size_t bytes) {
  return faults::fails("munmap") ? faults::fail(-1) : __real_munmap(address, bytes);
}

int __wrap_mprotect(void* address, size_t bytes, int protection) {
  return faults::fails("mprotect") ? faults::fail(-1) : __real_mprotect(address, bytes, protection);
}

int __wrap_madvise(void* address, size_t bytes, int advice) {
  return faults::fails("madvise") ? faults::fail(-1) : __real_madvise(address, bytes, advice);
}

void* __wrap_mremap(void* address, size_t old_bytes, size_t new_bytes, int flags, ...) {
  if (faults::fails("mremap")) {
    return faults::fail(MAP_FAILED);
  }
  va_list arguments;
  va_start(arguments, flags);
  void* const target = (flags & MREMAP_FIXED) != 0 ? va_arg(arguments, void*) : nullptr;
  va_end(arguments);
  return __real_mremap(address, old_bytes, new_bytes, flags, target);
}

void* __wrap_sbrk(intptr_t bytes) {
  return bytes != 0 && faults::fails("sbrk") ? faults::fail(reinterpret_cast<void*>(-1))
                                             : __real_sbrk(bytes);
}
}
