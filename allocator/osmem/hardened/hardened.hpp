// The allocation functions with checks: what libosmem-hardened.so hands out. HARDENING.md says what they see.
//
// Thread-safe. Errors of the program go to wrong_call(): one line and an abort.
#pragma once

#include <cstddef>
#include <cstdint>

#include "allocator/interpose/core_contract.hpp"

namespace osmem::hardened {

using interpose::Family;

// What the caller of a free has said of the block.
struct Release {
  const char* call;                // for the error line
  std::size_t size = SIZE_MAX;     // SIZE_MAX: nothing
  std::size_t alignment = 1;
  Family family = Family::kC;
};

void* allocate(std::size_t size, Family family = Family::kC);
void* allocate_zeroed(std::size_t count, std::size_t size);
void* allocate_aligned(std::size_t alignment, std::size_t size, Family family = Family::kC);  // a power of two
void* reallocate(void* ptr, std::size_t size);
void release(void* ptr, const Release& told);
// The block, which a C function has just handed out, is one of that family.
void claim(void* ptr, Family family);
// What was asked for: there is nothing behind it to use.
std::size_t usable_size(const void* ptr);
// Empties the quarantine as well. Bytes given back.
std::size_t trim(std::size_t keep_bytes);

}  // namespace osmem::hardened
