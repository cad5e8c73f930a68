/* The system refuses memory: one call, all calls from some on, by limits, by filters. Wanted: null with ENOMEM, never an
 * abort, contents intact, and a heap that works when there is memory again. */
#define _GNU_SOURCE
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <malloc.h>
#include <pthread.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "injector.h"

//// work that goes on without memory
enum { kSlots = 48 };
static char* blocks[kSlots];
static size_t sizes[kSlots];
static void check_refusal(const char* block) {
  if (block == NULL && errno != ENOMEM) _exit(21); /* refused, but not by ENOMEM */
}
static void replace(int slot, size_t size, int how) {
  free(blocks[slot]);
  errno = 0;
  blocks[slot] = how == 0 ? new_block(size) : how == 1 ? hide(calloc(1, size)) : hide(memalign((size_t)32 << (slot % 8), size));
  check_refusal(blocks[slot]);
  sizes[slot] = size;
  if (blocks[slot] != NULL) fill(blocks[slot], size < 6000 ? size : 6000, (unsigned)slot);
}
static void resize(int slot, size_t size) {
  if (blocks[slot] == NULL) return;
  errno = 0;
  char* moved = hide(realloc(hide(blocks[slot]), size));
  check_refusal(moved);
  if (moved == NULL) return;
  blocks[slot] = moved;
  const size_t least = size < sizes[slot] ? size : sizes[slot];
  if (!is_filled(moved, least < 6000 ? least : 6000, (unsigned)slot)) _exit(22); /* realloc lost the contents */
  sizes[slot] = size;
  fill(moved, size < 6000 ? size : 6000, (unsigned)slot);
}
static void check_all(void) {
  for (int i = 0; i < kSlots; ++i) {
    if (blocks[i] != NULL && !is_filled(blocks[i], sizes[i] < 6000 ? sizes[i] : 6000, (unsigned)i)) _exit(23); /* overwritten */
  }
}
static void* thread_work(void* argument) {
  drop_block(new_block(3000));
  return argument;
}
static void work_on(void) {
  static const size_t kSizes[] = {24, 700, 5000, 33000, 140000, 700000, 3000000};
  count_calls(1);
  for (int i = 0; i < kSlots; ++i) replace(i, kSizes[i % 7] + (size_t)i, i % 3);
  for (int i = 0; i < kSlots; i += 3) resize(i, sizes[i] * 2 + 100);
  for (int i = 1; i < kSlots; i += 3) resize(i, sizes[i] / 3 + 1);
  check_all();
  malloc_trim(0);
  for (int i = 0; i < kSlots; i += 2) replace(i, kSizes[(i / 2) % 7], 0);
  check_all();
  count_calls(0);
  /* Memory is to be had again: all must go well now. */
  for (int i = 0; i < kSlots; ++i) {
    replace(i, kSizes[(i + 3) % 7], 0);
    if (blocks[i] == NULL) _exit(24); /* no memory although there is some */
  }
  pthread_t thread;
  if (pthread_create(&thread, NULL, thread_work, NULL) != 0 || pthread_join(thread, NULL) != 0) _exit(25);
  check_all();
  for (int i = 0; i < kSlots; ++i) free(blocks[i]);
}

//// one call refused, or all from one on
static const char* const kExplained[] = {"refused, but errno is not ENOMEM", "realloc lost the contents", "a block was overwritten",
                                         "no memory although there is some again", "no thread although there is memory again"};
