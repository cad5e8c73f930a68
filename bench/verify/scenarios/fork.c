/* fork, vfork, posix_spawn and clone, while other threads allocate or hold locks. */
#define _GNU_SOURCE
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <spawn.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "scenario.h"

extern char** environ;

//// what a child does
static void use_heap(void) {
  char* blocks[200];
  for (int i = 0; i < 60; ++i) {
    blocks[i] = new_block(1 + (size_t)i * (i % 10 == 0 ? 3000 : 17));
    if (blocks[i] == NULL) _exit(9);
    blocks[i][0] = (char)i;
  }
  for (int i = 0; i < 60; ++i) {
    if (blocks[i][0] != (char)i) _exit(8);
    free(blocks[i]);
  }
}
/* The child's exit code; a child that does not end within 10 s hangs, and is killed. */
static int result_of(pid_t child) {
  int status = 0;
  for (int i = 0; i < 1000; ++i) {
    const pid_t ended = waitpid(child, &status, WNOHANG);
    if (ended == child) return WIFEXITED(status) ? WEXITSTATUS(status) : 100 + WTERMSIG(status);
    if (ended < 0 && errno != EINTR) return 99;
    sleep_ms(i < 20 ? 1 : 10);
  }
  kill(child, SIGKILL);
  waitpid(child, &status, 0);
  fail("the child of a fork ends", __FILE__, __LINE__);
}

//// threads that allocate meanwhile
static volatile int stop;
static void* allocate_until_stop(void* argument) {
  unsigned state = (unsigned)(uintptr_t)argument + 1;
  char* blocks[40] = {0};
  while (!stop) {
    state = state * 1103515245u + 12345u;
    const unsigned slot = (state >> 16) % 40;
    free(blocks[slot]);
    blocks[slot] = new_block((state >> 8) % ((state >> 27) == 0 ? 300000 : 2000));
  }
  for (int i = 0; i < 40; ++i) free(blocks[i]);
  return NULL;
}
static void start_threads(pthread_t* threads, int count, void* (*body)(void*)) {
  for (long i = 0; i < count; ++i) HOLDS(pthread_create(&threads[i], NULL, body, (void*)i) == 0);
}
static void stop_threads(pthread_t* threads, int count) {
  stop = 1;
  for (int i = 0; i < count; ++i) pthread_join(threads[i], NULL);
}

//// fork with all threads allocating
SLOW_SCENARIO("fork.threads-allocating", kMustHold, 60, "30 forks while four threads allocate; each child allocates and frees") {
  pthread_t threads[4];
  start_threads(threads, 4, allocate_until_stop);
  for (int i = 0; i < 30; ++i) {
    const pid_t child = fork();
    HOLDS(child >= 0);
    if (child == 0) {
      use_heap();
      _exit(0);
    }
    const int code = result_of(child);
    HOLDS_SEEN(code == 0, code);
  }
  stop_threads(threads, 4);
}
static void* child_thread(void* argument) {
  use_heap();
  return argument;
}
SLOW_SCENARIO("fork.child-starts-threads", kMustHold, 60, "the child of a fork starts threads of its own, and exits by exit()") {
  pthread_t threads[2];
  start_threads(threads, 2, allocate_until_stop);
  for (int i = 0; i < 12; ++i) {
    const pid_t child = fork();
    HOLDS(child >= 0);
    if (child == 0) {
      in_threads(3, child_thread, NULL);
      close(STDOUT_FILENO);
      exit(0);
    }
    const int code = result_of(child);
    HOLDS_SEEN(code == 0, code);
  }
  stop_threads(threads, 2);
}
SLOW_SCENARIO("fork.grandchildren", kMustHold, 60, "a child forks a child that forks a child") {
  pthread_t threads[2];
  start_threads(threads, 2, allocate_until_stop);
  for (int i = 0; i < 8; ++i) {
    const pid_t child = fork();
    if (child == 0) {
      use_heap();
      const pid_t grandchild = fork();
      if (grandchild == 0) {
        use_heap();
        const pid_t last = fork();
        if (last == 0) use_heap();
        _exit(last == 0 ? 0 : result_of(last));
      }
      _exit(result_of(grandchild));
    }
    const int code = result_of(child);
    HOLDS_SEEN(code == 0, code);
  }
  stop_threads(threads, 2);
}

//// from a signal handler
static volatile sig_atomic_t forks_left;
static volatile sig_atomic_t bad_children;
static void fork_in_handler(int signal) {
  (void)signal;
  if (forks_left == 0) return;
  forks_left = forks_left - 1;
  const int saved_errno = errno;
  const pid_t child = fork();
  if (child == 0) _exit(0);
  int status = 0;
  if (waitpid(child, &status, 0) != child || status != 0) bad_children = bad_children + 1;
  errno = saved_errno;
}
static void* shoot(void* target) {
  while (forks_left != 0) {
    pthread_kill(*(pthread_t*)target, SIGUSR1);
    sleep_ms(1);
  }
  return NULL;
}
SLOW_SCENARIO("fork.signal-handler", kMustHold, 60, "a signal handler forks 25 times in the middle of allocations; both go on") {
  pthread_t self = pthread_self();
  pthread_t shooter;
  struct sigaction action;
  memset(&action, 0, sizeof action);
  action.sa_handler = fork_in_handler;
  action.sa_flags = SA_RESTART;
  sigaction(SIGUSR1, &action, NULL);
  forks_left = 25;
  HOLDS(pthread_create(&shooter, NULL, shoot, &self) == 0);
  while (forks_left != 0) use_heap();
  pthread_join(shooter, NULL);
  HOLDS_SEEN(bad_children == 0, bad_children);
}

