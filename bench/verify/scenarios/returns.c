/* What goes back to the system after a peak. Figures are resident memory above what the process had at its start. */
#define _GNU_SOURCE
#include <pthread.h>
#include <unistd.h>

#include "scenario.h"

//// peaks
enum { kMiB = 1 << 20 };
static char* list; /* all blocks of the peak, linked by their first words */
static size_t start_bytes;
static size_t above_start(void) {
  const size_t now = resident_bytes();
  return now > start_bytes ? now - start_bytes : 0;
}
static void build_peak(size_t bytes, size_t least, size_t most) {
  start_bytes = resident_bytes();
  unsigned state = 1;
  for (size_t had = 0; had < bytes;) {
    state = state * 1103515245u + 12345u;
    const size_t size = least + (state >> 8) % (most - least + 1);
    char* block = (char*)memset(new_block(size), 1, size);
    *(char**)block = list;
    list = block;
    had += size;
  }
}
static size_t drain(int keep_one_in) {
  size_t kept = 0;
  char* survivors = NULL;
  for (int i = 0; list != NULL; ++i) {
    char* next = *(char**)list;
    if (keep_one_in != 0 && i % keep_one_in == 0) {
      *(char**)list = survivors;
      survivors = list;
      ++kept;
    } else {
      free(list);
    }
    list = next;
  }
  list = survivors;
  return kept;
}
static void call_now_and_then(unsigned ms) {
  for (unsigned i = 0; i < ms / 20; ++i) {
    drop_block(new_block(100 + i % 400));
    sleep_ms(20);
  }
}
static void must_be_back(size_t live) {
  const size_t left = above_start();
  HOLDS_SEEN(left <= live + live / 20 + 2 * kMiB, left);
}

//// the same thread calls now and then
static void with_calls(size_t least, size_t most) {
  build_peak(64 * kMiB, least, most);
  drain(0);
  call_now_and_then(1000);
  must_be_back(0);
}
SLOW_SCENARIO("returns.now-and-then.small", kMustHold, 60, "64 MiB of 16 to 500 bytes: gone 1 s after the drain, with a call now and then") { with_calls(16, 500); }
SLOW_SCENARIO("returns.now-and-then.medium", kMustHold, 60, "the same of 1 to 20 KB") { with_calls(1000, 20000); }
SLOW_SCENARIO("returns.now-and-then.large", kMustHold, 60, "the same of 100 KB to 3 MB") { with_calls(100000, 3000000); }

//// another thread is busy
static volatile int stop;
static void* busy(void* argument) {
  while (!stop) {
    char* blocks[20];
    for (int i = 0; i < 20; ++i) blocks[i] = new_block((size_t)i * 200 + 16);
    for (int i = 0; i < 20; ++i) free(blocks[i]);
    sleep_ms(1);
  }
  return argument;
}
static void with_busy_thread(size_t least, size_t most) {
  pthread_t thread;
  HOLDS(pthread_create(&thread, NULL, busy, NULL) == 0);
  sleep_ms(20);
  build_peak(64 * kMiB, least, most);
  drain(0);
  sleep_ms(2000);
  const size_t left = above_start();
  stop = 1;
  pthread_join(thread, NULL);
  HOLDS_SEEN(left <= 4 * kMiB, left);
}
SLOW_SCENARIO("returns.busy-thread.small", kMustHold, 60, "64 MiB of 16 to 500 bytes: gone 2 s after, while only another thread calls") { with_busy_thread(16, 500); }
SLOW_SCENARIO("returns.busy-thread.large", kMustHold, 60, "the same of 100 KB to 3 MB") { with_busy_thread(100000, 3000000); }

//// no call at all
static void without_calls(size_t least, size_t most) {
  build_peak(64 * kMiB, least, most);
  drain(0);
  sleep_ms(4000);
  const size_t left = above_start();
  HOLDS_SEEN(left <= 17 * kMiB, left);
}
SLOW_SCENARIO("returns.no-call.small", kMustHold, 60, "64 MiB of 16 to 500 bytes: at most 26 % stays 4 s after, without a call") { without_calls(16, 500); }
SLOW_SCENARIO("returns.no-call.medium", kMustHold, 60, "the same of 1 to 20 KB") { without_calls(1000, 20000); }
SLOW_SCENARIO("returns.no-call.large", kMustHold, 60, "the same of 100 KB to 3 MB") { without_calls(100000, 3000000); }
SLOW_SCENARIO("returns.survivors", kMustHold, 60, "of 64 MiB of 512 to 2,048 bytes one in twenty stays, scattered: at most 26 % is resident after 10 s without a call") {
  build_peak(64 * kMiB, 512, 2048);
  drain(20);
  sleep_ms(10000);
  const size_t left = above_start();
  HOLDS_SEEN(left <= 17 * kMiB, left);
}

//// idle threads
static pthread_barrier_t all_there;
static void* goes_idle(void* argument) {
  static __thread char* blocks[200];
  for (int i = 0; i < 200; ++i) blocks[i] = (char*)memset(new_block(16 + (size_t)i * 20), 1, 16 + (size_t)i * 20);
  for (int i = 0; i < 200; ++i) free(blocks[i]);
  pthread_barrier_wait(&all_there);
  while (!stop) sleep_ms(50);
  return argument;
}
SLOW_SCENARIO("returns.idle-threads", kMustHold, 60, "60 threads allocate 400 KB each, free it and sleep: at most 8 MiB stay after 2 s, with calls by one other") {
  pthread_t threads[60];
  pthread_attr_t attributes;
  start_bytes = resident_bytes();
  pthread_barrier_init(&all_there, NULL, 61);
  pthread_attr_init(&attributes);
  pthread_attr_setstacksize(&attributes, 65536);
  for (int i = 0; i < 60; ++i) HOLDS(pthread_create(&threads[i], &attributes, goes_idle, NULL) == 0);
  pthread_barrier_wait(&all_there);
  call_now_and_then(2000);
  const size_t left = above_start();
  stop = 1;
  for (int i = 0; i < 60; ++i) pthread_join(threads[i], NULL);
  HOLDS_SEEN(left <= 8 * kMiB, left);
}
static void* small_and_idle(void* argument) {
  char* blocks[100];
  for (int i = 0; i < 100; ++i) blocks[i] = (char*)memset(new_block(16 + (size_t)i * 3), 1, 16);
  for (int i = 0; i < 100; ++i) free(blocks[i]);
  pthread_barrier_wait(&all_there);
  while (!stop) sleep_ms(100);
  return argument;
}
SLOW_SCENARIO("returns.many-idle-threads", kMustHold, 120, "300 threads allocate 100 small blocks, free them and wait: at most 60 KB a thread, stacks included") {
  static pthread_t threads[300];
  pthread_attr_t attributes;
  start_bytes = resident_bytes();
  pthread_barrier_init(&all_there, NULL, 301);
  pthread_attr_init(&attributes);
  pthread_attr_setstacksize(&attributes, 65536);
  for (int i = 0; i < 300; ++i) HOLDS(pthread_create(&threads[i], &attributes, small_and_idle, NULL) == 0);
  pthread_barrier_wait(&all_there);
  const size_t held = above_start();
  stop = 1;
  for (int i = 0; i < 300; ++i) pthread_join(threads[i], NULL);
  HOLDS_SEEN(held <= (size_t)300 * 60000, held);
}
