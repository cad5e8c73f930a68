/* Libraries that come and go while the program runs. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <malloc.h>
#include <pthread.h>
#include <sys/wait.h>
#include <unistd.h>

#include "scenario.h"

//// beside the program
/* libexec/NAME, where this program lies. */
static const char* beside(const char* name) {
  static char path[1024];
  const ssize_t length = readlink("/proc/self/exe", path, sizeof path - 100);
  HOLDS(length > 0);
  path[length] = '\0';
  strcpy(strrchr(path, '/') + 1, name);
  return path;
}
static void* open_plugin(int flags) {
  void* library = dlopen(beside("verify-plugin.so"), flags);
  if (library == NULL) cannot_judge(dlerror());
  return library;
}

//// thread-local memory of a library loaded late
static char* (*plugin_local)(void);
static void* use_local(void* argument) {
  char* bytes = plugin_local();
  for (int i = 0; i < 3000; ++i) HOLDS(bytes[i] == 0);
  memset(bytes, 1, 3000);
  char* block = new_block(1000);
  free(block);
  return argument;
}
SCENARIO("threads.dlopen-tls", kMustHold, "threads use the thread-local memory of a library that was loaded after their start") {
  void* library = open_plugin(RTLD_NOW);
  plugin_local = (char* (*)(void))dlsym(library, "plugin_local");
  HOLDS(plugin_local != NULL);
  for (int i = 0; i < 20; ++i) in_threads(5, use_local, NULL);
  dlclose(library);
}

//// unloading
SCENARIO("threads.dlclose", kMustHold, "a library is loaded and unloaded 40 times; blocks that it made outlive it") {
  for (int i = 0; i < 40; ++i) {
    void* library = open_plugin(RTLD_NOW | RTLD_LOCAL);
    void* (*make)(size_t) = (void* (*)(size_t))dlsym(library, "plugin_malloc");
    char* block = hide(make(777));
    fill(block, 777, 1);
    dlclose(library);
    HOLDS(is_filled(block, 777, 1));
    free(block);
  }
}

//// RTLD_DEEPBIND
SCENARIO("threads.deepbind", kMustHold, "blocks of the C library's own malloc, from a library bound deep, are freed, measured and resized by ours") {
  void* library = open_plugin(RTLD_NOW | RTLD_LOCAL | RTLD_DEEPBIND);
  void* (*make)(size_t) = (void* (*)(size_t))dlsym(library, "plugin_malloc");
  char* (*copy)(const char*) = (char* (*)(const char*))dlsym(library, "plugin_strdup");
  void (*drop)(void*) = (void (*)(void*))dlsym(library, "plugin_free");
  for (size_t size = 1; size < 400000; size = size * 3 + 1) {
    char* block = hide(make(size));
    fill(block, size, 2);
    HOLDS(malloc_usable_size(block) >= size);
    block = hide(realloc(hide(block), size + 5000));
    HOLDS(block != NULL && is_filled(block, size, 2));
    free(block);
    drop_block(copy("a word"));
    drop(hide(make(size)));
  }
}

//// indirect functions
SCENARIO("threads.ifunc", kMustHold, "a library with an indirect function is loaded and used") {
  void* library = open_plugin(RTLD_NOW);
  int (*answer)(void) = (int (*)(void))dlsym(library, "plugin_answer");
  HOLDS(answer != NULL && answer() == 42);
}

//// an audit library
SCENARIO("threads.audit", kMustHold, "the program starts under an audit library that allocates in a name space of its own") {
  char audit[1100];
  snprintf(audit, sizeof audit, "LD_AUDIT=%s", beside("verify-audit.so"));
  char preload[1100];
  const char* library = getenv("LD_PRELOAD");
  snprintf(preload, sizeof preload, "LD_PRELOAD=%s", library != NULL ? library : "");
  char self[1024];
  const ssize_t length = readlink("/proc/self/exe", self, sizeof self - 1);
  HOLDS(length > 0);
  self[length] = '\0';
  char* words[] = {self, (char*)"api.start.serves", NULL};
  char* environment[] = {audit, preload, NULL};
  const pid_t child = fork();
  if (child == 0) {
    close(STDOUT_FILENO);
    execve(self, words, environment);
    _exit(127);
  }
  int status = 0;
  HOLDS(waitpid(child, &status, 0) == child);
  HOLDS_SEEN(WIFEXITED(status) && WEXITSTATUS(status) == 0, status);
}

//// a handler that allocates, called by the allocator's caller
static void* (*seen_malloc)(size_t);
static void at_exit_allocates(void) { drop_block(new_block(5000)); }
SCENARIO("threads.atexit", kMustHold, "handlers of atexit allocate; a pointer to malloc works") {
  seen_malloc = malloc;
  char* block = hide(seen_malloc(50));
  HOLDS(block != NULL);
  free(block);
  for (int i = 0; i < 40; ++i) HOLDS(atexit(at_exit_allocates) == 0);
}
