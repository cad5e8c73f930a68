#include "allocator/tests/osmem/faults.hpp"

#include <sys/mman.h>
#include <sys/types.h>

#include <atomic>
#include <cerrno>
#include <cstdarg>
#include <cstdint>
#include <cstdlib>
#include <cstring>

#include "allocator/tests/osmem/commit_budget.hpp"

extern "C" {

void* __real_mmap(void* address, size_t bytes, int protection, int flags, int fd, off_t offset);
int __real_munmap(void* address, size_t bytes);
int __real_mprotect(void* address, size_t bytes, int protection);
int __real_madvise(void* address, size_t bytes, int advice);
void* __real_mremap(void* address, size_t old_bytes, size_t new_bytes, int flags, ...);
void* __real_sbrk(intptr_t bytes);
}

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

// As a system whose setting for huge pages is "always": each new mapping may have them.
void want_huge_pages(void* address, size_t bytes) {
  if (getenv("OSMEM_TEST_HUGE_PAGES") != nullptr) {
    __real_madvise(address, bytes, MADV_HUGEPAGE);  // where the system has none, there is nothing to want
  }
}

void clear() { is_cleared.store(true, std::memory_order_relaxed); }  // see fails()

uint64_t calls_made() { return made.load(std::memory_order_relaxed); }  // a count

}  // namespace faults

extern "C" {

void* __wrap_mmap(void* address, size_t bytes, int protection, int flags, int fd, off_t offset) {
  const bool writable = (protection & PROT_WRITE) != 0;
  if (faults::fails("mmap") || (writable && !commit_budget::has_room(bytes))) {
    return faults::fail(MAP_FAILED);
  }
  void* const mapped = __real_mmap(address, bytes, protection, flags, fd, offset);
  if (mapped != MAP_FAILED) {
    if (writable) {
      commit_budget::charge(mapped, bytes);
    }
    faults::want_huge_pages(mapped, bytes);
  }
  return mapped;
}

int __wrap_munmap(void* address, size_t bytes) {
  if (faults::fails("munmap")) {
    return faults::fail(-1);
  }
  const int result = __real_munmap(address, bytes);
  if (result == 0) {
    commit_budget::release(address, bytes);
  }
  return result;
}

int __wrap_mprotect(void* address, size_t bytes, int protection) {
  const bool writable = (protection & PROT_WRITE) != 0;
  if (faults::fails("mprotect") || (writable && !commit_budget::charge(address, bytes))) {
    return faults::fail(-1);
  }
  return __real_mprotect(address, bytes, protection);
}

int __wrap_madvise(void* address, size_t bytes, int advice) {
  return faults::fails("madvise") ? faults::fail(-1) : __real_madvise(address, bytes, advice);
}

void* __wrap_mremap(void* address, size_t old_bytes, size_t new_bytes, int flags, ...) {
  const bool grows = new_bytes > old_bytes;
  if (faults::fails("mremap") || (grows && !commit_budget::has_room(new_bytes - old_bytes))) {
    return faults::fail(MAP_FAILED);
  }
  va_list arguments;
  va_start(arguments, flags);
  void* const target = (flags & MREMAP_FIXED) != 0 ? va_arg(arguments, void*) : nullptr;
  va_end(arguments);
  void* const moved = __real_mremap(address, old_bytes, new_bytes, flags, target);
  if (moved != MAP_FAILED) {
    commit_budget::release(address, old_bytes);
    commit_budget::charge(moved, new_bytes);
  }
  return moved;
}

void* __wrap_sbrk(intptr_t bytes) {
  if (bytes == 0) {
    return __real_sbrk(0);
  }
  const auto more = static_cast<size_t>(bytes);
  if (faults::fails("sbrk") || !commit_budget::has_room(more)) {
    return faults::fail(reinterpret_cast<void*>(-1));
  }
  void* const start = __real_sbrk(bytes);
  if (start != reinterpret_cast<void*>(-1)) {
    commit_budget::charge(start, more);
  }
  return start;
}
}
