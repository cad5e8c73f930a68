// The C interface of osmem.h.
#pragma GCC visibility push(default)
#include "allocator/osmem/api/osmem.h"
#pragma GCC visibility pop

#include <cerrno>
#include <cstring>

#include "allocator/interpose/alignment.hpp"
#include "allocator/osmem/api/alloc.hpp"

extern "C" {

void* os_malloc(size_t size) noexcept { return osmem::fast_malloc(size); }

void os_free(void* ptr) noexcept { osmem::fast_free(ptr); }

void* os_calloc(size_t nmemb, size_t size) noexcept { return osmem::allocate_zeroed(nmemb, size); }

void* os_realloc(void* ptr, size_t size) noexcept { return osmem::reallocate(ptr, size); }

void* os_aligned_alloc(size_t alignment, size_t size) noexcept {
  if (!interpose::is_power_of_two(alignment)) {
    errno = EINVAL;
    return nullptr;
  }
  return osmem::allocate_aligned(alignment, size);
}

size_t os_usable_size(const void* ptr) noexcept { return osmem::usable_size(ptr); }

void os_free_sized(void* ptr, size_t) noexcept { osmem::fast_free(ptr); }

void* os_memdup(const void* src, size_t size) noexcept {
  void* copy = osmem::fast_malloc(size);
  return copy == nullptr || size == 0 ? copy : std::memcpy(copy, src, size);
}

size_t os_trim(size_t keep_bytes) noexcept {
  const int saved_errno = errno;
  const size_t trimmed = osmem::trim(keep_bytes);
  errno = saved_errno;
  return trimmed;
}

}  // extern "C"
