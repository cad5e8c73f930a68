// Reads the samples.csv of an earlier part of a run.
#pragma once

#include <filesystem>
#include <vector>

#include "bench/run/sample.hpp"

namespace bench {

// All whole rows; one that a kill cut off at the end of the file is left out. Throws std::runtime_error that names the
// file and the line of a row that is no sample.
std::vector<Sample> read_samples(const std::filesystem::path& file);

}  // namespace bench
