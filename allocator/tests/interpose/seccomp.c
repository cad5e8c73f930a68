/* A program that sandboxes itself and goes on allocating: osmem may then make no call that the filters of well-known
 * services forbid. Each case installs a filter that ends the process for any other call, or refuses one memory call, and
 * runs blocks of all sizes through malloc, calloc, realloc and free. Does not prove that the filters are those services' own,
 * only that they allow no more of what malloc might ask for. */
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <malloc.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "check.h"

#define LOAD_CALL BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr))

enum { kMostCalls = 32 };

/* The calls get `listed`, all others `rest`. */
static void install(const int* calls, size_t count, uint32_t listed, uint32_t rest) {
  struct sock_filter filter[2 * kMostCalls + 2];
  unsigned short used = 0;
  filter[used++] = (struct sock_filter)LOAD_CALL;
  CHECK(count <= kMostCalls);
  for (size_t i = 0; i < count; i++) {
    filter[used++] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (uint32_t)calls[i], 0, 1);
    filter[used++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, listed);
  }
  filter[used++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, rest);
  const struct sock_fprog program = {used, filter};
  CHECK(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0);
  CHECK(prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) == 0);
}

static void refuse(int call) { install(&call, 1, SECCOMP_RET_ERRNO | EPERM, SECCOMP_RET_ALLOW); }

enum { kSlots = 300, kRounds = 20000 };
static unsigned char* g_blocks[kSlots];
static size_t g_sizes[kSlots];

static size_t next_size(uint32_t random) {
  if (random % 64 == 0) return 3000000 + random % 2000000;
  return random % 16 == 0 ? 30000 + random % 400000 : 1 + random % 5000;
}

/* How many requests failed. Every block is filled, and must still be so when it goes. */
static int churn(void) {
  int failed = 0;
  uint32_t random = 7;
  for (int i = 0; i < kRounds; i++) {
    random = random * 1103515245 + 12345;
    const size_t slot = (random >> 16) % kSlots;
    const size_t size = next_size(random >> 5);
    if (g_blocks[slot] != NULL) CHECK(g_blocks[slot][0] == 7 && g_blocks[slot][g_sizes[slot] - 1] == 7);
    unsigned char* block;
    if ((random >> 27) % 2 == 0) {
      block = realloc(g_blocks[slot], size);
      if (block == NULL) {
        failed++;
        continue; /* what was there stays */
      }
    } else {
      free(g_blocks[slot]);
      block = (random >> 28) % 4 == 0 ? calloc(1, size) : malloc(size);
    }
    g_blocks[slot] = block;
    g_sizes[slot] = size;
    if (block == NULL) failed++;
    else memset(block, 7, size);
  }
  for (size_t i = 0; i < kSlots; i++) free(g_blocks[i]);
  unsigned char* zeroed = calloc(1, 3000000);
  if (zeroed == NULL) return failed + 1;
  for (size_t i = 0; i < 3000000; i++) CHECK(zeroed[i] == 0);
  free(zeroed);
  return failed;
}

/* 64 MiB of small blocks, so many that huge pages are asked for, and a part of them given back. */
static void churn_small(void) {
  enum { kSmall = 112, kCount = (64 << 20) / kSmall };
  void** blocks = malloc(kCount * sizeof *blocks);
  CHECK(blocks != NULL);
  for (size_t i = 0; i < kCount; i++) {
    blocks[i] = malloc(kSmall);
    CHECK(blocks[i] != NULL);
    memset(blocks[i], (int)(i % 251), kSmall);
  }
  for (size_t i = 0; i < kCount; i++) {
    if (i % 1000 != 0) free(blocks[i]);
  }
  malloc_trim(0);
  for (size_t i = 0; i < kCount; i += 1000) {
    CHECK(((unsigned char*)blocks[i])[kSmall - 1] == i % 251);
    free(blocks[i]);
  }
  free(blocks);
}

/* What OpenSSH's filter for the part before authentication lets through, as far as memory, time and output go. */
static void only_calls_that_openssh_allows(void) {
  static const int kCalls[] = {SYS_brk,     SYS_clock_gettime, SYS_exit_group, SYS_futex, SYS_getpid, SYS_madvise, SYS_mmap,
                               SYS_mprotect, SYS_mremap,       SYS_munmap,     SYS_exit,  SYS_read,   SYS_write,   SYS_close,
                               SYS_rt_sigprocmask, SYS_clock_nanosleep};
  install(kCalls, sizeof kCalls / sizeof *kCalls, SECCOMP_RET_ALLOW, SECCOMP_RET_KILL_PROCESS);
  CHECK(churn() == 0);
}

/* systemd's @system-service leaves mincore out. */
static void no_mincore(void) {
  static const int kCall = SYS_mincore;
  install(&kCall, 1, SECCOMP_RET_KILL_PROCESS, SECCOMP_RET_ALLOW);
  CHECK(churn() == 0);
}

/* Without these, memory comes back later or not at all, but every request is served. */
static void madvise_is_refused(void) {
  refuse(SYS_madvise);
  CHECK(churn() == 0);
  churn_small();
}
/* A filter that knows the older kinds of advice alone, as those of services do that look at arguments. */
static void only_old_advice(void) {
  enum { kAdvice = offsetof(struct seccomp_data, args[2]), kFree = 8 };
  static const struct sock_filter kFilter[] = {
      LOAD_CALL,
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_madvise, 1, 0),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, kAdvice),
      BPF_JUMP(BPF_JMP | BPF_JGT | BPF_K, kFree, 0, 1),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EINVAL),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
  };
  const struct sock_fprog program = {sizeof kFilter / sizeof *kFilter, (struct sock_filter*)kFilter};
  CHECK(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0);
  CHECK(prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) == 0);
  CHECK(churn() == 0);
  churn_small();
}
static void mremap_is_refused(void) {
  refuse(SYS_mremap);
  CHECK(churn() == 0);
}
static void munmap_is_refused(void) {
  refuse(SYS_munmap);
  CHECK(churn() == 0);
}

#define CASE(name) {#name, name}
static const struct check_case kCases[] = {
    CASE(only_calls_that_openssh_allows), CASE(no_mincore), CASE(madvise_is_refused), CASE(only_old_advice),
    CASE(mremap_is_refused), CASE(munmap_is_refused),
};

int main(int argc, char** argv) { return check_main(argc, argv, kCases, sizeof kCases / sizeof *kCases); }
