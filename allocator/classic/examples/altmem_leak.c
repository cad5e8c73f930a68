/* altmem at work: what is not freed is told at the end, on standard error. */
#include <stdio.h>

#include "allocator/classic/altmem.h"

int main(void) {
  void* kept = alt_malloc(24);
  void* freed = alt_malloc(100);
  void* large = alt_calloc(1000, 1000);
  alt_free(freed);
  printf("not freed so far: %zu blocks\n", alt_check_leaks());
  alt_free(large);
  return kept == NULL;
}
