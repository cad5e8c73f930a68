/* realloc, the aligned functions, C23's sized frees. */
#define _GNU_SOURCE
#include <malloc.h>
#include <unistd.h>

#include "scenario.h"

//// realloc
SCENARIO("api.realloc.null", kMustHold, "realloc(null, n) is malloc(n)") {
  char* block = hide(realloc(hide(NULL), hide_size(50)));
  HOLDS(block != NULL);
  fill(block, 50, 1);
  free(block);
}
SCENARIO("api.realloc.zero", kMustHold, "realloc(p, 0) frees the block and gives null") {
  for (int i = 0; i < 1000; ++i) {
    char* block = new_block(200000);
    block[0] = 1;
    HOLDS(hide(realloc(hide(block), hide_size(0))) == NULL);
  }
  HOLDS_SEEN(resident_bytes() < (64u << 20), resident_bytes());
}
SCENARIO("api.realloc.failure-keeps", kMustHold, "a realloc that fails keeps the block: null and ENOMEM") {
  const size_t sizes[] = {10, 1000, 100000, 2000000};
  for (size_t i = 0; i < sizeof sizes / sizeof *sizes; ++i) {
    char* block = new_block(sizes[i]);
    fill(block, sizes[i], 3);
    errno = 0;
    HOLDS(hide(realloc(hide(block), hide_size(SIZE_MAX - 64))) == NULL && errno == ENOMEM);
    errno = 0;
    HOLDS(hide(realloc(hide(block), hide_size((size_t)1 << 60))) == NULL && errno == ENOMEM);
    HOLDS(is_filled(block, sizes[i], 3));
    free(block);
  }
}
SCENARIO("api.realloc.keeps-contents", kMustHold, "growing and shrinking keeps the contents, from 1 byte to 4 MiB and back") {
  char* block = new_block(1);
  block[0] = 0;
  size_t size = 1;
  for (size_t next = 3; next < (4u << 20); next = next * 2 + 5) {
    fill(block, size, 9);
    block = hide(realloc(hide(block), next));
    HOLDS_SEEN(block != NULL && is_filled(block, size, 9), next);
    size = next;
  }
  fill(block, size, 11);
  while (size > 2) {
    size = size / 3 + 1;
    block = hide(realloc(hide(block), size));
    HOLDS_SEEN(block != NULL && is_filled(block, size, 11), size);
  }
  free(block);
}
SCENARIO("api.realloc.aligned-block", kMustHold, "a block of aligned_alloc can be resized and freed") {
  for (size_t alignment = 32; alignment <= (1u << 20); alignment *= 4) {
    char* block = hide(aligned_alloc(alignment, alignment * 2));
    HOLDS(block != NULL);
    fill(block, alignment, 5);
    block = hide(realloc(hide(block), alignment * 5));
    HOLDS_SEEN(block != NULL && is_filled(block, alignment, 5), alignment);
    free(block);
  }
}

//// aligned blocks
static void check_aligned(char* block, size_t alignment, size_t size) {
  HOLDS_SEEN(block != NULL && (uintptr_t)block % alignment == 0, alignment);
  block[0] = 1;
  block[size - 1] = 1;
  free(block);
}
SCENARIO("api.aligned.all", kMustHold, "alignments of 8 to 1 MiB, sizes of 1 to 3 MiB, by four functions") {
  for (size_t alignment = 8; alignment <= (1u << 20); alignment *= 2) {
    const size_t sizes[] = {1, 100, alignment, alignment * 3, 5000, 300000};
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; ++i) {
      void* block = NULL;
      check_aligned(hide(aligned_alloc(hide_size(alignment), sizes[i])), alignment, sizes[i]);
      check_aligned(hide(memalign(hide_size(alignment), sizes[i])), alignment, sizes[i]);
      HOLDS(posix_memalign(&block, hide_size(alignment), sizes[i]) == 0);
      check_aligned(hide(block), alignment, sizes[i]);
    }
  }
  check_aligned(hide(valloc(hide_size(100))), (size_t)sysconf(_SC_PAGESIZE), 100);
}
SCENARIO("api.aligned.overlap", kMustHold, "aligned and plain blocks, held at once, do not overlap") {
  static char* blocks[400];
  for (size_t i = 0; i < 400; ++i) {
    blocks[i] = i % 2 != 0 ? new_block(i + 1) : hide(aligned_alloc((size_t)16 << (i % 9), i + 1));
    HOLDS(blocks[i] != NULL);
    fill(blocks[i], i + 1, (unsigned)i);
  }
  for (size_t i = 0; i < 400; ++i) HOLDS_SEEN(is_filled(blocks[i], i + 1, (unsigned)i), i);
  for (size_t i = 0; i < 400; ++i) free(blocks[i]);
}
SCENARIO("api.aligned.huge", kMustHold, "alignments of 2 MiB and 1 GiB") {
  check_aligned(hide(aligned_alloc(hide_size((size_t)2 << 20), 100)), (size_t)2 << 20, 100);
  check_aligned(hide(aligned_alloc(hide_size((size_t)1 << 30), 100)), (size_t)1 << 30, 100);
}
SCENARIO("api.pvalloc.rounds", kMustHold, "pvalloc gives whole pages") {
  const size_t page = (size_t)sysconf(_SC_PAGESIZE);
  char* block = hide(pvalloc(hide_size(page + 1)));
  HOLDS(block != NULL && (uintptr_t)block % page == 0);
  memset(block, 1, 2 * page);
  HOLDS(malloc_usable_size(block) >= 2 * page);
  free(block);
}

