// What sees to it that no program outlives bench, however bench ends.
//
// A process of its own waits for our death and then kills the groups of all children that were running, and whatever carries our mark in its
// environment: a program's children would otherwise go on after a kill -9 of bench. It is started with the first child and again if somebody
// killed it. Main thread only.
#pragma once

#include <sys/types.h>

#include <atomic>
#include <string>

namespace bench::guard {

// A child's place in the table that the guard reads when we die; 0 while nobody has it.
using Slot = std::atomic<pid_t>;

// A free place, which the child fills with its process group before it becomes another program. Null with errno set if there is no guard and
// none can be started, or if the table is full.
Slot* take_slot();

// Whether a process is the guard, or a child that holds a slot.
bool is_known(pid_t process);

// The process; 0 before the first child.
pid_t process();

// NAME=VALUE for every child's environment: which bench it belongs to. Of one length in every run.
const std::string& mark();

}  // namespace bench::guard