static void judge_trial(struct Trial trial, int n) {
  char text[200];
  if (WIFEXITED(trial.status) && WEXITSTATUS(trial.status) == 0) return;
  const int code = WIFEXITED(trial.status) ? WEXITSTATUS(trial.status) : 0;
  if (WIFSIGNALED(trial.status)) {
    snprintf(text, sizeof text, "call %d refused: ended by signal %d", n, WTERMSIG(trial.status));
  } else {
    snprintf(text, sizeof text, "call %d refused: %s", n, code >= 21 && code <= 25 ? kExplained[code - 21] : "bad exit");
  }
  fail(text, __FILE__, __LINE__);
}
/* Every n up to 12, then wider steps: what an allocator does from there on repeats itself. */
static void refuse_each(enum RefusedCall call, enum RefusalMode mode) {
  struct Refusal refusal = {call, kRefuseNone, 1};
  const struct Trial free_trial = run_refusing(refusal, work_on);
  judge_trial(free_trial, 0);
  if (free_trial.calls == 0) not_applicable("no such call is made");
  refusal.mode = mode;
  for (int n = 1; n <= free_trial.calls && n <= 400; n += n < 12 ? 1 : n / 3) {
    refusal.n = n;
    judge_trial(run_refusing(refusal, work_on), n);
  }
}
#define REFUSED(call, name)                                                                                             \
  SCENARIO_NAMED(nth_##call, "memory-refused." name ".nth", kMustHold, 120, "the n-th " name " is refused, for each n") { \
    refuse_each(call, kRefuseNth);                                                                                      \
  }                                                                                                                     \
  SCENARIO_NAMED(from_##call, "memory-refused." name ".from", kMustHold, 120, "each " name " from the n-th on is refused") { \
    refuse_each(call, kRefuseFrom);                                                                                     \
  }
REFUSED(kMmapCall, "mmap")
REFUSED(kMunmapCall, "munmap")
REFUSED(kMprotectCall, "mprotect")
REFUSED(kMadviseCall, "madvise")
REFUSED(kMremapCall, "mremap")
REFUSED(kBrkCall, "brk")
REFUSED(kAllCalls, "all-calls")

