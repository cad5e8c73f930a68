/* Threads: their ends, blocks that outlive them, frees by others, cancellation. */
#define _GNU_SOURCE
#include <malloc.h>
#include <pthread.h>
#include <signal.h>
#include <unistd.h>

#include "scenario.h"

//// many threads at work
static void* churn(void* seed) {
  char* blocks[64] = {0};
  unsigned state = (unsigned)(uintptr_t)seed * 2654435761u + 1;
  for (int i = 0; i < 4000; ++i) {
    state = state * 1103515245u + 12345u;
    const unsigned slot = (state >> 16) % 64;
    const size_t size = 1 + (state >> 8) % ((state >> 24) % 16 == 0 ? 40000 : 600);
    free(blocks[slot]);
    blocks[slot] = new_block(size);
    blocks[slot][0] = (char)slot;
    blocks[slot][size - 1] = (char)slot;
    HOLDS(blocks[slot][0] == (char)slot);
  }
  for (int i = 0; i < 64; ++i) free(blocks[i]);
  return NULL;
}
SCENARIO("threads.churn", kMustHold, "eight threads allocate and free at random") {
  in_threads(8, churn, (void*)7);
}

//// blocks that outlive their thread
static char* left_behind[1000];
static void* leave_behind(void* argument) {
  for (int i = 0; i < 1000; ++i) {
    left_behind[i] = new_block(20 + (size_t)i);
    fill(left_behind[i], 20 + (size_t)i, (unsigned)i);
  }
  return argument;
}
SCENARIO("threads.outlived-blocks", kMustHold, "blocks of a thread that has ended can be read, resized and freed by others") {
  in_threads(1, leave_behind, NULL);
  in_threads(4, churn, NULL);
  for (int i = 0; i < 1000; ++i) {
    HOLDS(is_filled(left_behind[i], 20 + (size_t)i, (unsigned)i));
    if (i % 3 == 0) left_behind[i] = hide(realloc(hide(left_behind[i]), 10000));
    HOLDS(is_filled(left_behind[i], 20 + (size_t)i, (unsigned)i));
    free(left_behind[i]);
  }
}

//// a thread that only frees
static char* volatile mailbox[256];
static volatile int producers_done;
static void* only_free(void* argument) {
  for (int idle = 0; idle < 3;) {
    int found = 0;
    for (int i = 0; i < 256; ++i) {
      char* block = __atomic_exchange_n(&mailbox[i], (char*)NULL, __ATOMIC_ACQ_REL);
      found += block != NULL;
      free(block);
    }
    if (found == 0 && producers_done) ++idle;
    if (found == 0) sched_yield();
  }
  return argument;
}
SCENARIO("threads.only-frees", kMustHold, "a thread that only frees what another allocates: memory stays within 64 MiB") {
  pthread_t consumer;
  HOLDS(pthread_create(&consumer, NULL, only_free, NULL) == 0);
  for (int i = 0; i < 50000; ++i) {
    char* block = new_block(1000);
    block[0] = 1;
    free(__atomic_exchange_n(&mailbox[i % 256], block, __ATOMIC_ACQ_REL));
  }
  producers_done = 1;
  pthread_join(consumer, NULL);
  HOLDS_SEEN(resident_bytes() < (64u << 20), resident_bytes());
}

//// many short threads
static void* short_life(void* argument) {
  char* block = new_block(2000);
  memset(block, 1, 2000);
  free(block);
  char* other = new_block(70000);
  other[0] = 1;
  free(other);
  return argument;
}
SLOW_SCENARIO("threads.ten-thousand", kMustHold, 120, "10,000 short threads: resident memory drifts by at most 4 MiB") {
  for (int i = 0; i < 10; ++i) in_threads(10, short_life, NULL);
  const size_t before = resident_bytes();
  for (int i = 0; i < 990; ++i) in_threads(10, short_life, NULL);
  const size_t after = resident_bytes();
  HOLDS_SEEN(after < before + (4u << 20), after > before ? after - before : 0);
}

//// keys
static pthread_key_t keys[3];
static int destroyed;
static void destroy(void* block) {
  __atomic_fetch_add(&destroyed, 1, __ATOMIC_RELAXED);
  free(block);
  char* more = new_block(500);
  memset(more, 1, 500);
  free(more);
}
static void destroy_again(void* rounds) {
  __atomic_fetch_add(&destroyed, 1, __ATOMIC_RELAXED);
  const uintptr_t left = (uintptr_t)rounds;
  char* block = new_block(300 * left);
  block[0] = 1;
  free(block);
  if (left > 1) pthread_setspecific(keys[2], (void*)(left - 1));
}
static void* with_keys(void* argument) {
  pthread_setspecific(keys[0], new_block(100));
  pthread_setspecific(keys[1], new_block(100000));
  pthread_setspecific(keys[2], (void*)4);
  return argument;
}
SCENARIO("threads.key-destructors", kMustHold, "destructors of keys allocate and free, in all four rounds") {
  HOLDS(pthread_key_create(&keys[0], destroy) == 0 && pthread_key_create(&keys[1], destroy) == 0);
  HOLDS(pthread_key_create(&keys[2], destroy_again) == 0);
  for (int i = 0; i < 20; ++i) in_threads(5, with_keys, NULL);
  HOLDS_SEEN(destroyed == 100 * 6, destroyed);
}
static void first_allocation_at_the_end(void* argument) {
  char* block = new_block(2000);
  memset(block, 1, 2000);
  free(block);
  free(argument);
}
static void* allocates_at_its_end_only(void* block) {
  pthread_setspecific(keys[0], block);
  return NULL;
}
SCENARIO("threads.first-use-in-destructor", kMustHold, "a thread whose first allocation comes when it ends: 200 of them leave nothing") {
  HOLDS(pthread_key_create(&keys[0], first_allocation_at_the_end) == 0);
  size_t before = 0;
  for (int i = 0; i < 200; ++i) {
    in_threads(1, allocates_at_its_end_only, new_block(50));
    if (i == 50) before = resident_bytes();
  }
  HOLDS_SEEN(resident_bytes() < before + (4u << 20), resident_bytes() - before);
}

