/* osmem-classic: the textbook best-fit list on the program break.
 *
 * Thread-safe behind one lock. Blocks are 8-byte aligned, each behind a 32-byte header; free blocks stay in the
 * process, mappings are given back at once. Failure: null with errno = ENOMEM. A search walks over all blocks of the
 * heap, so every call but os_free costs time in proportion to their number. A block must go back to os_free or
 * os_realloc of this library, not to free.
 */
#ifndef OSMEM_CLASSIC_OSMEM_CLASSIC_H
#define OSMEM_CLASSIC_OSMEM_CLASSIC_H

#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

/* A block of at least `size` bytes, contents indeterminate; null for size 0. Header and payload together below
 * 128 KiB (size <= 131032) come from the heap, which starts with 128 KiB; larger ones are a mapping each. */
void* os_malloc(size_t size);

/* `nmemb * size` bytes, all zero; null if either is 0, and with ENOMEM if the product overflows. From the heap while
 * header and payload are smaller than a page of 4096 bytes (4056 bytes); larger ones are a mapping each. */
void* os_calloc(size_t nmemb, size_t size);

/* Frees a block of the three other functions. Null is ignored, and so is a block that its header shows to be free;
 * a mapping that was freed before, or any other pointer, is undefined. errno is kept. */
void os_free(void* ptr);

/* Resizes a block. Null `ptr`: as os_malloc. Size 0: as os_free, returns null. A block that is free already: null.
 * Shrinks in place. Grows in place by moving the break if the block is the last of the heap, else by merging the
 * free blocks behind it, else moves. Where either side is a mapping, moves (a mapping of that very size stays). On
 * failure the block stays as it was, though free blocks behind it may have become part of it. */
void* os_realloc(void* ptr, size_t size);

#ifdef __cplusplus
}
#endif
#endif
