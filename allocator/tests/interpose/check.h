/* Cases of a program that runs under a preloaded allocator: one process runs one case, named on the
 * command line, and exits 0 if every CHECK in it held. Without a case the names are listed, one a
 * line. Nothing here allocates before the case does. */
#ifndef INTERPOSE_CHECK_H
#define INTERPOSE_CHECK_H

#include <dlfcn.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CHECK(condition)                                                                        \
  do {                                                                                          \
    if (!(condition)) {                                                                         \
      fprintf(stderr, "%s:%d: failed: %s (errno %d)\n", __FILE__, __LINE__, #condition, errno); \
      exit(1);                                                                                  \
    }                                                                                           \
  } while (0)

struct check_case {
  const char* name;
  void (*run)(void);
};

/* The test means nothing if another malloc serves: INTERPOSE_EXPECT names the library that must. */
static inline void check_identity(void) {
  const char* expected = getenv("INTERPOSE_EXPECT");
  Dl_info info;
  void* address = dlsym(RTLD_DEFAULT, "malloc");
  if (expected == NULL || dladdr(address, &info) == 0 || strstr(info.dli_fname, expected) == NULL) {
    fprintf(stderr, "malloc is not served by INTERPOSE_EXPECT=%s\n",
            expected ? expected : "(unset)");
    exit(2);
  }
}

static inline int check_main(int argc, char** argv, const struct check_case* cases, size_t count) {
  for (size_t i = 0; i < count; i++) {
    if (argc < 2) {
      puts(cases[i].name);
    } else if (strcmp(argv[1], cases[i].name) == 0) {
      check_identity();
      cases[i].run();
      return 0;
    }
  }
  if (argc >= 2) {
    fprintf(stderr, "no case %s; run without arguments for the list\n", argv[1]);
    return 2;
  }
  return 0;
}

#endif
