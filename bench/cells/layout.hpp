// Where the parts of the workbench lie, relative to the program: the same in a build tree and in an installation.
#pragma once

#include <filesystem>
#include <vector>

namespace bench {

struct Layout {
  std::filesystem::path program;           // bench itself
  std::filesystem::path worker;            // libexec/bench-worker
  std::filesystem::path libraries;         // lib: the drop-in allocators built here
  std::filesystem::path workload_modules;  // lib/workloads
  std::filesystem::path share;             // share/osmem: suites, programs

  // Where allocators are looked for: ours first, then the system's folders.
  [[nodiscard]] std::vector<std::filesystem::path> library_folders() const;
};

// From /proc/self/exe. Throws std::runtime_error if there is no worker beside it.
Layout find_layout();

}  // namespace bench
