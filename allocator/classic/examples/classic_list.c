/* osmem-classic at work: a freed block is used again, a block grows in place where its neighbour is
 * free. */
#include <stdio.h>
#include <string.h>

#include "allocator/classic/osmem_classic.h"

int main(void) {
  char* first = os_malloc(100);
  char* second = os_malloc(100);
  strcpy(first, "grows without moving");
  os_free(second);
  char* grown = os_realloc(first, 200);
  printf("%s: %s\n", grown, grown == first ? "yes" : "no");
  char* mapped = os_malloc(1 << 20);
  printf("a mebibyte has a mapping of its own: %s\n", mapped - grown > (1L << 30) ? "yes" : "no");
  os_free(mapped);
  os_free(grown);
  return 0;
}
