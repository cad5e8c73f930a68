/* An audit library for the dynamic linker that allocates when objects are loaded. */
#define _GNU_SOURCE
#include <link.h>
#include <stdlib.h>

unsigned la_version(unsigned version) {
  void* block = malloc(100);
  free(block);
  return version < LAV_CURRENT ? version : LAV_CURRENT;
}
unsigned la_objopen(struct link_map* map, Lmid_t space, uintptr_t* cookie) {
  (void)map;
  (void)space;
  *cookie = (uintptr_t)malloc(64);
  return 0;
}
unsigned la_objclose(uintptr_t* cookie) {
  free((void*)*cookie);
  return 0;
}
