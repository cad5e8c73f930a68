/* Proves, one case a row, what the C and POSIX functions of a drop-in promise at their edges:
 * overflow, size 0, errno, alignment, usable size, resizing. Does not prove that contents survive
 * under load (shadow tests), nor anything about threads or forks (lifecycle). Compiled without
 * builtins, so no call is optimised away. */
#include <limits.h>
#include <malloc.h>
#include <stdint.h>
#include <unistd.h>

#include "check.h"

/* C23's frees, which this C library does not have: found in the preloaded one. */
static void free_sized(void* block, size_t size) {
  ((void (*)(void*, size_t))dlsym(RTLD_DEFAULT, "free_sized"))(block, size);
}

static void free_aligned_sized(void* block, size_t alignment, size_t size) {
  ((void (*)(void*, size_t, size_t))dlsym(RTLD_DEFAULT, "free_aligned_sized"))(block, alignment,
                                                                               size);
}

/* Volatile, so that the compiler does not warn of, or reason about, sizes that cannot be served. */
static volatile size_t huge = SIZE_MAX;

/* An address that no allocator gives: stands for a result that must not be touched. */
static char untouched;

static int is_aligned(const void* block, size_t alignment) {
  return (uintptr_t)block % alignment == 0;
}

static void calloc_overflow_is_enomem(void) {
  const size_t counts[] = {huge / 2 + 1, huge, huge / 16 + 2};
  const size_t sizes[] = {2, huge, 16};
  for (int i = 0; i < 3; i++) {
    errno = 0;
    CHECK(calloc(counts[i], sizes[i]) == NULL && errno == ENOMEM);
    errno = 0;
    CHECK(calloc(sizes[i], counts[i]) == NULL && errno == ENOMEM);
    errno = 0;
    CHECK(reallocarray(NULL, counts[i], sizes[i]) == NULL && errno == ENOMEM);
  }
}

static void sizes_above_ptrdiff_max_are_enomem(void) {
  const size_t sizes[] = {huge, huge - 7, huge - 15, huge - 4096, huge / 2 + 1, huge / 2 + 4096};
  for (int i = 0; i < 6; i++) {
    errno = 0;
    CHECK(malloc(sizes[i]) == NULL && errno == ENOMEM);
    errno = 0;
    CHECK(calloc(1, sizes[i]) == NULL && errno == ENOMEM);
    errno = 0;
    CHECK(realloc(NULL, sizes[i]) == NULL && errno == ENOMEM);
  }
}

static void realloc_to_zero_frees_and_gives_null(void) {
  for (size_t size = 1; size < 4 << 20; size *= 3) {
    void* block = malloc(size);
    CHECK(block != NULL);
    errno = 77;
    CHECK(realloc(block, 0) == NULL);
    CHECK(errno == 77);
  }
  /* Freed for good: a thousand megabytes in turn do not add up. */
  const size_t before = mallinfo2().uordblks;
  for (int i = 0; i < 1000; i++) {
    CHECK(realloc(malloc(1 << 20), 0) == NULL);
  }
  CHECK(mallinfo2().uordblks <= before + (8 << 20));
}

static void realloc_of_null_allocates(void) {
  char* block = realloc(NULL, 100);
  CHECK(block != NULL);
  memset(block, 1, 100);
  free(block);
  void* empty = realloc(NULL, 0);
  CHECK(empty != NULL);
  free(empty);
}

static void failed_realloc_keeps_the_block(void) {
  const size_t sizes[] = {24, 5000, 300000, 4 << 20};
  for (int i = 0; i < 4; i++) {
    unsigned char* block = malloc(sizes[i]);
    CHECK(block != NULL);
    memset(block, 0x5a, sizes[i]);
    errno = 0;
    CHECK(realloc(block, huge / 2 + 1) == NULL && errno == ENOMEM);
    errno = 0;
    CHECK(realloc(block, huge - 8) == NULL && errno == ENOMEM);
    errno = 0;
    CHECK(reallocarray(block, huge / 2, 4) == NULL && errno == ENOMEM);
    for (size_t at = 0; at < sizes[i]; at++) {
      CHECK(block[at] == 0x5a);
    }
    free(block);
  }
}

static void posix_memalign_rejects_bad_alignments(void) {
  const size_t bad[] = {0, 1, 2, 4, 3, 5, 7, 9, 12, 24, 100, 4097, huge};
  for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
    void* block = &untouched;
    errno = 77;
    CHECK(posix_memalign(&block, bad[i], 64) == EINVAL);
    CHECK(block == &untouched && errno == 77);
  }
}

static void posix_memalign_out_of_memory_leaves_result_and_errno(void) {
  void* block = &untouched;
  errno = 77;
  CHECK(posix_memalign(&block, 64, huge - 100) == ENOMEM);
  CHECK(posix_memalign(&block, (size_t)1 << 62, 100) == ENOMEM);
  CHECK(posix_memalign(&block, (size_t)1 << 63, 100) == ENOMEM);
  CHECK(block == &untouched && errno == 77);
}

