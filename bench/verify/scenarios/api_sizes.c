/* Sizes, alignment and errno of the C functions. */
#define _GNU_SOURCE
#include <malloc.h>
#include <unistd.h>

#include "scenario.h"

//// the start
SCENARIO("api.start.serves", kMustHold, "a first malloc, realloc and free work") {
  char* block = new_block(100);
  HOLDS(block != NULL);
  memset(block, 1, 100);
  block = hide(realloc(block, 1000));
  HOLDS(block != NULL && block[99] == 1);
  free(block);
}

//// size 0
SCENARIO("api.malloc.zero", kMustHold, "malloc(0) gives a unique pointer that can be freed") {
  char* a = new_block(0);
  char* b = new_block(0);
  HOLDS(a != NULL && b != NULL && a != b);
  free(a);
  free(b);
}
SCENARIO("api.calloc.zero", kMustHold, "calloc(0, n) and calloc(n, 0) give unique pointers that can be freed") {
  char* a = hide(calloc(hide_size(0), 8));
  char* b = hide(calloc(hide_size(8), 0));
  HOLDS(a != NULL && b != NULL && a != b);
  free(a);
  free(b);
}
SCENARIO("api.free.null", kMustHold, "free(null) does nothing") {
  free(hide(NULL));
}

//// all sizes
SCENARIO("api.malloc.every-size", kMustHold, "blocks of 1 to 6,500 bytes are usable as a whole, and do not overlap") {
  static char* blocks[500];
  for (size_t step = 0; step < 3; ++step) {
    for (size_t i = 0; i < 500; ++i) {
      const size_t size = 1 + i * 13 + step;
      blocks[i] = new_block(size);
      HOLDS(blocks[i] != NULL);
      blocks[i][0] = (char)i;
      blocks[i][size - 1] = (char)i;
      if (size > 16) memset(blocks[i] + 1, (int)(i & 127), 8);
    }
    for (size_t i = 0; i < 500; ++i) {
      HOLDS(blocks[i][0] == (char)i && blocks[i][i * 13 + step] == (char)i);
      free(blocks[i]);
    }
  }
}
SCENARIO("api.malloc.alignment", kMustHold, "every block of 16 bytes or more is aligned to 16, smaller ones to 8 at least") {
  for (size_t size = 1; size < 5000; size += size < 300 ? 1 : 37) {
    char* block = new_block(size);
    const size_t wanted = size >= 16 ? 16 : 8;
    HOLDS_SEEN((uintptr_t)block % wanted == 0, size);
    free(block);
  }
  for (size_t size = 8192; size < (8u << 20); size *= 2) {
    char* block = new_block(size + 5);
    HOLDS_SEEN((uintptr_t)block % 16 == 0, size);
    free(block);
  }
}
SCENARIO("api.malloc.large", kMustHold, "a block of 300 MiB is usable at both ends") {
  const size_t size = (size_t)300 << 20;
  char* block = new_block(size);
  HOLDS(block != NULL);
  block[0] = 1;
  block[size - 1] = 1;
  free(block);
}

//// too much
SCENARIO("api.malloc.beyond-ptrdiff", kMustHold, "malloc of more than PTRDIFF_MAX: null and ENOMEM") {
  const size_t sizes[] = {(size_t)PTRDIFF_MAX + 1, SIZE_MAX, SIZE_MAX - 15, SIZE_MAX - 4096, SIZE_MAX / 2 + 1000};
  for (size_t i = 0; i < sizeof sizes / sizeof *sizes; ++i) {
    errno = 0;
    HOLDS_SEEN(new_block(sizes[i]) == NULL && errno == ENOMEM, sizes[i]);
  }
}
SCENARIO("api.malloc.beyond-memory", kMustHold, "malloc of 2^62 bytes: null and ENOMEM, and the heap goes on") {
  errno = 0;
  HOLDS(new_block((size_t)1 << 62) == NULL && errno == ENOMEM);
  char* block = new_block(100);
  HOLDS(block != NULL);
  free(block);
}
SCENARIO("api.calloc.overflow", kMustHold, "calloc whose product overflows: null and ENOMEM") {
  const size_t half = SIZE_MAX / 2;
  errno = 0;
  HOLDS(hide(calloc(hide_size(half), 3)) == NULL && errno == ENOMEM);
  errno = 0;
  HOLDS(hide(calloc(3, hide_size(half))) == NULL && errno == ENOMEM);
  errno = 0;
  HOLDS(hide(calloc(hide_size((size_t)1 << 33), (size_t)1 << 33)) == NULL && errno == ENOMEM);
}
SCENARIO("api.reallocarray.overflow", kMustHold, "reallocarray whose product overflows: null, ENOMEM, and the block stays") {
  char* block = new_block(100);
  fill(block, 100, 7);
  errno = 0;
  HOLDS(hide(reallocarray(hide(block), hide_size(SIZE_MAX / 2), 3)) == NULL && errno == ENOMEM);
  HOLDS(is_filled(block, 100, 7));
  free(block);
}
SCENARIO("api.pvalloc.overflow", kMustHold, "pvalloc(SIZE_MAX - 100): null and ENOMEM") {
  errno = 0;
  HOLDS(hide(pvalloc(hide_size(SIZE_MAX - 100))) == NULL && errno == ENOMEM);
}

