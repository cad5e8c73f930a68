/* glibc's control and report calls. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <malloc.h>
#include <pthread.h>
#include <unistd.h>

#include "scenario.h"

//// mallopt
SCENARIO("api.mallopt.accepts", kMustHold, "mallopt returns non-zero for every option of glibc: programs take 0 as a failure") {
  const int options[] = {M_MXFAST, M_TRIM_THRESHOLD, M_TOP_PAD, M_MMAP_THRESHOLD, M_MMAP_MAX, M_PERTURB, M_ARENA_TEST, M_ARENA_MAX};
  const int values[] = {64, 131072, 65536, 131072, 1000, 0, 2, 4};
  for (size_t i = 0; i < sizeof options / sizeof *options; ++i) {
    HOLDS_SEEN(mallopt(options[i], values[i]) != 0, i);
  }
}

//// mallinfo
static size_t in_use(void) {
  const struct mallinfo2 info = mallinfo2();
  return info.uordblks + info.hblkhd;
}
SCENARIO("api.mallinfo.follows", kMustHold, "mallinfo2 counts 5 MB of blocks that are handed out, and their end") {
  static char* blocks[5000];
  const size_t before = in_use();
  for (size_t i = 0; i < 5000; ++i) blocks[i] = new_block(1000);
  const size_t held = in_use();
  HOLDS_SEEN(held >= before + 4900000 && held <= before + 15000000, held - before);
  for (size_t i = 0; i < 5000; ++i) free(blocks[i]);
  const size_t after = in_use();
  HOLDS_SEEN(after < before + 1000000, after);
}
SCENARIO("api.mallinfo.ordblks", kMustHold, "mallinfo2's ordblks counts free blocks: more after blocks were freed here and there") {
  static char* blocks[5000];
  for (size_t i = 0; i < 5000; ++i) blocks[i] = new_block(1000);
  for (size_t i = 0; i < 5000; i += 2) free(blocks[i]);
  const struct mallinfo2 info = mallinfo2();
  HOLDS_SEEN(info.ordblks >= 1000 && info.fordblks >= 1000000, info.ordblks);
  for (size_t i = 1; i < 5000; i += 2) free(blocks[i]);
}

//// malloc_trim
SCENARIO("api.malloc_trim.gives-back", kMustHold, "malloc_trim(0) gives freed memory back, and says so") {
  static char* blocks[5000];
  for (size_t i = 0; i < 5000; ++i) blocks[i] = (char*)memset(new_block(2000), 1, 2000);
  const size_t peak = resident_bytes();
  for (size_t i = 0; i < 5000; ++i) free(blocks[i]);
  malloc_trim(0);
  const size_t left = resident_bytes();
  HOLDS_SEEN(left + 8500000 < peak, left);
}
SCENARIO("api.malloc_trim.nothing-left", kMustHold, "malloc_trim after malloc_trim returns 0: there was nothing to give back") {
  for (int i = 0; i < 3; ++i) malloc_trim(0);
  HOLDS(malloc_trim(0) == 0);
}

//// reports
static void read_back(int descriptor, char* text, size_t room) {
  const ssize_t length = read(descriptor, text, room - 1);
  text[length > 0 ? length : 0] = '\0';
}
SCENARIO("api.malloc_info.xml", kMustHold, "malloc_info writes a well-formed <malloc> element to a stream; options other than 0: EINVAL or -1") {
  char* text = NULL;
  size_t length = 0;
  FILE* stream = open_memstream(&text, &length);
  HOLDS(stream != NULL && malloc_info(0, stream) == 0 && fclose(stream) == 0);
  HOLDS(strstr(text, "<malloc") != NULL && strstr(text, "</malloc>") != NULL);
  free(text);
  HOLDS(malloc_info(1, stderr) != 0);
}
SCENARIO("api.malloc_stats.writes", kMustHold, "malloc_stats writes a report to stderr") {
  int ends[2];
  char text[4096];
  const int old = dup(STDERR_FILENO);
  HOLDS(pipe(ends) == 0 && old >= 0 && dup2(ends[1], STDERR_FILENO) >= 0);
  malloc_stats();
  dup2(old, STDERR_FILENO);
  close(ends[1]);
  read_back(ends[0], text, sizeof text);
  HOLDS(strlen(text) > 20);
}

//// cancellation
static void* cancelled_report(void* null_descriptor) {
  dup2(*(int*)null_descriptor, STDERR_FILENO);
  pthread_cancel(pthread_self());
  malloc_stats();
  return (void*)"came to its end";
}
SCENARIO("api.malloc_stats.no-cancellation", kMustHold, "malloc_stats is no cancellation point: it ends, and so does the thread by itself") {
  pthread_t thread;
  void* result = NULL;
  int null_descriptor = open("/dev/null", O_WRONLY);
  HOLDS(pthread_create(&thread, NULL, cancelled_report, &null_descriptor) == 0);
  pthread_join(thread, &result);
  HOLDS(result != PTHREAD_CANCELED);
}
