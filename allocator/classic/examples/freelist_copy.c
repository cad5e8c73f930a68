/* freelist at work: a zeroed table, a copy of it, and the block freed last that serves first. */
#include <stdio.h>

#include "allocator/classic/freelist.h"

int main(void) {
  int* table = defalloc(10, sizeof *table);
  table[3] = 33;
  int* copy = memdup(table, 10 * sizeof *table);
  printf("copied: %d %d\n", copy[2], copy[3]);
  memfree(table);
  void* again = memalloc(40);
  printf("the block freed last serves first: %s\n", again == (void*)table ? "yes" : "no");
  memoryset(again, 0, 40);
  memfree(again);
  memfree(copy);
  return 0;
}
