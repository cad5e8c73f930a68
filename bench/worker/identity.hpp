// Proof that the allocator asked for is the one that serves this process.
#pragma once

#include <filesystem>

#include "bench/allocators/allocator.hpp"

namespace bench::worker {

// The allocator behind this process's malloc. Throws std::runtime_error that says who won the link, if it is not
// `library` (empty: the C library) or if one of free, calloc, realloc, posix_memalign comes from elsewhere.
allocators::Allocator prove_identity(const std::filesystem::path& library);

}  // namespace bench::worker