//// errno
SCENARIO("api.free.errno", kMustHold, "free keeps errno, for small and large blocks and null") {
  const size_t sizes[] = {1, 500, 5000, 100000, 3000000, 80000000};
  for (int round = 0; round < 10; ++round) {
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; ++i) {
      char* block = new_block(sizes[i]);
      block[0] = 1;
      errno = 12345;
      free(block);
      HOLDS_SEEN(errno == 12345, sizes[i]);
    }
  }
  errno = 12345;
  free(hide(NULL));
  HOLDS(errno == 12345);
}
SCENARIO("api.malloc.errno", kMustHold, "a malloc that succeeds leaves errno as it was") {
  for (size_t size = 1; size < (64u << 20); size = size * 3 + 1) {
    errno = 12345;
    char* block = new_block(size);
    HOLDS_SEEN(block != NULL && errno == 12345, size);
    free(block);
  }
}

//// calloc
SCENARIO("api.calloc.zeroed", kMustHold, "calloc's memory is zero, also where blocks were used and freed before") {
  const size_t sizes[] = {1, 16, 100, 512, 1000, 4096, 20000, 70000, 200000, 1000000, 5000000};
  for (int round = 0; round < 2; ++round) {
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; ++i) {
      char* used = new_block(sizes[i]);
      memset(used, 0xee, sizes[i]);
      free(used);
      char* block = hide(calloc(1, hide_size(sizes[i])));
      HOLDS(block != NULL);
      for (size_t k = 0; k < sizes[i]; ++k) HOLDS_SEEN(block[k] == 0, sizes[i]);
      memset(block, 0xdd, sizes[i]);
      free(block);
    }
  }
}

//// usable size
SCENARIO("api.usable-size.whole", kMustHold, "all of malloc_usable_size can be written, it is at least what was asked, and constant") {
  static char* blocks[300];
  for (size_t i = 0; i < 300; ++i) {
    const size_t size = i < 200 ? i : (i - 199) * 377;
    blocks[i] = new_block(size);
    const size_t usable = malloc_usable_size(blocks[i]);
    HOLDS_SEEN(usable >= size, size);
    fill(blocks[i], usable, (unsigned)i);
  }
  for (size_t i = 0; i < 300; ++i) {
    const size_t usable = malloc_usable_size(blocks[i]);
    HOLDS_SEEN(is_filled(blocks[i], usable, (unsigned)i), i);
    free(blocks[i]);
  }
}
SCENARIO("api.usable-size.null", kMustHold, "malloc_usable_size(null) is 0") {
  HOLDS(malloc_usable_size(hide(NULL)) == 0);
}
SCENARIO("api.usable-size.realloc-copies", kMustHold, "realloc copies all that was usable") {
  for (size_t size = 1; size < 300000; size = size * 2 + 3) {
    char* block = new_block(size);
    const size_t usable = malloc_usable_size(block);
    fill(block, usable, (unsigned)size);
    char* other = new_block(size); /* so that the block cannot always grow in place */
    block = hide(realloc(hide(block), usable * 3 + 100));
    HOLDS_SEEN(block != NULL && is_filled(block, usable, (unsigned)size), size);
    free(block);
    free(other);
  }
}
