#include "bench/allocators/allocator.hpp"

#include <dlfcn.h>
#include <gnu/lib-names.h>
#include <link.h>

#include <stdexcept>

namespace allocators {

LoadedLibrary::LoadedLibrary(const std::filesystem::path& library) {
  const std::string name = library.empty() ? LIBC_SO : library.string();
  void* handle = dlopen(name.c_str(), RTLD_LAZY | RTLD_NOLOAD);
  if (handle == nullptr) {
    throw std::runtime_error(name + " is not loaded in this process");
  }
  handle_ = std::shared_ptr<void>(handle, [](void* h) { dlclose(h); });
  link_map* map = nullptr;
  if (dlinfo(handle, RTLD_DI_LINKMAP, &map) != 0) {
    throw std::runtime_error(name + ": the loader does not describe it");
  }
  Dl_info info{};
  if (dladdr(map->l_ld, &info) == 0) {
    throw std::runtime_error(name + ": the loader does not know its image");
  }
  base_ = info.dli_fbase;
  path_ = map->l_name;
}

bool LoadedLibrary::contains(const void* address) const {
  Dl_info info{};
  return dladdr(address, &info) != 0 && info.dli_fbase == base_;
}

void* LoadedLibrary::address(const char* name) const {
  void* found = dlsym(handle_.get(), name);
  return found != nullptr && contains(found) ? found : nullptr;
}

Allocator::Allocator(LoadedLibrary library, const Adapter& adapter)
    : library_(std::move(library)), adapter_(&adapter) {
  entry_points_.malloc = library_.function<void*(std::size_t)>("malloc");
  entry_points_.free = library_.function<void(void*)>("free");
  entry_points_.calloc = library_.function<void*(std::size_t, std::size_t)>("calloc");
  entry_points_.realloc = library_.function<void*(void*, std::size_t)>("realloc");
  entry_points_.aligned_alloc = library_.function<void*(std::size_t, std::size_t)>("aligned_alloc");
  entry_points_.malloc_usable_size = library_.function<std::size_t(void*)>("malloc_usable_size");
}

const std::vector<std::string>& required_entry_points() {
  static const std::vector<std::string> kNames = {
      "malloc",         "free",          "calloc",   "realloc",
      "posix_memalign", "aligned_alloc", "memalign", "malloc_usable_size"};
  return kNames;
}

}  // namespace allocators
