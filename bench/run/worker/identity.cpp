#include "bench/run/worker/identity.hpp"

#include <dlfcn.h>
#include <gnu/lib-names.h>
#include <stdlib.h>
#include <sys/stat.h>

#include <stdexcept>
#include <string>

#include "allocator/adapters/adapters.hpp"

namespace bench::worker {
namespace {

// The file of the object that defines the function, as the loader opened it.
std::string file_of(const char* function) {
  // Resolved as a call from any library of this process would be: the first definition in link order.
  void* address = dlsym(RTLD_DEFAULT, function);
  Dl_info info{};
  if (address == nullptr || dladdr(address, &info) == 0) {
    throw std::runtime_error(std::string("nobody defines ") + function);
  }
  return info.dli_fname;
}

bool same_file(const std::string& a, const std::string& b) {
  struct stat first{};
  struct stat second{};
  return stat(a.c_str(), &first) == 0 && stat(b.c_str(), &second) == 0 && first.st_dev == second.st_dev &&
         first.st_ino == second.st_ino;
}

bool is_c_library(const std::string& file) { return std::filesystem::path(file).filename() == LIBC_SO; }

}  // namespace

allocators::Allocator prove_identity(const std::filesystem::path& library) {
  for (const char* function : {"malloc", "free", "calloc", "realloc", "posix_memalign"}) {
    const std::string found = file_of(function);
    const bool expected = library.empty() ? is_c_library(found) : same_file(found, library.string());
    if (!expected) {
      throw std::runtime_error(std::string("not the allocator asked for: ") + function + " is served by " + found +
                               ", not by " + (library.empty() ? std::string(LIBC_SO) : library.string()));
    }
  }
  // What this program itself calls, bound when it was linked, must agree with what the loader finds by name.
  Dl_info bound{};
  const auto called = reinterpret_cast<void*>(&::malloc);
  if (dladdr(called, &bound) == 0 || !same_file(bound.dli_fname, file_of("malloc"))) {
    throw std::runtime_error("not the allocator asked for: this program's own calls of malloc go elsewhere");
  }
  return allocators::loaded_allocator(library.empty() ? std::filesystem::path() : library);
}

}  // namespace bench::worker
