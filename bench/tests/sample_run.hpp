// A made-up run for the tests of stats and output: no figure in it was measured. Deterministic,
// small, and with every kind of cell that a report must show.
#pragma once

#include "bench/output/report.hpp"

namespace bench::sample_run {

// 6 blocks, 5 allocators, 3 workloads; jemalloc crashes in one cell and glibc, the baseline, times
// out in another.
RunFacts facts();
std::vector<Sample> samples();

// Digest of both.
Report report();

}  // namespace bench::sample_run