static void memalign_rounds_the_alignment_up(void) {
  const size_t asked[] = {0, 1, 3, 5, 17, 33, 48, 100, 1000, 4097};
  const size_t got[] = {1, 1, 4, 8, 32, 64, 64, 128, 1024, 8192};
  for (int i = 0; i < 10; i++) {
    for (size_t size = 0; size < 70000; size = size * 5 + 1) {
      char* block = memalign(asked[i], size);
      CHECK(block != NULL && is_aligned(block, got[i]));
      memset(block, 1, size);
      free(block);
    }
  }
}

static void memalign_never_wraps(void) {
  /* As glibc: an alignment that no power of two reaches is invalid, one that no memory has is too much. */
  const size_t alignments[] = {(size_t)1 << 63, ((size_t)1 << 63) + 1, huge, (size_t)1 << 62};
  const int errors[] = {ENOMEM, EINVAL, EINVAL, ENOMEM};
  for (int i = 0; i < 4; i++) {
    errno = 0;
    CHECK(memalign(alignments[i], 64) == NULL && errno == errors[i]);
  }
  const size_t sizes[] = {huge, huge - 63, huge - 4096, huge - (1 << 21), huge / 2 + 1};
  for (int i = 0; i < 5; i++) {
    for (size_t alignment = 8; alignment <= 1 << 21; alignment *= 8) {
      errno = 0;
      CHECK(memalign(alignment, sizes[i]) == NULL && errno == ENOMEM);
      errno = 0;
      CHECK(aligned_alloc(alignment, sizes[i]) == NULL && errno == ENOMEM);
    }
  }
}

static void aligned_alloc_rejects_bad_alignments(void) {
  const size_t bad[] = {0, 3, 5, 6, 12, 24, 100, 4097, huge};
  for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
    errno = 0;
    CHECK(aligned_alloc(bad[i], 64) == NULL && errno == EINVAL);
  }
}

static void alignments_up_to_1_gib_work(void) {
  for (size_t alignment = 1; alignment <= (size_t)1 << 30; alignment *= 2) {
    for (size_t size = 1; size < 300000; size = size * 7 + 3) {
      char* block = aligned_alloc(alignment, size);
      CHECK(block != NULL && is_aligned(block, alignment));
      CHECK(malloc_usable_size(block) >= size);
      block[0] = 1;
      block[size - 1] = 2;
      free(block);
    }
  }
}

static void aligned_blocks_can_be_resized(void) {
  for (size_t alignment = 32; alignment <= 1 << 21; alignment *= 4) {
    unsigned char* block = aligned_alloc(alignment, 1000);
    CHECK(block != NULL);
    memset(block, 0x33, 1000);
    block = realloc(block, 100000);
    CHECK(block != NULL);
    for (int at = 0; at < 1000; at++) {
      CHECK(block[at] == 0x33);
    }
    memset(block, 0x44, 100000);
    free(block);
  }
}

static void pvalloc_and_valloc_give_whole_pages(void) {
  const size_t page = (size_t)sysconf(_SC_PAGESIZE);
  for (size_t size = 1; size < 100000; size = size * 3 + 1) {
    char* block = pvalloc(size);
    CHECK(block != NULL && is_aligned(block, page));
    CHECK(malloc_usable_size(block) >= (size + page - 1) / page * page);
    free(block);
    block = valloc(size);
    CHECK(block != NULL && is_aligned(block, page) && malloc_usable_size(block) >= size);
    free(block);
  }
}

static void pvalloc_near_size_max_is_enomem(void) {
  const size_t sizes[] = {huge - 100, huge, huge - 4096, huge - 4095};
  for (int i = 0; i < 4; i++) {
    errno = 0;
    CHECK(pvalloc(sizes[i]) == NULL && errno == ENOMEM);
    errno = 0;
    CHECK(valloc(sizes[i]) == NULL && errno == ENOMEM);
  }
}

static void free_keeps_errno(void) {
  enum { kCount = 400 };
  static void* blocks[kCount];
  for (int i = 0; i < kCount; i++) {
    blocks[i] = malloc(i % 4 == 0 ? (size_t)i * 20000 + 1 : (size_t)i * 16 + 1);
    CHECK(blocks[i] != NULL);
  }
  for (int i = 0; i < kCount; i++) {
    errno = 1234;
    free(blocks[i]);
    CHECK(errno == 1234);
  }
}

static void freeing_null_does_nothing(void) {
  errno = 77;
  free(NULL);
  free_sized(NULL, 0);
  free_sized(NULL, 100);
  free_aligned_sized(NULL, 0, 0);
  CHECK(errno == 77 && malloc_usable_size(NULL) == 0);
}

static void sized_frees_take_the_requested_size(void) {
  for (size_t size = 0; size < 3000000; size = size * 3 / 2 + 1) {
    free_sized(malloc(size), size);
    free_sized(calloc(1, size), size);
    free_aligned_sized(aligned_alloc(64, size), 64, size);
    free_aligned_sized(aligned_alloc(8192, size), 8192, size);
  }
}

