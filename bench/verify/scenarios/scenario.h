/* What every scenario is written with.
 *
 * A scenario is a small program: the body that follows SCENARIO(...), run by main.c in a process of its own under the allocator
 * that is looked at. It tells how far it came by lines on stdout, which the workbench reads; stderr is left to the allocator:
 *
 *   @fault     the next call is the wrong one
 *   @survived  the wrong call has returned
 *   @reused    the heap was used again afterwards
 *   @corrupt   the heap gave wrong memory: two blocks that overlap, contents that changed
 *   @failed    what should hold does not; ends the process with kFailedExit
 *   @end       the body came to its end; exit handlers follow
 *
 * All of it is C that is C++ as well, and is built as both, at -O0 and -O2. Nothing here allocates or uses stdio's streams. */
#ifndef VERIFY_SCENARIO_H
#define VERIFY_SCENARIO_H

#include <errno.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>

#ifdef __cplusplus
extern "C" {
#endif

enum { kFailedExit = 40, kNotApplicableExit = 41, kCannotJudgeExit = 42 };

enum ScenarioKind {
  kMustHold,      /* ends well: what it checks holds */
  kMustCatchCall, /* the wrong call itself has to end the process, with a message */
  kMustCatch,     /* the misuse has to end the process with a message, at the call or later */
  kChance,        /* as kMustCatch, run many times: how often is it caught? */
  kChanceHolds,   /* as kMustHold, run many times: how often does it hold? */
};

struct Scenario {
  const char* id;
  const char* right; /* what is right, in one line */
  const char* file;
  void (*body)(void);
  int line;
  int kind;
  int timeout_s;
  const char* option; /* "NAME=VALUE": see OPTION_SCENARIO; empty: none */
};

#define SCENARIO_JOIN2(a, b) a##b
#define SCENARIO_JOIN(a, b) SCENARIO_JOIN2(a, b)
#define SCENARIO_WHOLE(name, id, kind, timeout_s, option, right)                                           \
  static void SCENARIO_JOIN(name, _body)(void);                                                            \
  static const struct Scenario SCENARIO_JOIN(name, _entry)                                                 \
      __attribute__((used, section("scenarios"), aligned(8))) = {id,   right, __FILE__, SCENARIO_JOIN(name, _body), \
                                                                 __LINE__, kind, timeout_s, option};       \
  static void SCENARIO_JOIN(name, _body)(void)

#define SCENARIO_NAMED(name, id, kind, timeout_s, right) SCENARIO_WHOLE(name, id, kind, timeout_s, "", right)

/* SCENARIO("section.topic.case", kind, "what is right") { body } */
#define SCENARIO(id, kind, right) SCENARIO_NAMED(SCENARIO_JOIN(scenario_, __LINE__), id, kind, 20, right)
#define SLOW_SCENARIO(id, kind, timeout_s, right) SCENARIO_NAMED(SCENARIO_JOIN(scenario_, __LINE__), id, kind, timeout_s, right)

/* A misuse that right programs commit too, so that an allocator may look for it only if it is told to. Where it is missed as
 * the allocator comes, it is run again with this variable of the environment, and the cell says so. Other allocators are not
 * changed by it. */
#define OPTION_SCENARIO(id, kind, option, right) \
  SCENARIO_WHOLE(SCENARIO_JOIN(scenario_, __LINE__), id, kind, 20, option, right)

/* The pointer, of which the compiler knows nothing any more, not even that it was freed. */
static inline char* hide(const void* pointer) {
  __asm__ volatile("" : "+r"(pointer) : : "memory");
  return (char*)pointer;
}
static inline size_t hide_size(size_t value) {
  __asm__ volatile("" : "+r"(value));
  return value;
}

/* malloc, calloc, ... whose results and arguments the compiler knows nothing of. */
static inline char* new_block(size_t size) { return hide(malloc(hide_size(size))); }
static inline void drop_block(const void* block) { free(hide(block)); }

void say(const char* line);
void fail(const char* what, const char* file, int line) __attribute__((noreturn));
void fail_with(const char* what, unsigned long long seen, const char* file, int line) __attribute__((noreturn));
void not_applicable(const char* why) __attribute__((noreturn));
void cannot_judge(const char* why) __attribute__((noreturn));

#define HOLDS(condition) ((condition) ? (void)0 : fail(#condition, __FILE__, __LINE__))
/* The same with a figure that says what was seen instead. */
#define HOLDS_SEEN(condition, seen) ((condition) ? (void)0 : fail_with(#condition, (unsigned long long)(seen), __FILE__, __LINE__))

/* The next statement is the fault. */
void fault(void);
/* The fault has gone by unseen. Uses blocks of about `size` bytes again, and looks whether they overlap or change. */
void survived(size_t size);

/* A function of that name in whatever is loaded; null if there is none. */
void* find_function(const char* name);

/* Fills a block with bytes that depend on `seed`, and tells whether they are still there. */
void fill(void* block, size_t size, unsigned seed);
int is_filled(const void* block, size_t size, unsigned seed);

/* Resident memory of this process, in bytes, without allocating. */
size_t resident_bytes(void);
void sleep_ms(unsigned ms);

/* Runs `body` in `count` threads, at most 64, and waits for them. */
void in_threads(int count, void* (*body)(void*), void* argument);

#ifdef __cplusplus
}
#endif
#endif
