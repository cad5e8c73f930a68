// What the processor refuses beside our blocks: an access that misses them by far, or comes after a large block's end.
//
// A handler of SIGSEGV and SIGBUS, set when the library is loaded if the program has none. Where the address lies in the heap's
// reserved part or within 2 MiB of a mapping it prints one line and aborts; any other fault goes on as if there were
// no handler. A program that sets its own handler replaces this one.
#pragma once

#include <cstddef>
#include <cstdint>

namespace osmem::hardened {

void watch_faults();

// A large block has been given back: the last 64 are remembered. Thread-safe.
void note_freed_mapping(std::uintptr_t start, std::size_t bytes);

}  // namespace osmem::hardened
