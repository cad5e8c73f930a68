// bench: which memory allocator suits which work, and by how much. Errors of all commands are reported here, once.
#include <cstdio>
#include <exception>

#include "bench/cli/commands.hpp"
#include "bench/process/process.hpp"

int main(int argc, char** argv) {
  bench::hold_standard_descriptors();
  try {
    return bench::cli::dispatch({{argv + 1, argv + argc}, {}});
  } catch (const std::exception& error) {
    std::fprintf(stderr, "bench: %s\n", error.what());
    return bench::cli::kUsage;
  }
}
