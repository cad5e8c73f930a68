// The order of writes that a fork can tell apart.
//
// No lock is taken before a fork, so the child gets what another thread had written up to some point, and nothing behind
// it. Data that the child goes on to use is written such that every such prefix can be repaired; this call keeps the
// compiler from changing the order. The processor's own order does not matter: the kernel stops a writer at its first
// write to a page that has been copied.
#pragma once

#include <atomic>

namespace osmem {

inline void order_writes() {
  std::atomic_signal_fence(std::memory_order_seq_cst);  // seq_cst: nothing moves; no instruction is made of it
}

}  // namespace osmem
