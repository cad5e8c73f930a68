// An account of committed memory, for emulating vm.overcommit_memory=2: in that mode the kernel counts every private page
// that may be written, touched or not, and refuses what goes beyond a budget. Setting the mode would change the whole
// machine; so the wrapped memory calls of faults.cpp keep this account instead and refuse by it.
//
// The budget stands in the environment, OSMEM_TEST_COMMIT_BUDGET=BYTES; without it nothing is counted.
// Thread-safe. Ranges are whole pages.
#pragma once

#include <cstddef>

namespace commit_budget {

// Counts the pages of the range that are not counted yet; false, and nothing is counted, if that goes beyond the budget.
bool charge(const void* address, size_t bytes);

// Whether so many more bytes are within the budget.
bool has_room(size_t bytes);

// The range is no longer mapped.
void release(const void* address, size_t bytes);

}  // namespace commit_budget
