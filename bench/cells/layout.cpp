#include "bench/cells/layout.hpp"

#include <stdexcept>

#include "bench/allocators/registry.hpp"

namespace bench {

namespace fs = std::filesystem;

std::vector<fs::path> Layout::library_folders() const {
  std::vector<fs::path> folders = {libraries};
  for (auto& folder : allocators::system_library_folders()) {
    folders.push_back(std::move(folder));
  }
  return folders;
}

Layout find_layout() {
  Layout layout;
  layout.program = fs::read_symlink("/proc/self/exe");
  const fs::path prefix = layout.program.parent_path().parent_path();
  layout.worker = prefix / "libexec" / "bench-worker";
  // An installation may keep libraries in a folder of the architecture: lib/x86_64-linux-gnu.
  layout.libraries = fs::exists(prefix / OSMEM_LIBDIR / "libosmem.so") ? prefix / OSMEM_LIBDIR : prefix / "lib";
  layout.workload_modules = layout.libraries / "workloads";
  layout.share = prefix / "share" / "osmem";
  if (!fs::exists(layout.worker)) {
    throw std::runtime_error(layout.worker.string() + " is missing; build or install the project as a whole");
  }
  return layout;
}

}  // namespace bench
