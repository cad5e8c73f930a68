/* Misuses a guarded block in the way that the first argument names; guarded_test.py looks at what is said. */
#include <malloc.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static char* volatile block;

/* A block beside which one more byte cannot be touched: at the end of a page that no other block shares. */
__attribute__((noinline)) char* allocate_here(void) {
  for (int i = 0; i < 1000; ++i) {
    char* candidate = malloc(48);
    const size_t usable = malloc_usable_size(candidate);
    if (((size_t)candidate + usable) % 4096 == 0 && usable == 48) return candidate;
    /* kept: the next one comes from a refill */
  }
  puts("no guarded block");
  exit(3);
}

__attribute__((noinline)) void free_here(void) {
  free(block);
  __asm__ volatile("" ::: "memory");
}

static void own_handler(int signal) {
  (void)signal;
  static const char text[] = "own handler\n";
  if (write(STDOUT_FILENO, text, sizeof text - 1) < 0) _exit(9);
  _exit(7);
}

int main(int argc, char** argv) {
  const char* mode = argc > 1 ? argv[1] : "";
  if (strcmp(mode, "handler") == 0) signal(SIGSEGV, own_handler);
  block = allocate_here();
  memset(block, 1, 48);
  if (strcmp(mode, "overflow") == 0) block[48] = 1;
  if (strcmp(mode, "overread") == 0) return ((volatile char*)block)[48] != 0;
  if (strcmp(mode, "underflow") == 0) block[-1] = 1, free_here();
  if (strcmp(mode, "after-free") == 0) free_here(), block[5] = 1;
  if (strcmp(mode, "twice") == 0) free_here(), free_here();
  if (strcmp(mode, "interior") == 0) free(block + 16);
  if (strcmp(mode, "elsewhere") == 0 || strcmp(mode, "handler") == 0) *(volatile int*)16 = 1;
  if (strcmp(mode, "realloc") == 0) {
    char* grown = realloc(block, 500);
    for (int i = 0; i < 48; ++i) {
      if (grown[i] != 1) return 4;
    }
    free(grown);
  }
  if (strcmp(mode, "right") == 0) free_here();
  puts("lives");
  return 0;
}
