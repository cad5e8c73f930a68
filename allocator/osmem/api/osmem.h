/* osmem: the C interface of the allocator.
 *
 * Every function may be called from any thread at any time. Memory comes from one process-wide heap; a
 * block may be freed by any thread. Failure: null (or false) with errno = ENOMEM, unless stated otherwise.
 * The same heap serves malloc, free and the rest when libosmem.so is preloaded or linked, so a block of
 * os_malloc may be given to free and the other way round in that process.
 */
#ifndef OSMEM_OSMEM_H
#define OSMEM_OSMEM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
#define OSMEM_NOEXCEPT noexcept
extern "C" {
#else
#define OSMEM_NOEXCEPT
#endif

#define OSMEM_VERSION "0.1.0"

/* A block of at least `size` bytes, 16-byte aligned (8-byte for sizes up to 8); size 0 gives a unique
 * pointer that may be freed. Sizes above PTRDIFF_MAX fail. Contents are indeterminate. */
void* os_malloc(size_t size) OSMEM_NOEXCEPT;

/* Frees a block; null is ignored; errno is kept. A pointer that osmem did not hand out aborts where
 * osmem's own data shows it. */
void os_free(void* ptr) OSMEM_NOEXCEPT;

/* `nmemb * size` bytes, all zero; overflow fails. */
void* os_calloc(size_t nmemb, size_t size) OSMEM_NOEXCEPT;

/* Resizes a block, in place where possible. Null `ptr`: as os_malloc. Size 0: frees, returns null.
 * On failure the old block stays as it was. */
void* os_realloc(void* ptr, size_t size) OSMEM_NOEXCEPT;

/* A block aligned to `alignment`, a power of two; any other alignment fails with EINVAL. */
void* os_aligned_alloc(size_t alignment, size_t size) OSMEM_NOEXCEPT;

/* Bytes that may be used in a block, constant over its life; 0 for null. */
size_t os_usable_size(const void* ptr) OSMEM_NOEXCEPT;

/* As os_free, for a block that was requested with this very size. */
void os_free_sized(void* ptr, size_t size) OSMEM_NOEXCEPT;

/* A new block with a copy of `size` bytes at `src`. */
void* os_memdup(const void* src, size_t size) OSMEM_NOEXCEPT;

/* What the heap holds, in bytes. Counts of other running threads are read without stopping them: exact when no
 * other thread allocates, a close snapshot otherwise. */
struct os_stats {
  size_t allocated_bytes;   /* usable bytes of blocks handed out and not yet freed */
  size_t active_bytes;      /* pages that belong to slabs or runs in use */
  size_t dirty_bytes;       /* free pages that may still be resident */
  size_t committed_bytes;   /* memory taken from the system for heap and metadata: active + dirty + metadata */
  size_t reserved_bytes;    /* address space reserved, committed or not */
  size_t mapped_bytes;      /* large blocks served by mappings of their own, cached ones included */
  size_t metadata_bytes;    /* osmem's own bookkeeping */
  size_t remote_pending_bytes; /* freed by other threads, not yet taken back by the owner */
  size_t thread_count;      /* threads that have a heap now */
  size_t purge_calls;       /* calls that gave memory back to the system so far */
  size_t purged_bytes;      /* that they named */
  size_t purge_ns;          /* time that they took, in nanoseconds */
};
/* The C idiom of a function named as the struct that it fills; C++ compilers may warn of it under -Wshadow. */
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wshadow"
bool os_stats(struct os_stats* out) OSMEM_NOEXCEPT;
#pragma GCC diagnostic pop

/* Gives free memory back to the system at once, keeping up to `keep_bytes` of it; returns bytes given back. */
size_t os_trim(size_t keep_bytes) OSMEM_NOEXCEPT;

/* Writes one line a live block (size, address), then count and total, to the file descriptor; returns the
 * number of live blocks. Meant for the end of a program with no other thread allocating. */
size_t os_check_leaks(int fd) OSMEM_NOEXCEPT;

/* Writes the heap's pages and slabs as lines of JSON to the file descriptor, for scripts/heap_map.py.
 * False if writing fails. */
bool os_heap_dump(int fd) OSMEM_NOEXCEPT;

#ifdef __cplusplus
}
#endif
#endif
