/* Refuses system calls of a child process: the n-th, or all from the n-th on, by seccomp's user notification.
 *
 * Parent and child share one page, in which the parent counts and the child says from when on its calls count. The child's
 * calls wait for the parent's answer, so nothing of this depends on time. */
#ifndef VERIFY_INJECTOR_H
#define VERIFY_INJECTOR_H

#include "scenario.h"

#ifdef __cplusplus
extern "C" {
#endif

enum RefusedCall { kMmapCall, kMunmapCall, kMprotectCall, kMadviseCall, kMremapCall, kBrkCall, kAllCalls };
enum RefusalMode { kRefuseNone, kRefuseNth, kRefuseFrom };

struct Refusal {
  enum RefusedCall call;
  enum RefusalMode mode;
  int n; /* from 1 */
};

struct Trial {
  int calls;   /* that would have counted */
  int refused; /* of them */
  int status;  /* of the child, as waitpid gives it */
};

/* Runs `body` in a child of fork; its exit code 0 means that all went well. Memory calls count while `body` has called
 * count_calls(1). Ends the scenario with cannot_judge() where the kernel does not allow it. */
struct Trial run_refusing(struct Refusal refusal, void (*body)(void));

/* For `body`. */
void count_calls(int on);

#ifdef __cplusplus
}
#endif
#endif
