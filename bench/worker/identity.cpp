#include "bench/worker/identity.hpp"

#include <dlfcn.h>
#include <gnu/lib-names.h>
#include <stdlib.h>
#include <sys/stat.h>

#include <array>
#include <stdexcept>
#include <string>

#include "bench/allocators/adapters/adapters.hpp"
#include "bench/measure/call_timer/call_timer.hpp"

namespace bench::worker {
namespace {

// A function as this program's own calls reach it: bound by the loader, version and all, as every library's calls are.
// dlsym would not do: it also finds a definition whose version no caller asks for.
struct Bound {
  const char* name;
  void* address;
};

std::array<Bound, 5> bound_functions() {
  return {{{"malloc", reinterpret_cast<void*>(&::malloc)},
           {"free", reinterpret_cast<void*>(&::free)},
           {"calloc", reinterpret_cast<void*>(&::calloc)},
           {"realloc", reinterpret_cast<void*>(&::realloc)},
           {"posix_memalign", reinterpret_cast<void*>(&::posix_memalign)}}};
}

// Behind the timer of calls the one that it passes a call on to; else the function itself.
void* serving(const Bound& function) {
  const CallTimer timer = find_call_timer();
  return timer.target != nullptr ? timer.target(function.name) : function.address;
}

// The file of the object that an address lies in, as the loader opened it.
std::string file_of(const Bound& function) {
  Dl_info info{};
  if (dladdr(serving(function), &info) == 0) {
    throw std::runtime_error(std::string("the loader does not know whose ") + function.name + " this is");
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
  for (const Bound& function : bound_functions()) {
    const std::string found = file_of(function);
    const bool expected = library.empty() ? is_c_library(found) : same_file(found, library.string());
    if (!expected) {
      throw std::runtime_error(std::string("not the allocator asked for: ") + function.name + " is served by " + found +
                               ", not by " + (library.empty() ? std::string(LIBC_SO) : library.string()));
    }
  }
  return allocators::loaded_allocator(library);
}

}  // namespace bench::worker
