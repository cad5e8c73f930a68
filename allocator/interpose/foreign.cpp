// Finds the C library's own entry points behind ours, once, and forwards to them.
#include "allocator/interpose/foreign.hpp"

#include <dlfcn.h>

#include <atomic>
#include <cstdlib>

#include "allocator/interpose/text.hpp"

namespace {

// The handle is asked for by name, not as RTLD_NEXT: a second preloaded allocator may stand in
// between.
void* find_in_c_library(const char* name) {
  void* const library = dlopen("libc.so.6", RTLD_LAZY | RTLD_NOLOAD);
  void* const found = library != nullptr ? dlsym(library, name) : dlsym(RTLD_NEXT, name);
  if (found == nullptr) {
    interpose::Text message;
    message.add("the C library has no ").add(name).add(": cannot pass it a block of its own\n");
    message.write_to(2);
    abort();
  }
  return found;
}

// Relaxed on both sides: the address is the same whoever finds it, and nothing else is published by
// it.
void* find_once(std::atomic<void*>& cache, const char* name) {
  void* found = cache.load(std::memory_order_relaxed);
  if (found == nullptr) {
    found = find_in_c_library(name);
    cache.store(found, std::memory_order_relaxed);  // relaxed: see above
  }
  return found;
}

constinit std::atomic<void*> c_free{nullptr};
constinit std::atomic<void*> c_realloc{nullptr};
constinit std::atomic<void*> c_usable_size{nullptr};

}  // namespace

extern "C" {

void interpose_foreign_free(void* block) noexcept {
  reinterpret_cast<void (*)(void*)>(find_once(c_free, "free"))(block);
}

void* interpose_foreign_realloc(void* block, size_t size) noexcept {
  return reinterpret_cast<void* (*)(void*, size_t)>(find_once(c_realloc, "realloc"))(block, size);
}

size_t interpose_foreign_usable_size(void* block) noexcept {
  return reinterpret_cast<size_t (*)(void*)>(find_once(c_usable_size, "malloc_usable_size"))(block);
}
}
