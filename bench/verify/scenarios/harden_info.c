/* What must not be seen or guessed, and what must not be taken for a fault. */
#define _GNU_SOURCE
#include <malloc.h>
#include <unistd.h>

#include "scenario.h"

//// contents of freed blocks
static int seen_in(const char* block, size_t size) {
  size_t same = 0;
  for (size_t i = 16; i < size; ++i) same += ((const volatile char*)block)[i] == 'S';
  return same > size / 4;
}
static void contents_gone(size_t size) {
  char* block = new_block(size);
  memset(block, 'S', size);
  free(hide(block));
  HOLDS(!seen_in(hide(block), size));
}
static void contents_not_handed_on(size_t size) {
  for (int i = 0; i < 20; ++i) {
    char* block = new_block(size);
    memset(block, 'S', size);
    free(hide(block));
  }
  for (int i = 0; i < 20; ++i) {
    char* block = new_block(size);
    HOLDS(!seen_in(block, size));
  }
}
#define CONTENTS(size_name, size)                                                                                            \
  SCENARIO_NAMED(handed_##size_name, "hardening.contents.handed-on-" #size_name, kMustHold, 20,                              \
                 "a new block does not show what a freed one held") {                                                        \
    contents_not_handed_on(size);                                                                                            \
  }
CONTENTS(100, 100)
CONTENTS(4K, 4096)
CONTENTS(256K, 262144)
SCENARIO("hardening.contents.gone-100", kMustHold, "a freed block of 100 bytes does not show what it held") { contents_gone(100); }
SCENARIO("hardening.contents.gone-4K", kMustHold, "a freed block of 4 KiB does not show what it held") { contents_gone(4096); }

//// metadata out of reach
static int is_readable(const char* bytes) {
  int ends[2];
  if (pipe(ends) != 0) cannot_judge("no pipe could be had");
  const ssize_t written = write(ends[1], bytes, 16);
  close(ends[0]);
  close(ends[1]);
  return written == 16;
}
SCENARIO("hardening.metadata.not-beside-blocks", kMustHold, "the 16 bytes before a block hold neither its size nor a pointer") {
  for (size_t size = 200; size < 3000; size += 200) {
    char* blocks[4];
    for (int i = 0; i < 4; ++i) blocks[i] = (char*)memset(new_block(size), 0, size);
    for (int i = 0; i < 3; ++i) {
      uint64_t words[2];
      if (!is_readable(hide(blocks[i]) - 16)) continue; /* nothing lies there, metadata included */
      memcpy(words, hide(blocks[i]) - 16, sizeof words);
      for (int w = 0; w < 2; ++w) {
        const uint64_t word = words[w] & ~(uint64_t)15;
        HOLDS_SEEN(word == 0 || word < size || word > size + 64, word);
      }
    }
  }
}

//// what can be guessed
SCENARIO("hardening.random.reuse", kChanceHolds, "the block freed last is not the next one handed out") {
  char* block = new_block(64);
  free(hide(block));
  HOLDS(new_block(64) != block);
}
SCENARIO("hardening.random.next", kChanceHolds, "the next block does not lie right behind the last one") {
  for (int i = 0; i < 20; ++i) new_block(64);
  char* a = new_block(64);
  char* b = new_block(64);
  const ptrdiff_t distance = b - a;
  HOLDS_SEEN(distance > 96 || distance < 0, distance);
}
SCENARIO("hardening.random.stale-link", kChance, "a freed block's first word is overwritten by a random one") {
  char* block = new_block(64);
  free(hide(block));
  fault();
  *(volatile uint64_t*)hide(block) = (uint64_t)(uintptr_t)&block * 0x9e3779b97f4a7c15u;
  say("@written");
  survived(64);
}

//// what is no fault
SCENARIO("hardening.clean.usable-size", kMustHold, "writing all of malloc_usable_size is no fault") {
  for (size_t size = 0; size < 200000; size = size * 2 + 7) {
    char* block = new_block(size);
    memset(block, 0x55, malloc_usable_size(block));
    block = hide(realloc(block, size + 100));
    memset(block, 0x55, malloc_usable_size(block));
    free(block);
  }
}
SCENARIO("hardening.clean.realloc", kMustHold, "blocks that grow and shrink in small steps are no fault") {
  char* block = new_block(1);
  for (size_t size = 1; size < 6000; size += 37) {
    block = hide(realloc(block, size));
    memset(block, 0x55, size);
  }
  for (size_t size = 6000; size > 37; size -= 37) {
    block = hide(realloc(block, size));
    memset(block, 0x55, size);
  }
  free(block);
}
SCENARIO("hardening.clean.aligned", kMustHold, "aligned blocks, written whole, are no fault") {
  for (size_t alignment = 16; alignment <= 262144; alignment *= 2) {
    for (size_t size = 1; size < 3 * alignment && size < 300000; size = size * 3 + 1) {
      char* block = hide(memalign(alignment, size));
      memset(block, 0x55, size);
      free(block);
    }
  }
}
SCENARIO("hardening.clean.churn", kMustHold, "20,000 blocks of random sizes, written whole") {
  static char* blocks[300];
  static size_t sizes[300];
  unsigned state = 1;
  for (int i = 0; i < 20000; ++i) {
    state = state * 1103515245u + 12345u;
    const unsigned slot = (state >> 16) % 300;
    HOLDS(blocks[slot] == NULL || is_filled(blocks[slot], sizes[slot], slot));
    free(blocks[slot]);
    sizes[slot] = (state >> 7) % ((state >> 28) == 0 ? 9000 : 300);
    blocks[slot] = i % 5 == 0 ? hide(calloc(1, sizes[slot])) : new_block(sizes[slot]);
    fill(blocks[slot], sizes[slot], slot);
  }
}
