/* Writes outside a block, and in one that was freed. */
#define _GNU_SOURCE
#include <malloc.h>

#include "scenario.h"

//// overflow and underflow
enum How { kStore, kMemcpy, kString };
static char source_bytes[(1 << 20) + 64];
/* Writes `count` bytes from `to` on; kStore: the last of them alone. */
static void write_bytes(char* to, size_t count, enum How how) {
  if (how == kStore) {
    *(volatile char*)hide(to + count - 1) = 0x41;
    return;
  }
  memset(source_bytes, 0x41, count);
  source_bytes[count] = '\0';
  if (how == kMemcpy) memcpy(hide(to), hide(source_bytes), hide_size(count));
  if (how == kString) {
    source_bytes[count - 1] = '\0';
    strcpy(hide(to), hide(source_bytes));
  }
}
static void overflow(size_t size, size_t by, enum How how) {
  char* blocks[8];
  for (int i = 0; i < 8; ++i) {
    blocks[i] = new_block(size);
    memset(blocks[i], 0x20, size);
  }
  fault();
  write_bytes(blocks[3] + size, by, how);
  say("@written");
  free(hide(blocks[3]));
  for (int i = 0; i < 8; ++i) {
    if (i != 3) free(hide(blocks[i]));
  }
  survived(size);
}
static void underflow(size_t size, size_t by) {
  char* blocks[8];
  for (int i = 0; i < 8; ++i) {
    blocks[i] = new_block(size);
    memset(blocks[i], 0x20, size);
  }
  fault();
  *(volatile char*)hide(blocks[4] - by) = 0x41;
  say("@written");
  free(hide(blocks[4]));
  for (int i = 0; i < 8; ++i) {
    if (i != 4) free(hide(blocks[i]));
  }
  survived(size);
}
#define OVERFLOW_HOW(size_name, size, by_name, by, how, how_name)                                                            \
  SCENARIO_NAMED(over_##size_name##_##by_name##_##how, "hardening.overflow." #size_name "." #by_name "-" how_name, kMustCatch, \
                 20, "a block of " #size_name " bytes, overrun by " #by_name " by " how_name) {                              \
    overflow(size, by, how);                                                                                                 \
  }
#define OVERFLOW_BY(size_name, size, by_name, by)                    \
  OVERFLOW_HOW(size_name, size, by_name, by, kStore, "store")        \
  OVERFLOW_HOW(size_name, size, by_name, by, kMemcpy, "memcpy")      \
  OVERFLOW_HOW(size_name, size, by_name, by, kString, "strcpy")
#define UNDERFLOW_BY(size_name, size, by_name, by)                                                                     \
  SCENARIO_NAMED(under_##size_name##_##by_name, "hardening.underflow." #size_name "." #by_name, kMustCatch, 20,        \
                 "a store " #by_name " bytes before a block of " #size_name " bytes") {                                \
    underflow(size, by);                                                                                               \
  }
#define OUTSIDE(size_name, size)                      \
  OVERFLOW_BY(size_name, size, 1, 1)                  \
  OVERFLOW_BY(size_name, size, 8, 8)                  \
  OVERFLOW_BY(size_name, size, 32, 32)                \
  OVERFLOW_BY(size_name, size, 1M, 1 << 20)           \
  UNDERFLOW_BY(size_name, size, 1, 1)                 \
  UNDERFLOW_BY(size_name, size, 8, 8)                 \
  UNDERFLOW_BY(size_name, size, 32, 32)               \
  UNDERFLOW_BY(size_name, size, 1M, 1 << 20)
OUTSIDE(8, 8)
OUTSIDE(4K, 4096)
OUTSIDE(256K, 262144)

//// writes into freed blocks
static void write_after_free(size_t size, int later) {
  char* others[40];
  char* block = new_block(size);
  for (int i = 0; i < 40; ++i) others[i] = new_block(size);
  free(hide(block));
  for (int i = 0; later && i < 40; ++i) free(others[i]);
  fault();
  memset(hide(block), 0x41, size < 64 ? size : 64);
  say("@written");
  survived(size);
}
#define WRITE_FREED(size_name, size)                                                                                          \
  SCENARIO_NAMED(wuaf_##size_name, "hardening.write-after-free." #size_name, kMustCatch, 20, "written at once after its free") { \
    write_after_free(size, 0);                                                                                                \
  }                                                                                                                           \
  SCENARIO_NAMED(wuafl_##size_name, "hardening.write-after-free.later-" #size_name, kMustCatch, 20,                           \
                 "written after 40 other frees") {                                                                            \
    write_after_free(size, 1);                                                                                                \
  }
WRITE_FREED(24, 24)
WRITE_FREED(1000, 1000)
WRITE_FREED(4K, 4096)
WRITE_FREED(256K, 262144)

//// a link of a free list, overwritten
SCENARIO("hardening.write-after-free.link", kMustCatch, "the first word of a freed block is made to point to the stack: no block comes from there") {
  static char fake[4096] __attribute__((aligned(64)));
  char* a = new_block(64);
  char* b = new_block(64);
  free(hide(a));
  free(hide(b));
  fault();
  *(char* volatile*)hide(b) = fake + 1024;
  say("@written");
  for (int i = 0; i < 100; ++i) {
    char* block = new_block(64);
    if (block >= fake && block < fake + sizeof fake) {
      say("@corrupt a block was handed out of memory that is no heap");
      return;
    }
  }
  survived(64);
}

//// zero-size blocks
SCENARIO("hardening.zero-size.write", kMustCatch, "a byte written into a block of malloc(0)") {
  char* blocks[8];
  for (int i = 0; i < 8; ++i) blocks[i] = new_block(0);
  fault();
  *(volatile char*)hide(blocks[3]) = 0x41;
  say("@written");
  for (int i = 0; i < 8; ++i) free(hide(blocks[i]));
  survived(0);
}
