// Invariants that hold in every build. A failed check prints one line without allocating, and aborts.
#pragma once

namespace osmem {

[[noreturn, gnu::cold]] void die(const char* reason, const void* pointer = nullptr);

inline void check(bool holds, const char* reason, const void* pointer = nullptr) {
  if (!holds) [[unlikely]] die(reason, pointer);
}

}  // namespace osmem
