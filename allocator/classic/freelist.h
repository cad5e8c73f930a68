/* freelist: an explicit list of free blocks.
 *
 * Thread-safe behind one lock. Blocks are 16-byte aligned, each behind a 32-byte header. A block that is freed merges
 * with free neighbours and goes to the front of the free list; a request takes the first block of the list that is
 * large enough, and what is left over goes back. Failure: null with errno = ENOMEM. A search costs time in proportion
 * to the number of free blocks. A block must go back to memfree or memresize of this library, not to free.
 *
 * Options of the environment, read at the first request: FREELIST_BINS=1 (free blocks in bins by size),
 * FREELIST_ADAPTIVE=1 (the mapping threshold follows freed mappings, up to 32 MiB), FREELIST_ALIGNMENT=32 or 64,
 * FREELIST_GUARDS=1 (a write past a block's end, a second free or a pointer that is no block ends the program with
 * one line on standard error when the block is freed or resized).
 */
#ifndef OSMEM_CLASSIC_FREELIST_H
#define OSMEM_CLASSIC_FREELIST_H

#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

/* A block of at least `size` bytes, contents indeterminate; null for size 0. Header and payload together below
 * 128 KiB come from the heap, which grows in steps of 128 KiB; larger ones are a mapping each. */
void* memalloc(size_t size);

/* `nmemb * size` bytes, all zero; null if either is 0, and with ENOMEM if the product overflows. */
void* defalloc(size_t nmemb, size_t size);

/* Frees a block. Null is ignored, and so is a block that its header shows to be free (with guards it is reported);
 * a mapping that was freed before, or any other pointer, is undefined. errno is kept. */
void memfree(void* ptr);

/* Resizes a block. Null `ptr`: as memalloc. Size 0: as memfree, returns null. A block that is free already: null.
 * Shrinks in place; grows in place where the free block behind it, or the end of the heap, gives enough; else moves.
 * Where either side is a mapping, moves (a mapping of that very size stays). On failure the block stays as it was. */
void* memresize(void* ptr, size_t size);

/* A new block with a copy of `size` bytes at `src`; null for size 0 or a null `src`. */
void* memdup(const void* src, size_t size);

/* Sets `size` bytes at `ptr` to the low byte of `value`, a 64-bit word at a time; returns `ptr`. */
void* memoryset(void* ptr, int value, size_t size);

#ifdef __cplusplus
}
#endif
#endif