//// limits
static void limit(int what, size_t bytes) {
  struct rlimit value = {bytes, bytes};
  if (setrlimit((__rlimit_resource_t)what, &value) != 0) cannot_judge("setrlimit failed");
}
/* How many of `wanted` bytes can be had in blocks of `size`, all held at once; then all are freed. */
static size_t bytes_to_be_had(size_t size, size_t wanted) {
  char* list = NULL;
  size_t had = 0;
  while (had < wanted) {
    errno = 0;
    char* block = new_block(size);
    if (block == NULL) {
      HOLDS_SEEN(errno == ENOMEM, errno);
      break;
    }
    *(char**)block = list;
    list = block;
    had += size;
  }
  while (list != NULL) {
    char* next = *(char**)list;
    free(list);
    list = next;
  }
  return had;
}
static size_t address_space(void) {
  struct rlimit value;
  getrlimit(RLIMIT_AS, &value);
  FILE* file = fopen("/proc/self/statm", "r");
  size_t pages = 0;
  if (file == NULL || fscanf(file, "%zu", &pages) != 1) cannot_judge("/proc/self/statm cannot be read");
  fclose(file);
  return pages * 4096;
}
SCENARIO("memory-refused.limit.address-space-first", kMustHold, "a limit of 64 MiB set before the first malloc: 32 MiB can be had") {
  limit(RLIMIT_AS, (size_t)64 << 20);
  const size_t had = bytes_to_be_had(2000, (size_t)32 << 20);
  HOLDS_SEEN(had >= (size_t)32 << 20, had);
}
SCENARIO("memory-refused.limit.small-then-large", kMustHold, "small blocks fill a limit and are freed; then large ones fit") {
  limit(RLIMIT_AS, (size_t)96 << 20);
  const size_t small = bytes_to_be_had(3000, (size_t)1 << 30);
  HOLDS_SEEN(small >= (size_t)40 << 20, small);
  malloc_trim(0);
  const size_t large = bytes_to_be_had(400000, (size_t)32 << 20);
  HOLDS_SEEN(large >= (size_t)30 << 20, large);
}
SCENARIO("memory-refused.limit.data", kMustHold, "a limit of 64 MiB to data: null and ENOMEM beyond, and most of it can be had") {
  drop_block(new_block(100));
  limit(RLIMIT_DATA, (size_t)64 << 20);
  const size_t had = bytes_to_be_had(100000, (size_t)1 << 30);
  HOLDS_SEEN(had >= (size_t)40 << 20 && had <= (size_t)64 << 20, had);
}
SCENARIO("memory-refused.limit.late", kMustHold, "a limit that leaves 64 MiB, set while the program runs: small and large blocks obey it and get 32 MiB") {
  bytes_to_be_had(1000, (size_t)4 << 20);
  const size_t now = address_space();
  if (now > (size_t)8 << 30) {
    limit(RLIMIT_AS, (size_t)64 << 20); /* more than that is reserved already; what counts is that it goes on */
  } else {
    limit(RLIMIT_AS, now + ((size_t)64 << 20));
  }
  const size_t small = bytes_to_be_had(1000, (size_t)1 << 28);
  HOLDS_SEEN(small >= (size_t)32 << 20 && small < (size_t)1 << 28, small);
  const size_t large = bytes_to_be_had(500000, (size_t)1 << 28);
  HOLDS_SEEN(large >= (size_t)32 << 20 && large < (size_t)1 << 28, large);
}
SLOW_SCENARIO("memory-refused.limit.map-count", kMustHold, 60, "as many mappings exist as a process may have: small blocks still come, nothing aborts") {
  int limit_count = 65530;
  FILE* file = fopen("/proc/sys/vm/max_map_count", "r");
  if (file == NULL || fscanf(file, "%d", &limit_count) != 1) cannot_judge("max_map_count cannot be read");
  fclose(file);
  if (limit_count > 200000) not_applicable("max_map_count is too high to be used up");
  char* area = (char*)mmap(NULL, (size_t)limit_count * 8192, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (area == MAP_FAILED) cannot_judge("no address space");
  for (int i = 0; i < limit_count; ++i) {
    if (mprotect(area + (size_t)i * 8192, 4096, PROT_READ) != 0) break;
  }
  errno = 0;
  const size_t small = bytes_to_be_had(1000, (size_t)1 << 20);
  HOLDS_SEEN(small >= (size_t)1 << 19, small);
  bytes_to_be_had(300000, (size_t)8 << 20);
}
SCENARIO("memory-refused.mlockall", kMustHold, "after mlockall(MCL_FUTURE) blocks are to be had, and are locked") {
  drop_block(new_block(100));
  if (mlockall(MCL_FUTURE) != 0) not_applicable("mlockall is not allowed");
  char* block = new_block(3000000);
  if (block == NULL) not_applicable("RLIMIT_MEMLOCK is too small");
  memset(block, 1, 3000000);
  size_t locked = 0;
  char line[200];
  FILE* file = fopen("/proc/self/status", "r");
  while (file != NULL && fgets(line, sizeof line, file) != NULL) sscanf(line, "VmLck: %zu", &locked);
  if (file != NULL) fclose(file);
  HOLDS_SEEN(locked >= 2900, locked);
  free(block);
}

//// filters as programs set them
struct Filter {
  struct sock_filter code[200];
  int length;
};
static void begin(struct Filter* filter) {
  filter->length = 0;
  filter->code[filter->length++] = (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr));
}
static void rule(struct Filter* filter, int number, unsigned action) {
  filter->code[filter->length++] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (unsigned)number, 0, 1);
  filter->code[filter->length++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, action);
}
static void install(struct Filter* filter, unsigned otherwise) {
  filter->code[filter->length++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, otherwise);
  struct sock_fprog program = {(unsigned short)filter->length, filter->code};
  if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 || prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) != 0) {
    cannot_judge("seccomp filters are not to be had here");
  }
}
static char* touched(char* block, size_t size) {
  HOLDS(block != NULL);
  return (char*)memset(block, 1, size);
}
/* All kinds of work, over a second and more, so that what is done now and then is done, too. */
static void work_under_filter(void) {
  static char* many[400];
  for (int round = 0; round < 3; ++round) {
    for (int i = 0; i < 400; ++i) many[i] = touched(new_block((size_t)i * 40), (size_t)i * 40);
    for (int i = 0; i < 400; i += 2) free(many[i]);
    for (int i = 1; i < 400; i += 2) many[i] = hide(realloc(hide(many[i]), (size_t)i * 60));
    for (int i = 1; i < 400; i += 2) free(many[i]);
    for (size_t size = 20000; size < 9000000; size = size * 3 / 2) {
      char* block = touched(new_block(size), size < 200000 ? size : 200000);
      block = hide(realloc(block, size * 2));
      HOLDS(block != NULL);
      free(block);
    }
    malloc_trim(0);
    sleep_ms(400);
  }
}
static const int kOpensshAllows[] = {SYS_brk, SYS_clock_gettime, SYS_close, SYS_exit, SYS_exit_group, SYS_futex, SYS_getpid,
                                     SYS_getrandom, SYS_gettimeofday, SYS_madvise, SYS_mmap, SYS_mprotect, SYS_mremap, SYS_munmap,
                                     SYS_nanosleep, SYS_clock_nanosleep, SYS_poll, SYS_pselect6, SYS_read, SYS_rt_sigprocmask,
                                     SYS_shutdown, SYS_write};