//// bad alignments
SCENARIO("api.posix_memalign.bad-alignment", kMustHold, "EINVAL is returned; the pointer and errno are untouched") {
  const size_t bad[] = {0, 1, 2, 3, 4, 7, 24, 100, 65};
  for (size_t i = 0; i < sizeof bad / sizeof *bad; ++i) {
    void* block = (void*)(uintptr_t)0x1234;
    errno = 77;
    HOLDS_SEEN(posix_memalign(&block, hide_size(bad[i]), 100) == EINVAL, bad[i]);
    HOLDS(block == (void*)(uintptr_t)0x1234 && errno == 77);
  }
}
SCENARIO("api.posix_memalign.no-memory", kMustHold, "ENOMEM is returned; the pointer is untouched") {
  void* block = (void*)(uintptr_t)0x1234;
  HOLDS(posix_memalign(&block, 64, hide_size(SIZE_MAX - 100)) == ENOMEM && block == (void*)(uintptr_t)0x1234);
}
SCENARIO("api.aligned_alloc.bad-alignment", kMustHold, "an alignment that is no power of two: null and EINVAL") {
  const size_t bad[] = {3, 24, 100};
  for (size_t i = 0; i < sizeof bad / sizeof *bad; ++i) {
    errno = 0;
    char* block = hide(aligned_alloc(hide_size(bad[i]), 120));
    HOLDS_SEEN(block == NULL && errno == EINVAL, bad[i]);
  }
}
SCENARIO("api.memalign.odd-alignment", kMustHold, "memalign(3, n) rounds the alignment up") {
  char* block = hide(memalign(hide_size(3), 100));
  HOLDS(block != NULL && (uintptr_t)block % 4 == 0);
  free(block);
  block = hide(memalign(hide_size(48), 100));
  HOLDS(block != NULL && (uintptr_t)block % 64 == 0);
  free(block);
}
SCENARIO("api.memalign.too-much", kMustHold, "alignments of 2^63 and beyond, or sizes near SIZE_MAX: null, never a block") {
  const size_t alignments[] = {(size_t)1 << 63, ((size_t)1 << 63) + 1, SIZE_MAX, (size_t)1 << 62};
  for (size_t i = 0; i < sizeof alignments / sizeof *alignments; ++i) {
    errno = 0;
    char* block = hide(memalign(hide_size(alignments[i]), 100));
    HOLDS_SEEN(block == NULL && (errno == ENOMEM || errno == EINVAL), alignments[i]);
  }
  for (size_t below = 1; below < 200; below += 33) {
    errno = 0;
    HOLDS(hide(memalign(64, hide_size(SIZE_MAX - below))) == NULL && errno == ENOMEM);
  }
}
SCENARIO("api.memalign.einval", kMustHold, "memalign with an alignment above SIZE_MAX / 2 + 1: EINVAL, as the C library's") {
  errno = 0;
  HOLDS(hide(memalign(hide_size(SIZE_MAX / 2 + 2), 100)) == NULL && errno == EINVAL);
}

//// C23
typedef void (*FreeSized)(void*, size_t);
typedef void (*FreeAlignedSized)(void*, size_t, size_t);
SCENARIO("api.c23.free_sized", kMustHold, "free_sized frees blocks of malloc, calloc and realloc, and null") {
  FreeSized free_sized_ = (FreeSized)find_function("free_sized");
  if (free_sized_ == NULL) not_applicable("free_sized is not exported, nor by the C library");
  for (size_t size = 0; size < 400000; size = size * 2 + 1) {
    free_sized_(new_block(size), size);
    free_sized_(hide(calloc(1, size)), size);
    free_sized_(hide(realloc(new_block(size + 3), size + 1)), size + 1);
  }
  free_sized_(NULL, 0);
}
SCENARIO("api.c23.free_aligned_sized", kMustHold, "free_aligned_sized frees blocks of aligned_alloc, and null") {
  FreeAlignedSized free_aligned_sized_ = (FreeAlignedSized)find_function("free_aligned_sized");
  if (free_aligned_sized_ == NULL) not_applicable("free_aligned_sized is not exported, nor by the C library");
  for (size_t alignment = 16; alignment <= 65536; alignment *= 2) {
    free_aligned_sized_(hide(aligned_alloc(alignment, alignment * 3)), alignment, alignment * 3);
  }
  free_aligned_sized_(NULL, 0, 0);
}

//// the C library's own blocks
SCENARIO("api.libc.strdup-getline", kMustHold, "blocks of strdup, getline and asprintf are the allocator's own") {
  char* copy = hide(strdup("what the C library allocates"));
  HOLDS(copy != NULL && malloc_usable_size(copy) >= 29);
  free(copy);
  char* text = NULL;
  HOLDS(asprintf(&text, "%d and %s", 42, "more") == 11);
  free(text);
  char* line = NULL;
  size_t room = 0;
  FILE* file = fopen("/proc/self/status", "r");
  HOLDS(file != NULL && getline(&line, &room, file) > 0);
  fclose(file);
  line = hide(realloc(line, 10000));
  HOLDS(line != NULL);
  free(line);
}