//// with stdio held
static void* read_lines(void* argument) {
  while (!stop) {
    char* line = NULL;
    size_t room = 0;
    FILE* file = fopen("/proc/self/maps", "r");
    while (file != NULL && getline(&line, &room, file) > 0) {
    }
    if (file != NULL) fclose(file);
    free(line);
  }
  return argument;
}
static void* flush_all(void* argument) {
  while (!stop) fflush(NULL);
  return argument;
}
SLOW_SCENARIO("fork.stdio-held", kMustHold, 60, "25 forks while threads are in getline and fflush, which hold stdio's locks across malloc") {
  pthread_t readers[3];
  pthread_t flusher;
  start_threads(readers, 3, read_lines);
  HOLDS(pthread_create(&flusher, NULL, flush_all, NULL) == 0);
  for (int i = 0; i < 25; ++i) {
    const pid_t child = fork();
    HOLDS(child >= 0);
    if (child == 0) {
      use_heap();
      _exit(0);
    }
    const int code = result_of(child);
    HOLDS_SEEN(code == 0, code);
  }
  stop_threads(readers, 3);
  pthread_join(flusher, NULL);
}

//// storms
static void* fork_often(void* argument) {
  for (int i = 0; i < 120; ++i) {
    const pid_t child = fork();
    HOLDS(child >= 0);
    if (child == 0) {
      drop_block(new_block(100));
      drop_block(new_block(5000));
      _exit(0);
    }
    const int code = result_of(child);
    HOLDS_SEEN(code == 0, code);
  }
  return argument;
}
SLOW_SCENARIO("fork.storm", kMustHold, 180, "four threads fork 120 times each while two others allocate") {
  pthread_t threads[2];
  start_threads(threads, 2, allocate_until_stop);
  in_threads(4, fork_often, NULL);
  stop_threads(threads, 2);
}

//// vfork, posix_spawn, clone
SLOW_SCENARIO("fork.vfork", kMustHold, 60, "vfork whose child executes a program, while threads allocate") {
  pthread_t threads[2];
  start_threads(threads, 2, allocate_until_stop);
  for (int i = 0; i < 10; ++i) {
    const pid_t child = vfork();
    if (child == 0) {
      execl("/bin/true", "true", (char*)NULL);
      _exit(0);
    }
    HOLDS(result_of(child) == 0);
    use_heap();
  }
  stop_threads(threads, 2);
}
SLOW_SCENARIO("fork.posix_spawn", kMustHold, 60, "posix_spawn while threads allocate") {
  pthread_t threads[2];
  start_threads(threads, 2, allocate_until_stop);
  for (int i = 0; i < 10; ++i) {
    pid_t child = 0;
    char* words[] = {(char*)"true", NULL};
    HOLDS(posix_spawn(&child, "/bin/true", NULL, NULL, words, environ) == 0);
    HOLDS(result_of(child) == 0);
    use_heap();
  }
  stop_threads(threads, 2);
}
SLOW_SCENARIO("fork.raw-clone", kMustHold, 60, "a child of the bare system call clone, which runs no handlers, frees and allocates") {
  char* before[50];
  for (int i = 0; i < 50; ++i) before[i] = new_block((size_t)i * 500);
  for (int i = 0; i < 8; ++i) {
    const long child = syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0);
    HOLDS(child >= 0);
    if (child == 0) {
      for (int k = 0; k < 50; ++k) free(before[k]);
      use_heap();
      _exit(0);
    }
    const int code = result_of((pid_t)child);
    HOLDS_SEEN(code == 0, code);
  }
}
static int spawned(void* argument) {
  (void)argument;
  use_heap();
  return 0;
}
SCENARIO("fork.clone-shared-memory", kMustHold, "a child of clone(CLONE_VM | CLONE_VFORK) allocates in its parent's memory") {
  static char stack[1 << 17];
  for (int i = 0; i < 8; ++i) {
    const pid_t child = clone(spawned, stack + sizeof stack, CLONE_VM | CLONE_VFORK | SIGCHLD, NULL);
    HOLDS(child > 0);
    const int code = result_of(child);
    HOLDS_SEEN(code == 0, code);
    use_heap();
  }
}

//// handlers of pthread_atfork
static void allocates(void) { drop_block(new_block(3000)); }
SCENARIO("fork.atfork-handlers", kMustHold, "handlers of pthread_atfork allocate, before and after, in parent and child") {
  HOLDS(pthread_atfork(allocates, allocates, allocates) == 0);
  for (int i = 0; i < 8; ++i) {
    const pid_t child = fork();
    if (child == 0) _exit(0);
    HOLDS(result_of(child) == 0);
  }
}
