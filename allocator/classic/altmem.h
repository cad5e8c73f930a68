/* altmem: a best-fit list that merges as it frees, and tells at the end what was never freed.
 *
 * Thread-safe behind one lock. Blocks are 8-byte aligned, each behind a 32-byte header; free blocks stay in the
 * process, mappings are given back at once. Failure: null with errno = ENOMEM. A search walks over all blocks of the
 * heap. A block must go back to alt_free or alt_realloc of this library, not to free.
 *
 * When the program ends (exit, or return from main) and blocks are left, alt_check_leaks runs by itself.
 */
#ifndef OSMEM_CLASSIC_ALTMEM_H
#define OSMEM_CLASSIC_ALTMEM_H

#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

/* A block of at least `size` bytes, contents indeterminate; null for size 0. Header and payload together below
 * 128 KiB (size <= 131032) come from the heap, which starts with 128 KiB; larger ones are a mapping each. */
void* alt_malloc(size_t size);

/* `nmemb * size` bytes, all zero, from heap or mapping as alt_malloc; null if either is 0, and with ENOMEM if the
 * product overflows. */
void* alt_calloc(size_t nmemb, size_t size);

/* Frees a block and merges it with free neighbours on both sides. Null is ignored, and so is a block that its header
 * shows to be free; a mapping that was freed before, or any other pointer, is undefined. errno is kept. */
void alt_free(void* ptr);

/* Resizes a block. Null `ptr`: as alt_malloc. Size 0: as alt_free, returns null. A block that is free already: null.
 * Shrinks in place and frees the tail, merged with a free block behind it. Grows in place by moving the break if the
 * block is the last of the heap, else by merging the free block behind it, else moves. Where either side is a
 * mapping, moves (a mapping of that very size stays). On failure the block stays as it was, though a free block
 * behind it may have become part of it. */
void* alt_realloc(void* ptr, size_t size);

/* Writes one line a block that is not freed (size, address) and the total to standard error, nothing if there is
 * none. The number of blocks not freed. */
size_t alt_check_leaks(void);

#ifdef __cplusplus
}
#endif
#endif
