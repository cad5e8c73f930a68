/* Proves that the drop-in can be opened late, in a program whose malloc is the C library's: its
 * thread-local storage fits, both heaps live side by side, and dlclose does not pull the code away
 * under live blocks. usage: late LIBRARY */
#include <dlfcn.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void* (*late_malloc)(size_t);
static void (*late_free)(void*);

static void* use_late_heap(void* unused) {
  for (int i = 0; i < 10000; i++) {
    char* block = late_malloc((size_t)i % 3000 + 1);
    char* other = malloc((size_t)i % 3000 + 1);
    block[0] = other[0] = 1;
    late_free(block);
    free(other);
  }
  return unused;
}

int main(int argc, char** argv) {
  void* library = argc == 2 ? dlopen(argv[1], RTLD_NOW | RTLD_LOCAL) : NULL;
  if (library == NULL) {
    fprintf(stderr, "cannot open the library late: %s\n", argc == 2 ? dlerror() : "no path given");
    return 1;
  }
  late_malloc = (void* (*)(size_t))dlsym(library, "malloc");
  late_free = (void (*)(void*))dlsym(library, "free");
  if (late_malloc == NULL || late_free == NULL || late_malloc == malloc) {
    fputs("the library's own malloc was not found\n", stderr);
    return 1;
  }
  pthread_t threads[4];
  for (int i = 0; i < 4; i++) {
    pthread_create(&threads[i], NULL, use_late_heap, NULL);
  }
  for (int i = 0; i < 4; i++) {
    pthread_join(threads[i], NULL);
  }
  char* block = late_malloc(1000);
  dlclose(library);
  memset(block, 1, 1000);
  late_free(block);
  return 0;
}
