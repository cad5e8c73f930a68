// The C interface of osmem.h, over the core that is built: the default or the hardened one.
#pragma GCC visibility push(default)
#include "allocator/osmem/api/osmem.h"
#pragma GCC visibility pop

#include <cerrno>
#include <cstring>

#include "allocator/interpose/alignment.hpp"
#ifndef OSMEM_CORE  // the hardened build names its own
#define OSMEM_CORE "allocator/osmem/api/core.hpp"
#endif
#include OSMEM_CORE

extern "C" {

void* os_malloc(size_t size) noexcept { return Core::malloc(size); }

void os_free(void* ptr) noexcept { Core::free(ptr); }

void* os_calloc(size_t nmemb, size_t size) noexcept { return Core::calloc(nmemb, size); }

void* os_realloc(void* ptr, size_t size) noexcept { return Core::realloc(ptr, size); }

void* os_aligned_alloc(size_t alignment, size_t size) noexcept {
  if (!interpose::is_power_of_two(alignment)) {
    errno = EINVAL;
    return nullptr;
  }
  return Core::aligned_alloc(alignment, size);
}

size_t os_usable_size(const void* ptr) noexcept { return Core::usable_size(ptr); }

void os_free_sized(void* ptr, size_t size) noexcept { Core::free_sized_perhaps_aligned(ptr, size); }

void* os_memdup(const void* src, size_t size) noexcept {
  void* copy = Core::malloc(size);
  return copy == nullptr || size == 0 ? copy : std::memcpy(copy, src, size);
}

size_t os_trim(size_t keep_bytes) noexcept {
  const int saved_errno = errno;
  const size_t trimmed = Core::trim_bytes(keep_bytes);
  errno = saved_errno;
  return trimmed;
}

}  // extern "C"
