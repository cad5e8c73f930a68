/* Runs one scenario by its id, or lists them all. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <pthread.h>
#include <time.h>
#include <unistd.h>

#include "scenario.h"

#ifdef __cplusplus
extern "C" {
#endif

extern const struct Scenario __start_scenarios[];
extern const struct Scenario __stop_scenarios[];

static void put(int descriptor, const char* text, size_t length) {
  while (length > 0) {
    const ssize_t written = write(descriptor, text, length);
    if (written <= 0) return;
    text += written;
    length -= (size_t)written;
  }
}

void say(const char* line) {
  char text[512];
  const int length = snprintf(text, sizeof text, "%s\n", line);
  put(STDOUT_FILENO, text, length < (int)sizeof text ? (size_t)length : sizeof text - 1);
}

void fail(const char* what, const char* file, int line) {
  char text[480];
  const char* slash = strrchr(file, '/');
  snprintf(text, sizeof text, "@failed %s (%s:%d)", what, slash != NULL ? slash + 1 : file, line);
  say(text);
  _exit(kFailedExit);
}

void fail_with(const char* what, unsigned long long seen, const char* file, int line) {
  char text[400];
  snprintf(text, sizeof text, "%s: %llu", what, seen);
  fail(text, file, line);
}

static void end_with(const char* mark, const char* why, int code) {
  char text[480];
  snprintf(text, sizeof text, "%s %s", mark, why);
  say(text);
  _exit(code);
}

void not_applicable(const char* why) {
  end_with("@not-applicable", why, kNotApplicableExit);
  __builtin_unreachable();
}
void cannot_judge(const char* why) {
  end_with("@cannot-judge", why, kCannotJudgeExit);
  __builtin_unreachable();
}

void fault(void) { say("@fault"); }

void fill(void* block, size_t size, unsigned seed) {
  unsigned char* bytes = (unsigned char*)block;
  for (size_t i = 0; i < size; ++i) bytes[i] = (unsigned char)(seed * 31 + i * 7 + (i >> 8));
}

int is_filled(const void* block, size_t size, unsigned seed) {
  const unsigned char* bytes = (const unsigned char*)block;
  for (size_t i = 0; i < size; ++i) {
    if (bytes[i] != (unsigned char)(seed * 31 + i * 7 + (i >> 8))) return 0;
  }
  return 1;
}

static void corrupt(const char* what) {
  end_with("@corrupt", what, 0);
}

void survived(size_t size) {
  enum { kBlocks = 96 };
  char* blocks[kBlocks];
  say("@survived");
  const size_t count = size > (1 << 16) ? 12 : kBlocks;
  for (size_t i = 0; i < count; ++i) {
    blocks[i] = new_block(size);
    if (blocks[i] == NULL) continue;
    fill(blocks[i], size, (unsigned)i);
  }
  for (size_t i = 0; i < count; ++i) {
    for (size_t j = 0; j < i; ++j) {
      if (blocks[i] != NULL && blocks[i] == blocks[j]) corrupt("the same block was handed out twice");
    }
    if (blocks[i] != NULL && !is_filled(blocks[i], size, (unsigned)i)) corrupt("two blocks overlap");
  }
  for (size_t i = 0; i < count; ++i) drop_block(blocks[i]);
  for (size_t i = 0; i < count; ++i) blocks[i] = new_block(size + 1);
  for (size_t i = 0; i < count; ++i) drop_block(blocks[i]);
  say("@reused");
}

void* find_function(const char* name) { return dlsym(RTLD_DEFAULT, name); }

size_t resident_bytes(void) {
  char text[128];
  const int file = open("/proc/self/statm", O_RDONLY | O_CLOEXEC);
  const ssize_t length = file < 0 ? -1 : read(file, text, sizeof text - 1);
  if (file >= 0) close(file);
  if (length <= 0) cannot_judge("/proc/self/statm cannot be read");
  text[length] = '\0';
  const char* second = strchr(text, ' ');
  return (size_t)strtoull(second + 1, NULL, 10) * (size_t)sysconf(_SC_PAGESIZE);
}

void sleep_ms(unsigned ms) {
  struct timespec left = {(time_t)(ms / 1000), (long)(ms % 1000) * 1000000L};
  while (nanosleep(&left, &left) != 0 && errno == EINTR) {
  }
}

void in_threads(int count, void* (*body)(void*), void* argument) {
  pthread_t threads[64];
  for (int i = 0; i < count; ++i) {
    if (pthread_create(&threads[i], NULL, body, argument) != 0) fail("a thread could be started", __FILE__, __LINE__);
  }
  for (int i = 0; i < count; ++i) pthread_join(threads[i], NULL);
}

static void list_all(void) {
  for (const struct Scenario* s = __start_scenarios; s != __stop_scenarios; ++s) {
    const char* slash = strrchr(s->file, '/');
    char text[1024];
    const int length = snprintf(text, sizeof text, "%s\t%d\t%d\t%s\t%d\t%s\t%s\n", s->id, s->kind, s->timeout_s,
                                slash != NULL ? slash + 1 : s->file, s->line, s->option, s->right);
    put(STDOUT_FILENO, text, (size_t)length);
  }
}

/* Whose malloc is this process's? */
static void tell_malloc(void) {
  Dl_info info;
  memset(&info, 0, sizeof info);
  const int found = dladdr(dlsym(RTLD_DEFAULT, "malloc"), &info);
  drop_block(new_block(100));
  say(found != 0 && info.dli_fname != NULL ? info.dli_fname : "unknown");
}

int main(int argc, char** argv) {
  if (argc == 2 && strcmp(argv[1], "--who") == 0) {
    tell_malloc();
    return 0;
  }
  if (argc == 2 && strcmp(argv[1], "--list") == 0) {
    list_all();
    return 0;
  }
  for (const struct Scenario* s = __start_scenarios; argc == 2 && s != __stop_scenarios; ++s) {
    if (strcmp(argv[1], s->id) != 0) continue;
    s->body();
    say("@end");
    return 0;
  }
  static const char kUsage[] = "usage: verify-scenarios --list | --who | ID\n";
  put(STDERR_FILENO, kUsage, sizeof kUsage - 1);
  return 2;
}

#ifdef __cplusplus
}
#endif
