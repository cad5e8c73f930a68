// Makes the memory calls of osmem's system layer fail on request. Linked with --wrap for each call,
// so that every call in the program's own objects comes here first; the C library's own calls do
// not.
//
// The plan stands in the environment, OSMEM_TEST_FAULTS=CALL:once|on:N, as the first calls come
// before main: the N-th of these calls fails, alone ("once") or with all that follow ("on"). CALL
// is mmap, munmap, mprotect, madvise, mremap or sbrk. OSMEM_TEST_COMMIT_BUDGET (commit_budget.hpp)
// refuses by the amount; OSMEM_TEST_HUGE_PAGES=1 asks for huge pages behind every mapping.
#pragma once

#include <cstddef>
#include <cstdint>

namespace faults {

// Advises huge pages behind a new mapping, if the environment asks for it.
void want_huge_pages(void* address, size_t bytes);

// From now on no planned fault comes; a budget stays.
void clear();

// How many calls of the planned kind were made so far.
uint64_t calls_made();

}  // namespace faults
