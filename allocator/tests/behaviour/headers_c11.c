/* osmem.h is C11, and its types are what a C program expects. Compiled with -Wall -Wextra -pedantic -Werror; linked by
 * osmem_headers_test, which runs it. */
#include "allocator/osmem/api/osmem.h"

int headers_c11_check(void);

int headers_c11_check(void) {
  struct os_stats stats;
  char* text = os_memdup("osmem", 6);
  int right = text != NULL && text[4] == 'm' && os_usable_size(text) >= 6 && os_stats(&stats) && stats.allocated_bytes >= 6;
  os_free_sized(text, 6);
  return right;
}