//// cancellation
static void* allocate_for_ever(void* argument) {
  int old;
  pthread_setcanceltype(PTHREAD_CANCEL_DEFERRED, &old);
  for (;;) {
    char* blocks[30];
    for (int i = 0; i < 30; ++i) blocks[i] = new_block(100 + (size_t)i * 1000);
    for (int i = 0; i < 30; ++i) free(blocks[i]);
    pthread_testcancel();
  }
  return argument;
}
SCENARIO("threads.cancellation", kMustHold, "threads are cancelled while they allocate; the others go on") {
  for (int round = 0; round < 8; ++round) {
    pthread_t threads[4];
    for (int i = 0; i < 4; ++i) HOLDS(pthread_create(&threads[i], NULL, allocate_for_ever, NULL) == 0);
    sleep_ms(2);
    for (int i = 0; i < 4; ++i) pthread_cancel(threads[i]);
    for (int i = 0; i < 4; ++i) pthread_join(threads[i], NULL);
  }
  in_threads(2, churn, (void*)3);
}
static void* waits_cancelled(void* argument) {
  pthread_cancel(pthread_self());
  static char* blocks[500];
  for (int i = 0; i < 500; ++i) blocks[i] = new_block((size_t)i * 400);
  for (int i = 0; i < 500; ++i) free(blocks[i]);
  return argument;
}
SCENARIO("threads.no-cancellation-point", kMustHold, "malloc and free are no cancellation points") {
  pthread_t thread;
  void* result = NULL;
  HOLDS(pthread_create(&thread, NULL, waits_cancelled, (void*)5) == 0);
  pthread_join(thread, &result);
  HOLDS(result == (void*)5);
}

//// signals
static volatile sig_atomic_t signals_taken;
static void count_signal(int signal) {
  (void)signal;
  signals_taken = signals_taken + 1;
}
static void* shoot(void* target) {
  for (int i = 0; i < 100; ++i) {
    pthread_kill(*(pthread_t*)target, SIGUSR1);
    sleep_ms(1);
  }
  return NULL;
}
SCENARIO("threads.interrupted", kMustHold, "a signal handler that does not allocate interrupts an allocating thread 100 times") {
  pthread_t self = pthread_self();
  pthread_t shooter;
  struct sigaction action;
  memset(&action, 0, sizeof action);
  action.sa_handler = count_signal;
  sigaction(SIGUSR1, &action, NULL);
  HOLDS(pthread_create(&shooter, NULL, shoot, &self) == 0);
  for (int i = 0; i < 10; ++i) churn((void*)(uintptr_t)i);
  pthread_join(shooter, NULL);
  HOLDS(signals_taken > 0);
}

//// small stacks
SCENARIO("threads.small-stack", kMustHold, "threads with the least stack allocate") {
  pthread_attr_t attributes;
  pthread_t thread;
  pthread_attr_init(&attributes);
  pthread_attr_setstacksize(&attributes, 32768);
  for (int i = 0; i < 20; ++i) {
    HOLDS(pthread_create(&thread, &attributes, short_life, NULL) == 0);
    pthread_join(thread, NULL);
  }
}

//// a report that a thread of the same process reads
typedef int (*HeapDump)(int);
static int report_ends[2];
static void* read_report(void* argument) {
  char text[512];
  while (read(report_ends[0], text, sizeof text) > 0) drop_block(new_block(100000));
  return argument;
}
SCENARIO("threads.report-into-own-pipe", kMustHold, "os_heap_dump into a pipe that a thread of the process reads, which allocates meanwhile") {
  HeapDump dump = (HeapDump)find_function("os_heap_dump");
  if (dump == NULL) not_applicable("no os_heap_dump");
  static char* blocks[4000];
  pthread_t reader;
  for (int i = 0; i < 4000; ++i) blocks[i] = new_block(i % 2 != 0 ? 40000 : 200);
  for (int i = 0; i < 4000; i += 4) free(blocks[i + 1]);
  HOLDS(pipe(report_ends) == 0 && pthread_create(&reader, NULL, read_report, NULL) == 0);
  HOLDS(dump(report_ends[1]));
  close(report_ends[1]);
  pthread_join(reader, NULL);
}