SCENARIO("memory-refused.filter.openssh", kMustHold, "under a filter as sshd's before authentication, which kills on any other call") {
  drop_block(new_block(100));
  struct Filter filter;
  begin(&filter);
  for (size_t i = 0; i < sizeof kOpensshAllows / sizeof *kOpensshAllows; ++i) rule(&filter, kOpensshAllows[i], SECCOMP_RET_ALLOW);
  install(&filter, SECCOMP_RET_KILL_PROCESS);
  work_under_filter();
}
#define FILTERED(id, number, action, otherwise, right) \
  SCENARIO_NAMED(SCENARIO_JOIN(filter_, __LINE__), id, kMustHold, 20, right) { \
    drop_block(new_block(100));                        \
    struct Filter filter;                              \
    begin(&filter);                                    \
    rule(&filter, number, action);                     \
    install(&filter, otherwise);                       \
    work_under_filter();                               \
  }
FILTERED("memory-refused.filter.system-service", SYS_mincore, SECCOMP_RET_KILL_PROCESS, SECCOMP_RET_ALLOW, "under a filter as systemd's @system-service: no mincore")
FILTERED("memory-refused.filter.no-open", SYS_openat, SECCOMP_RET_KILL_PROCESS, SECCOMP_RET_ALLOW, "no file is opened once the program runs, as in chromium's renderers")
FILTERED("memory-refused.filter.no-clone", SYS_clone3, SECCOMP_RET_KILL_PROCESS, SECCOMP_RET_ALLOW, "no thread is started once the program runs")
FILTERED("memory-refused.filter.no-prctl", SYS_prctl, SECCOMP_RET_KILL_PROCESS, SECCOMP_RET_ALLOW, "no prctl once the program runs")
FILTERED("memory-refused.filter.no-mprotect", SYS_mprotect, SECCOMP_RET_ERRNO | EPERM, SECCOMP_RET_ALLOW, "mprotect is refused by EPERM: blocks come all the same")
FILTERED("memory-refused.filter.no-madvise", SYS_madvise, SECCOMP_RET_ERRNO | EPERM, SECCOMP_RET_ALLOW, "madvise is refused by EPERM: blocks come all the same")
FILTERED("memory-refused.filter.no-mremap", SYS_mremap, SECCOMP_RET_ERRNO | EPERM, SECCOMP_RET_ALLOW, "mremap is refused by EPERM: realloc copies")
FILTERED("memory-refused.filter.no-munmap", SYS_munmap, SECCOMP_RET_ERRNO | EPERM, SECCOMP_RET_ALLOW, "munmap is refused by EPERM: blocks come all the same")
