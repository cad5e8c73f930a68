/* Carries out the steps of one scenario against a list allocator and says after each what came of
 * it.
 *
 * usage: driver malloc|calloc|realloc STEP...
 *   NAME get SIZE          a block by the function named first; calloc gets (1, SIZE), realloc
 * (null, SIZE) NAME malloc SIZE | NAME calloc COUNT SIZE | NAME realloc NAME SIZE | free NAME |
 * sbrk BYTES One line "> ADDRESS" goes to standard output at the start and after each step, by
 * write(2): under strace it parts the steps. Every block is filled; exits with 3 if calloc's block
 * is not zero or realloc lost contents. Calls nothing that allocates. The allocator's names are
 * given by macros: HEADER, MALLOC, CALLOC, REALLOC, FREE.
 */
#define _DEFAULT_SOURCE
#include HEADER

#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { kWords = 4, kNames = 128 };

struct Slot {
  unsigned char* address;
  size_t size;
};
static struct Slot slots[kNames];

static void fail(void) { _exit(3); }

static void report(const void* address) {
  char line[] = "> 0000000000000000\n";
  uintptr_t value = (uintptr_t)address;
  for (int i = 17; i > 1; --i, value >>= 4) {
    line[i] = "0123456789abcdef"[value & 15];
  }
  if (write(STDOUT_FILENO, line, sizeof line - 1) != (ssize_t)(sizeof line - 1)) {
    _exit(4);
  }
}

static unsigned char pattern(size_t name, size_t at) {
  return (unsigned char)(name * 31 + at * 7 + 1) | 1;
}

static void check(const unsigned char* block, size_t name, size_t size) {
  for (size_t i = 0; i < size; ++i) {
    if (block[i] != pattern(name, i)) {
      fail();
    }
  }
}

static void* zeroed(size_t count, size_t size) {
  unsigned char* block = CALLOC(count, size);
  for (size_t i = 0; block != NULL && i < count * size; ++i) {
    if (block[i] != 0) {
      fail();
    }
  }
  return block;
}

static void fill(size_t name, void* block, size_t size) {
  slots[name].address = block;
  slots[name].size = size;
  for (size_t i = 0; block != NULL && i < size; ++i) {
    slots[name].address[i] = pattern(name, i);
  }
}

static void* resized(size_t from, size_t size) {
  struct Slot old = slots[from];
  unsigned char* block = REALLOC(old.address, size);
  if (block != NULL) {
    check(block, from, old.size < size ? old.size : size);
  }
  return block;
}

static void* get(const char* by, size_t size) {
  if (by[0] == 'm') {
    return MALLOC(size);
  }
  return by[0] == 'c' ? zeroed(1, size) : REALLOC(NULL, size);
}

static void carry_out(const char* by, char* step) {
  char* words[kWords] = {"", "", "", ""};
  int count = 0;
  for (char* word = strtok(step, " "); word != NULL && count < kWords; word = strtok(NULL, " ")) {
    words[count++] = word;
  }
  const size_t name = (size_t)words[0][0];
  const size_t last = strtoul(words[count - 1], NULL, 10);
  if (strcmp(words[0], "free") == 0) {
    FREE(slots[(size_t)words[1][0]].address);
    report(NULL);
  } else if (strcmp(words[0], "sbrk") == 0) {
    report(sbrk((intptr_t)last));
  } else {
    void* block = NULL;
    if (strcmp(words[1], "get") == 0) {
      block = get(by, last);
    } else if (strcmp(words[1], "malloc") == 0) {
      block = MALLOC(last);
    } else if (strcmp(words[1], "calloc") == 0) {
      block = zeroed(strtoul(words[2], NULL, 10), last);
    } else {
      block = resized((size_t)words[2][0], last);
    }
    report(block);
    fill(name, block, strcmp(words[1], "calloc") == 0 ? last * strtoul(words[2], NULL, 10) : last);
  }
}

int main(int argc, char** argv) {
  report(NULL); /* what the loader did ends here */
  for (int i = 2; i < argc; ++i) {
    carry_out(argv[1], argv[i]);
  }
  return 0;
}
