/* What must not be freed, resized or measured. */
#define _GNU_SOURCE
#include <alloca.h>
#include <malloc.h>
#include <pthread.h>
#include <sys/mman.h>

#include "scenario.h"

/* An id, its size, and the body's function with that size: for cases that differ in it alone. */
#define SIZED(name, id, size, kind, body, right) \
  SCENARIO_NAMED(name, id, kind, 20, right) { body(size); }

//// double free, plain: at once, by size
static void free_twice(size_t size) {
  char* block = new_block(size);
  fill(block, size, 1);
  free(hide(block));
  fault();
  free(hide(block));
  survived(size);
}
SIZED(twice_24, "hardening.double-free.24", 24, kMustCatchCall, free_twice, "the second free of a 24-byte block is caught")
SIZED(twice_1k, "hardening.double-free.1000", 1000, kMustCatchCall, free_twice, "the second free of a 1,000-byte block is caught")
SIZED(twice_4k, "hardening.double-free.4k", 4096, kMustCatchCall, free_twice, "the second free of a 4 KiB block is caught")
SIZED(twice_64k, "hardening.double-free.64k", 65536, kMustCatchCall, free_twice, "the second free of a 64 KiB block is caught")
SIZED(twice_256k, "hardening.double-free.256k", 262144, kMustCatchCall, free_twice, "the second free of a 256 KiB block is caught")
SIZED(twice_8m, "hardening.double-free.8m", 8 << 20, kMustCatchCall, free_twice, "the second free of an 8 MiB block is caught")

//// double free, delayed: many frees in between
static void free_twice_later(size_t size) {
  char* others[50];
  char* block = new_block(size);
  for (int i = 0; i < 50; ++i) others[i] = new_block(size);
  free(hide(block));
  for (int i = 0; i < 50; ++i) free(others[i]);
  fault();
  free(hide(block));
  survived(size);
}
SIZED(later_24, "hardening.double-free.delayed-24", 24, kMustCatchCall, free_twice_later, "caught after 50 other frees")
SIZED(later_1k, "hardening.double-free.delayed-1000", 1000, kMustCatchCall, free_twice_later, "caught after 50 other frees")
SIZED(later_64k, "hardening.double-free.delayed-64k", 65536, kMustCatchCall, free_twice_later, "caught after 50 other frees")

//// double free, interleaved: a, b, a
static void free_interleaved(size_t size) {
  char* a = new_block(size);
  char* b = new_block(size);
  free(hide(a));
  free(hide(b));
  fault();
  free(hide(a));
  survived(size);
}
SIZED(inter_24, "hardening.double-free.interleaved-24", 24, kMustCatchCall, free_interleaved, "a, b, a is caught")
SIZED(inter_1k, "hardening.double-free.interleaved-1000", 1000, kMustCatchCall, free_interleaved, "a, b, a is caught")

//// double free after reuse: the block has a new owner, whose own free is the one too many
SCENARIO("hardening.double-free.after-reuse", kMustCatchCall, "a stale free of a block that was handed out again, then the owner's") {
  char* others[200];
  char* block = new_block(40);
  free(hide(block));
  int again = 0;
  for (int i = 0; i < 200; ++i) {
    others[i] = new_block(40);
    again += others[i] == block;
  }
  fault();
  free(hide(block));
  if (again != 0) free(hide(block));
  survived(40);
}

//// double free across threads
static void* free_it(void* block) {
  free(hide(block));
  return NULL;
}
static void free_here_and_there(size_t size) {
  char* block = new_block(size);
  free(hide(block));
  fault();
  in_threads(1, free_it, block);
  survived(size);
}
static void free_there_and_here(size_t size) {
  char* block = new_block(size);
  in_threads(1, free_it, block);
  fault();
  free(hide(block));
  survived(size);
}
SIZED(cross_a, "hardening.double-free.then-other-thread", 40, kMustCatchCall, free_here_and_there, "the owner's free, then another thread's")
SIZED(cross_b, "hardening.double-free.other-thread-first", 40, kMustCatchCall, free_there_and_here, "another thread's free, then the owner's")
SIZED(cross_c, "hardening.double-free.other-thread-first-64k", 65536, kMustCatchCall, free_there_and_here, "the same with 64 KiB")

//// freed, then resized or measured
SCENARIO("hardening.freed.realloc", kMustCatchCall, "realloc of a freed block is caught") {
  char* block = new_block(100);
  free(hide(block));
  fault();
  block = hide(realloc(hide(block), 5000));
  survived(100);
}
SCENARIO("hardening.freed.usable-size", kMustCatchCall, "malloc_usable_size of a freed block is caught") {
  char* block = new_block(100);
  free(hide(block));
  fault();
  hide_size(malloc_usable_size(hide(block)));
  survived(100);
}
SCENARIO("hardening.freed.moved-by-realloc", kMustCatchCall, "the free of a block that realloc has moved is caught") {
  char* block = new_block(100);
  char* other = new_block(100);
  char* moved = hide(realloc(hide(block), 50000));
  if (moved == block) not_applicable("realloc did not move the block");
  fault();
  free(hide(block));
  free(other);
  survived(100);
}

