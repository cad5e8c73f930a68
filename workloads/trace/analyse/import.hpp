// Makes traces of what other recorders leave: mtrace logs of the C library, and files of heaptrack.
//
// Both say less than a trace does. mtrace: one thread, no times, no kinds but malloc, free and
// realloc. heaptrack (version 1 of its format, as heaptrack_interpret writes it): one thread,
// coarse times; a free names the size and place of the allocation, not the object, so of equal ones
// the last is freed; a realloc is a free and a malloc.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>

#include "workloads/trace/format/format.hpp"

namespace trace {

struct Imported {
  std::string format;  // "mtrace" or "heaptrack"
  Totals totals;
  std::uint64_t unknown = 0;  // frees without an allocation; left out
  std::uint64_t missed = 0;   // allocations of a live address; its free was put in
};

// Reads plain, gzip or zstd files. Throws TraceError, with the number of the line that cannot be
// read, and leaves no `out` then.
Imported import_file(const std::filesystem::path& file, const std::filesystem::path& out);

// One line.
std::string describe(const Imported& imported, const std::filesystem::path& out);

}  // namespace trace
