// What the heap says about itself: figures, leaks, a map. Never allocates; may be called at exit.
#pragma once

#include <cstddef>

namespace osmem {

// Writes the heap's figures, total and by size class, as text for people or as one JSON object.
bool write_stats(int fd, bool as_json);

}  // namespace osmem
