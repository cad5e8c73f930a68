// Takes away what would tell two runs of one library apart: each library is measured from a copy beside the others, under a path of the
// same length, on the same file system.
#pragma once

#include <filesystem>
#include <vector>

#include "bench/allocators/allocator.hpp"
#include "bench/stats/warning.hpp"

namespace bench {

// Copies each allocator's library into `folder`, which exists, and makes `library` the copy and `original` what it was. One that looks for
// others beside it ($ORIGIN) stays where it is, as do all where nothing may be executed from `folder`; a warning says so. Throws
// std::filesystem::filesystem_error if a copy cannot be written.
std::vector<Warning> stage_libraries(std::vector<allocators::Candidate>& allocators, const std::filesystem::path& folder);

}  // namespace bench