//// pointers that are no blocks: what they are
static char global_bytes[4096] __attribute__((aligned(64)));
enum Where { kStack, kAlloca, kGlobal, kLiteral, kCode, kInterior16, kInterior1, kInteriorLarge, kInteriorPage, kFar, kWild, kNonCanonical, kMapped };
static char* no_block(enum Where where, char* on_stack) {
  switch (where) {
    case kGlobal: return global_bytes + 1024;
    case kLiteral: return (char*)"a string literal that nobody allocated, long enough to look like a block";
    case kCode: return (char*)(uintptr_t)&no_block;
    case kInterior16: return new_block(100) + 16;
    case kInterior1: return new_block(100) + 1;
    case kInteriorLarge: return new_block(3 << 20) + 4096;
    case kInteriorPage: return new_block(60000) + 16384;
    case kFar: return new_block(100) + ((size_t)1 << 40);
    case kWild: return (char*)(uintptr_t)0x123456780;
    case kNonCanonical: return (char*)(uintptr_t)0xdeadbeefdeadbee0;
    case kMapped: return (char*)mmap(NULL, 65536, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) + 16;
    default: return on_stack;
  }
}
enum Call { kFree, kRealloc, kUsableSize };
static void misuse(enum Call call, enum Where where) {
  char on_stack[2048] __attribute__((aligned(64)));
  memset(on_stack, 0, sizeof on_stack);
  char* pointer = hide(on_stack) + 256;
  if (where == kAlloca) {
    pointer = (char*)alloca(hide_size(512)) + 64;
    memset(pointer, 0, 256);
    pointer = (char*)((uintptr_t)pointer & ~(uintptr_t)15);
  } else {
    drop_block(new_block(100));
    pointer = hide(no_block(where, pointer));
  }
  fault();
  if (call == kFree) free(hide(pointer));
  if (call == kRealloc) hide(realloc(hide(pointer), 3000));
  if (call == kUsableSize) hide_size(malloc_usable_size(hide(pointer)));
  survived(100);
}
#define BAD_POINTER(where, name)                                                                                              \
  SCENARIO_NAMED(free_##where, "hardening.bad-free." name, kMustCatchCall, 20, "free of a " name " pointer is caught") {       \
    misuse(kFree, where);                                                                                                     \
  }                                                                                                                           \
  SCENARIO_NAMED(realloc_##where, "hardening.bad-realloc." name, kMustCatchCall, 20, "realloc of a " name " pointer is caught") { \
    misuse(kRealloc, where);                                                                                                  \
  }                                                                                                                           \
  SCENARIO_NAMED(usable_##where, "hardening.bad-usable-size." name, kMustCatchCall, 20,                                       \
                 "malloc_usable_size of a " name " pointer is caught") {                                                      \
    misuse(kUsableSize, where);                                                                                               \
  }
BAD_POINTER(kStack, "stack")
BAD_POINTER(kAlloca, "alloca")
BAD_POINTER(kGlobal, "global")
BAD_POINTER(kLiteral, "literal")
BAD_POINTER(kCode, "code")
BAD_POINTER(kInterior16, "interior")
BAD_POINTER(kInterior1, "misaligned")
BAD_POINTER(kInteriorLarge, "interior-large")
BAD_POINTER(kInteriorPage, "interior-page")
BAD_POINTER(kFar, "far")
BAD_POINTER(kWild, "wild")
BAD_POINTER(kNonCanonical, "non-canonical")
BAD_POINTER(kMapped, "mapped")

//// sizes and alignments that do not fit the block
typedef void (*FreeSized)(void*, size_t);
typedef void (*FreeAlignedSized)(void*, size_t, size_t);
static void mismatch(size_t size, size_t told) {
  FreeSized call = (FreeSized)find_function("free_sized");
  if (call == NULL) not_applicable("free_sized is not exported");
  char* block = new_block(size);
  fault();
  call(hide(block), told);
  survived(size);
}
SCENARIO("hardening.sized.too-large", kMustCatchCall, "free_sized(p, 1000) of a block of 100") { mismatch(100, 1000); }
SCENARIO("hardening.sized.too-small", kMustCatchCall, "free_sized(p, 16) of a block of 1,000") { mismatch(1000, 16); }
SCENARIO("hardening.sized.by-one", kMustCatchCall, "free_sized(p, 99) of a block of 100") { mismatch(100, 99); }
SCENARIO("hardening.sized.large", kMustCatchCall, "free_sized(p, 5 MiB) of a block of 3 MiB") { mismatch(3 << 20, 5 << 20); }
SCENARIO("hardening.sized.alignment", kMustCatchCall, "free_aligned_sized with an alignment that the block does not have") {
  FreeAlignedSized call = (FreeAlignedSized)find_function("free_aligned_sized");
  if (call == NULL) not_applicable("free_aligned_sized is not exported");
  char* block = new_block(112);
  while ((uintptr_t)block % 4096 == 0) block = new_block(112);
  fault();
  call(hide(block), 4096, 112);
  survived(112);
}
