// The C, C11, C23 and POSIX allocation functions over Core.
//
// The hit path belongs to Core: malloc and free add nothing to it. Only what the standards ask of a
// function beyond Core's contract (checks of alignment, rounding to pages) stands here.
#include <sys/auxv.h>

#include <bit>
#include <cerrno>
#include <cstdint>

#include "allocator/interpose/alignment.hpp"
#include "allocator/interpose/core.hpp"

namespace {

constexpr size_t kLargestAlignment = size_t{1} << 62;

void* fail(int error) noexcept {
  errno = error;
  return nullptr;
}

size_t page_bytes() noexcept { return getauxval(AT_PAGESZ); }

// REQUIRES: alignment is a power of two. Alignments that no address space can hold are out of
// memory.
void* allocate_aligned(size_t alignment, size_t size) noexcept {
  return alignment <= kLargestAlignment ? Core::aligned_alloc(alignment, size) : fail(ENOMEM);
}

}  // namespace

extern "C" {

INTERPOSE_EXPORT void* malloc(size_t size) noexcept { return Core::malloc(size); }

INTERPOSE_EXPORT void free(void* block) noexcept { Core::free(block); }

INTERPOSE_EXPORT void* calloc(size_t count, size_t size) noexcept {
  return Core::calloc(count, size);
}

INTERPOSE_EXPORT void* realloc(void* block, size_t size) noexcept {
  return Core::realloc(block, size);
}

INTERPOSE_EXPORT void* reallocarray(void* block, size_t count, size_t size) noexcept {
  size_t bytes = 0;
  if (__builtin_mul_overflow(count, size, &bytes)) {
    return fail(ENOMEM);
  }
  return Core::realloc(block, bytes);
}

INTERPOSE_EXPORT void* aligned_alloc(size_t alignment, size_t size) noexcept {
  return interpose::is_power_of_two(alignment) ? allocate_aligned(alignment, size) : fail(EINVAL);
}

// As glibc: an alignment that is no power of two is rounded up to one, if there is one.
INTERPOSE_EXPORT void* memalign(size_t alignment, size_t size) noexcept {
  if (alignment > SIZE_MAX / 2 + 1) {
    return fail(EINVAL);
  }
  return alignment <= kLargestAlignment ? Core::aligned_alloc(std::bit_ceil(alignment), size)
                                        : fail(ENOMEM);
}

// Reports by its result alone: errno is as it was, whatever happens.
INTERPOSE_EXPORT int posix_memalign(void** result, size_t alignment, size_t size) noexcept {
  if (!interpose::is_power_of_two(alignment) || alignment % sizeof(void*) != 0) {
    return EINVAL;
  }
  const int saved_errno = errno;
  void* const block = allocate_aligned(alignment, size);
  errno = saved_errno;
  if (block == nullptr) {
    return ENOMEM;
  }
  *result = block;
  return 0;
}

INTERPOSE_EXPORT void* valloc(size_t size) noexcept {
  return Core::aligned_alloc(page_bytes(), size);
}

INTERPOSE_EXPORT void* pvalloc(size_t size) noexcept {
  const size_t page = page_bytes();
  size_t padded = 0;
  if (__builtin_add_overflow(size, page - 1, &padded)) {
    return fail(ENOMEM);
  }
  return Core::aligned_alloc(page, padded & ~(page - 1));
}

INTERPOSE_EXPORT size_t malloc_usable_size(void* block) noexcept {
  return Core::usable_size(block);
}

INTERPOSE_EXPORT void free_sized(void* block, size_t size) noexcept {
  Core::free_sized(block, size);
}

INTERPOSE_EXPORT void free_aligned_sized(void* block, size_t alignment, size_t size) noexcept {
  Core::free_aligned_sized(block, alignment, size);
}

// Where a core's header brings <stdlib.h> in, the targets have attributes of the C library's that the aliases lack.
#pragma GCC diagnostic ignored "-Wmissing-attributes"

INTERPOSE_ALIAS(free) void cfree(void* block) noexcept;

#ifndef INTERPOSE_WITHOUT_C_LIBRARY_ALIASES
INTERPOSE_ALIAS(malloc) void* __libc_malloc(size_t size) noexcept;
INTERPOSE_ALIAS(free) void __libc_free(void* block) noexcept;
INTERPOSE_ALIAS(calloc) void* __libc_calloc(size_t count, size_t size) noexcept;
INTERPOSE_ALIAS(realloc) void* __libc_realloc(void* block, size_t size) noexcept;
INTERPOSE_ALIAS(reallocarray)
void* __libc_reallocarray(void* block, size_t count, size_t size) noexcept;
INTERPOSE_ALIAS(memalign) void* __libc_memalign(size_t alignment, size_t size) noexcept;
INTERPOSE_ALIAS(valloc) void* __libc_valloc(size_t size) noexcept;
INTERPOSE_ALIAS(pvalloc) void* __libc_pvalloc(size_t size) noexcept;
#endif
INTERPOSE_ALIAS(posix_memalign)
int __posix_memalign(void** result, size_t alignment, size_t size) noexcept;
}
