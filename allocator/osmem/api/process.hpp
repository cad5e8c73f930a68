// Start, thread exit, fork and process exit.
#pragma once

#include <atomic>

namespace osmem {

// Starts the heap if it is not started yet. False, and no memory, if not even the smallest heap can be had; a later call
// tries again. Thread-safe; needs no constructor to have run.
bool ensure_started();

// Makes sure that the calling thread's heap and chains are given back when it ends. Called once a thread.
void watch_thread_end();

// An orphan is the heap of a thread that allocated first when the destructors of keys had run, so that nobody gave the heap
// back. The calling thread has got that thread's pointer, and so is taken for its owner: it gives the heap back now.
// Blocks in the dead thread's own list heads are lost. Keeps errno.
struct Heap;
void retire_orphan(Heap* heap);

// Everything that the calling thread holds back goes to the slabs; its heap stays.
void give_back_thread_lists();

// The same for all that the calling thread and the heaps without a thread hold back, chains and empty slabs included. Pages inside used slabs
// go back to the system: returns how many.
std::size_t give_back_everything();

// Looks at the clock, and at how much free memory is held: gives back what has not been wanted for a while. Called now
// and then from slow paths. Keeps errno.
void maintain();

// Whether more memory is free than may stay: then maintain() wants to be called often. Written by maintain().
[[gnu::visibility("hidden")]] extern constinit std::atomic<bool> g_purge_pending;
inline bool purge_pending() { return g_purge_pending.load(std::memory_order_relaxed); }  // relaxed: a hint

}  // namespace osmem
