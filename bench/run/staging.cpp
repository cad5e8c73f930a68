#include "bench/run/staging.hpp"

#include <sys/statvfs.h>

#include <fstream>
#include <iterator>
#include <string>
#include <utility>

namespace bench {
namespace {

namespace fs = std::filesystem;

bool may_execute_from(const fs::path& folder) {
  struct statvfs system {};
  return statvfs(folder.c_str(), &system) == 0 && (system.f_flag & ST_NOEXEC) == 0;
}

// Its name for the loader ends in .so; the number makes it unique, and always has as many digits.
fs::path staged_name(std::size_t number) {
  const std::string digits = std::to_string(number);
  return "library-" + std::string(digits.size() < 3 ? 3 - digits.size() : 0, '0') + digits + ".so";
}

bool looks_beside_itself(const fs::path& library) {
  std::ifstream in(library, std::ios::binary);
  const std::string bytes{std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>()};
  return bytes.find("$ORIGIN") != std::string::npos || bytes.find("${ORIGIN}") != std::string::npos;
}

}  // namespace

std::vector<Warning> stage_libraries(std::vector<allocators::Candidate>& allocators, const fs::path& folder) {
  std::vector<Warning> warnings;
  if (!may_execute_from(folder)) {
    return {{"libraries are measured where they lie, since nothing may be executed from " + folder.string() +
                 ": lengths of paths and file systems differ, which alone makes up to 2 %",
             "set TMPDIR to a folder on a file system that is not mounted noexec"}};
  }
  for (std::size_t i = 0; i < allocators.size(); ++i) {
    allocators::Candidate& allocator = allocators[i];
    std::error_code unreadable;  // it fails when it is put to work, with the loader's own words
    if (allocator.library.empty() || !fs::is_regular_file(allocator.library, unreadable)) {
      continue;
    }
    if (looks_beside_itself(allocator.library)) {
      warnings.push_back({allocator.name + " is measured where it lies, since it looks for other libraries beside it: its path has another length "
                                           "than those of the others, which alone makes up to 2 %",
                          "install those libraries where the loader finds them, or take differences below 2 % for nothing"});
      continue;
    }
    const fs::path copy = folder / staged_name(i);
    fs::copy_file(allocator.library, copy, fs::copy_options::overwrite_existing);
    allocator.original = std::exchange(allocator.library, copy);
  }
  return warnings;
}

}  // namespace bench
