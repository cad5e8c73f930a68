// What the heap says about itself: figures, leaks, a map. Never allocates; may be called at exit.
#pragma once

#include <cstddef>

#include "allocator/interpose/core_contract.hpp"

namespace osmem {

// Writes the heap's figures, total and by size class, as text for people or as one JSON object.
bool write_stats(int fd, bool as_json);

// The figures that mallinfo2 and malloc_info report.
void fill_numbers(interpose::Numbers& out);

}  // namespace osmem
