// Invariants that hold in every build, and wrong calls of the program. Either prints one line, in one write and without
// allocating, and aborts.
#pragma once

#include <cstddef>

namespace osmem {

[[noreturn, gnu::cold]] void die(const char* reason, const void* pointer = nullptr);

inline void check(bool holds, const char* reason, const void* pointer = nullptr) {
  if (!holds) [[unlikely]] die(reason, pointer);
}

// A call that the program must not make: "osmem: CALL(POINTER): WHAT; a block of N bytes". `block_bytes` 0: not known.
struct WrongCall {
  const char* call;
  const char* what;
  const void* pointer;
  std::size_t block_bytes = 0;
};

// Says so and aborts; with OSMEM_ON_ERROR=report it says so and returns, and the call is to have no effect. Takes no lock.
[[gnu::cold, gnu::noinline]] void wrong_call(const WrongCall& wrong);

// Written once, at start.
[[gnu::visibility("hidden")]] extern constinit bool g_errors_are_only_reported;

}  // namespace osmem