static void malloc_of_zero_is_unique_and_freeable(void) {
  enum { kCount = 1000 };
  static void* blocks[kCount];
  for (int i = 0; i < kCount; i++) {
    blocks[i] = i % 2 == 0 ? malloc(0) : calloc(0, 8);
    CHECK(blocks[i] != NULL);
    for (int j = 0; j < i; j++) {
      CHECK(blocks[i] != blocks[j]);
    }
  }
  for (int i = 0; i < kCount; i++) {
    free(blocks[i]);
  }
}

static void usable_size_is_constant_and_all_of_it_usable(void) {
  for (size_t size = 0; size < 3 << 20; size = size < 600 ? size + 1 : size * 9 / 7 + 1) {
    unsigned char* block = malloc(size);
    CHECK(block != NULL);
    const size_t usable = malloc_usable_size(block);
    CHECK(usable >= size);
    memset(block, 0xee, usable);
    void* other = malloc(size);
    CHECK(other != NULL);
    memset(other, 0x11, malloc_usable_size(other));
    CHECK(malloc_usable_size(block) == usable);
    for (size_t at = 0; at < usable; at++) {
      CHECK(block[at] == 0xee);
    }
    free(other);
    free(block);
  }
}

static void realloc_copies_all_of_the_usable_size(void) {
  for (size_t size = 1; size < 2 << 20; size = size * 9 / 7 + 1) {
    unsigned char* block = malloc(size);
    CHECK(block != NULL);
    const size_t usable = malloc_usable_size(block);
    memset(block, 0x77, usable);
    unsigned char* moved = realloc(block, usable * 3 + 100);
    CHECK(moved != NULL && malloc_usable_size(moved) >= usable * 3 + 100);
    for (size_t at = 0; at < usable; at++) {
      CHECK(moved[at] == 0x77);
    }
    moved = realloc(moved, size);
    CHECK(moved != NULL);
    for (size_t at = 0; at < size; at++) {
      CHECK(moved[at] == 0x77);
    }
    free(moved);
  }
}

static void blocks_of_16_bytes_and_more_are_16_byte_aligned(void) {
  enum { kCount = 3000 };
  static void* blocks[kCount];
  for (size_t i = 0; i < kCount; i++) {
    blocks[i] = i % 3 == 0 ? calloc(1, i) : malloc(i);
    CHECK(blocks[i] != NULL && is_aligned(blocks[i], i >= 16 ? 16 : 8));
    blocks[i] = realloc(blocks[i], i + 17);
    CHECK(blocks[i] != NULL && is_aligned(blocks[i], 16));
  }
  for (size_t i = 0; i < kCount; i++) {
    free(blocks[i]);
  }
}

static void calloc_is_zero_on_reused_memory(void) {
  for (size_t size = 1; size < 8 << 20; size = size * 5 / 3 + 1) {
    for (int turn = 0; turn < 4; turn++) {
      unsigned char* dirty = malloc(size);
      CHECK(dirty != NULL);
      memset(dirty, 0xff, malloc_usable_size(dirty));
      free(dirty);
      unsigned char* clean = calloc(turn % 2 == 0 ? 1 : size, turn % 2 == 0 ? size : 1);
      CHECK(clean != NULL);
      for (size_t at = 0; at < size; at++) {
        CHECK(clean[at] == 0);
      }
      memset(clean, 0xff, size);
      free(clean);
    }
  }
}

#define CASE(name) \
  { #name, name }
static const struct check_case kCases[] = {
    CASE(calloc_overflow_is_enomem),
    CASE(sizes_above_ptrdiff_max_are_enomem),
    CASE(realloc_to_zero_frees_and_gives_null),
    CASE(realloc_of_null_allocates),
    CASE(failed_realloc_keeps_the_block),
    CASE(posix_memalign_rejects_bad_alignments),
    CASE(posix_memalign_out_of_memory_leaves_result_and_errno),
    CASE(memalign_rounds_the_alignment_up),
    CASE(memalign_never_wraps),
    CASE(aligned_alloc_rejects_bad_alignments),
    CASE(alignments_up_to_1_gib_work),
    CASE(aligned_blocks_can_be_resized),
    CASE(pvalloc_and_valloc_give_whole_pages),
    CASE(pvalloc_near_size_max_is_enomem),
    CASE(free_keeps_errno),
    CASE(freeing_null_does_nothing),
    CASE(sized_frees_take_the_requested_size),
    CASE(malloc_of_zero_is_unique_and_freeable),
    CASE(usable_size_is_constant_and_all_of_it_usable),
    CASE(realloc_copies_all_of_the_usable_size),
    CASE(blocks_of_16_bytes_and_more_are_16_byte_aligned),
    CASE(calloc_is_zero_on_reused_memory),
};

int main(int argc, char** argv) {
  return check_main(argc, argv, kCases, sizeof kCases / sizeof *kCases);
}
