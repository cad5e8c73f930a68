/* A process that has freed what it had and calls no more: its memory goes back by itself, in a child of fork as well, in small blocks
 * and in mappings; with OSMEM_BACKGROUND=0 no thread is started. Does not prove how soon, only that it is within ten seconds. */
#include <dirent.h>
#include <sys/wait.h>
#include <unistd.h>

#include "check.h"

enum { kBytes = 100 << 20, kMostBlocks = kBytes / 1000 };
static void* g_blocks[kMostBlocks];

static size_t resident_bytes(void) {
  char text[64] = "";
  FILE* file = fopen("/proc/self/statm", "r");
  CHECK(file != NULL && fgets(text, sizeof text, file) != NULL);
  fclose(file);
  size_t size = 0;
  size_t pages = 0;
  CHECK(sscanf(text, "%zu %zu", &size, &pages) == 2);
  return pages * (size_t)sysconf(_SC_PAGESIZE);
}

static void fill_and_free(size_t block_bytes) {
  const size_t count = kBytes / block_bytes;
  for (size_t i = 0; i < count; i++) {
    CHECK((g_blocks[i] = malloc(block_bytes)) != NULL);
    memset(g_blocks[i], 1, block_bytes);
  }
  for (size_t i = 0; i < count; i++) free(g_blocks[i]);
}

/* resident_bytes() calls malloc and free, so nobody looks before the ten seconds are over. */
static size_t resident_when_idle(void) {
  sleep(10);
  return resident_bytes();
}

static void expect_back(size_t block_bytes) {
  const size_t before = resident_bytes();
  fill_and_free(block_bytes);
  const size_t after = resident_when_idle();
  fprintf(stderr, "%zu kB before, %zu kB when idle\n", before >> 10, after >> 10);
  CHECK(after < before + kBytes / 20 + (2 << 20));
}

static void small_blocks_go_back(void) { expect_back(1000); }
static void mappings_go_back(void) { expect_back(3000000); }

static void memory_of_a_forked_child_goes_back(void) {
  fill_and_free(1000); /* so that the parent has the thread */
  const pid_t child = fork();
  if (child == 0) {
    expect_back(1000);
    _exit(0);
  }
  int status = -1;
  CHECK(waitpid(child, &status, 0) == child && status == 0);
}

static int count_threads(void) {
  int threads = 0;
  DIR* tasks = opendir("/proc/self/task");
  CHECK(tasks != NULL);
  for (const struct dirent* task; (task = readdir(tasks)) != NULL;) threads += task->d_name[0] != '.';
  closedir(tasks);
  return threads;
}

static void a_process_of_little_memory_stays_alone(void) {
  free(malloc(1000000));
  CHECK(count_threads() == 1);
}

#define CASE(name) {#name, name}
static const struct check_case kCases[] = {
    CASE(small_blocks_go_back),
    CASE(mappings_go_back),
    CASE(memory_of_a_forked_child_goes_back),
    CASE(a_process_of_little_memory_stays_alone),
};

int main(int argc, char** argv) { return check_main(argc, argv, kCases, sizeof kCases / sizeof *kCases); }
