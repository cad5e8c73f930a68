// A thread that gives free memory back in a process that has stopped calling.
//
// It is started when a process has freed much and needs little of it any more, so that most processes never have it; sleeps
// for a quarter of an age at a time while there is something to give back, else until it is woken. It blocks all signals, calls nothing that
// allocates, and is not there in the child of a fork, which starts its own. OSMEM_BACKGROUND=0: none is started.
#pragma once

namespace osmem {

// Starts or wakes the thread if there is enough for it to do. Called now and then from slow paths; keeps errno.
void wake_background();

// In the child of a fork.
void recover_background_after_fork();

}  // namespace osmem
