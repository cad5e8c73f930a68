// The 8 replaceable forms of operator new and the 12 of operator delete over Core.
//
// This library neither links libstdc++ nor contains exception tables. A request that Core cannot
// serve is repeated by the C++ runtime's own operator new, which calls malloc or aligned_alloc
// (ours), runs the new-handler loop and throws bad_alloc, or catches it for the nothrow forms. That
// runtime is looked up at that moment, so that one which came later by dlopen is found too.
#include <dlfcn.h>

#include <cstdint>
#include <cstdlib>
#include <initializer_list>
#include <new>

#include "allocator/interpose/alignment.hpp"
#include "allocator/interpose/core.hpp"
#include "allocator/interpose/text.hpp"

namespace {

void* find_in_cxx_runtime(const char* symbol) noexcept {
  if (void* const found = dlsym(RTLD_NEXT, symbol)) {
    return found;
  }
  // A runtime that a plug-in brought along is not in the global scope; ask for it by name.
  for (const char* const name : {"libstdc++.so.6", "libc++abi.so.1", "libc++.so.1"}) {
    void* const runtime = dlopen(name, RTLD_LAZY | RTLD_NOLOAD);
    void* const found = runtime != nullptr ? dlsym(runtime, symbol) : nullptr;
    if (found != nullptr) {
      return found;
    }
  }
  interpose::Text message;
  message.add(
      "operator new: out of memory, and no C++ runtime is loaded that could throw bad_alloc\n");
  message.write_to(STDERR_FILENO);
  abort();
}

// The four behaviours of a failed request, one a runtime symbol. Cold, and each ends in the
// runtime.
[[gnu::cold, gnu::noinline]] void* retry(size_t size) {
  return reinterpret_cast<void* (*)(size_t)>(find_in_cxx_runtime("_Znwm"))(size);
}

[[gnu::cold, gnu::noinline]] void* retry(size_t size, std::align_val_t alignment) {
  using Function = void* (*)(size_t, std::align_val_t);
  return reinterpret_cast<Function>(find_in_cxx_runtime("_ZnwmSt11align_val_t"))(size, alignment);
}

[[gnu::cold, gnu::noinline]] void* retry(size_t size, const std::nothrow_t& tag) noexcept {
  using Function = void* (*)(size_t, const std::nothrow_t&);
  return reinterpret_cast<Function>(find_in_cxx_runtime("_ZnwmRKSt9nothrow_t"))(size, tag);
}

[[gnu::cold, gnu::noinline]] void* retry(size_t size, std::align_val_t alignment,
                                         const std::nothrow_t& tag) noexcept {
  using Function = void* (*)(size_t, std::align_val_t, const std::nothrow_t&);
  return reinterpret_cast<Function>(find_in_cxx_runtime("_ZnwmSt11align_val_tRKSt9nothrow_t"))(
      size, alignment, tag);
}

// What a miss of the hit path costs: the whole of malloc, then the runtime. `tag` is empty or
// nothrow.
template <typename... Tag>
[[gnu::noinline]] void* allocate_slow(size_t size, const Tag&... tag) noexcept(sizeof...(Tag) > 0) {
  void* const block = Core::malloc(size);
  return block != nullptr ? block : retry(size, tag...);
}

// The hit path, if the core offers it by itself, needs no frame: nothing has to outlive a call.
template <typename T>
void* hit(size_t size) noexcept {
  if constexpr (requires { T::try_malloc(size); }) {
    return T::try_malloc(size);
  } else {
    return nullptr;
  }
}

template <typename... Tag>
inline void* allocate(size_t size, const Tag&... tag) noexcept(sizeof...(Tag) > 0) {
  void* const block = hit<Core>(size);
  return block != nullptr ? block : allocate_slow(size, tag...);
}

template <typename... Tag>
void* allocate_aligned(size_t size, std::align_val_t alignment,
                       const Tag&... tag) noexcept(sizeof...(Tag) > 0) {
  // The runtime's aligned form rounds the size up to the alignment without looking whether it wraps.
  if (size > PTRDIFF_MAX) {
    return retry(size, tag...);
  }
  const auto value = static_cast<size_t>(alignment);
  const bool usable = interpose::is_power_of_two(value) && value <= size_t{1} << 62;
  void* const block = usable ? Core::aligned_alloc(value, size) : nullptr;
  return block != nullptr ? block : retry(size, alignment, tag...);
}

}  // namespace

INTERPOSE_EXPORT void* operator new(size_t size) { return allocate(size); }

INTERPOSE_EXPORT void* operator new[](size_t size) { return allocate(size); }

INTERPOSE_EXPORT void* operator new(size_t size, const std::nothrow_t& tag) noexcept {
  return allocate(size, tag);
}

INTERPOSE_EXPORT void* operator new[](size_t size, const std::nothrow_t& tag) noexcept {
  return allocate(size, tag);
}

INTERPOSE_EXPORT void* operator new(size_t size, std::align_val_t alignment) {
  return allocate_aligned(size, alignment);
}

INTERPOSE_EXPORT void* operator new[](size_t size, std::align_val_t alignment) {
  return allocate_aligned(size, alignment);
}

INTERPOSE_EXPORT void* operator new(size_t size, std::align_val_t alignment,
                                    const std::nothrow_t& tag) noexcept {
  return allocate_aligned(size, alignment, tag);
}

INTERPOSE_EXPORT void* operator new[](size_t size, std::align_val_t alignment,
                                      const std::nothrow_t& tag) noexcept {
  return allocate_aligned(size, alignment, tag);
}

INTERPOSE_EXPORT void operator delete(void* block) noexcept { Core::free(block); }

INTERPOSE_EXPORT void operator delete[](void* block) noexcept { Core::free(block); }

INTERPOSE_EXPORT void operator delete(void* block, const std::nothrow_t&) noexcept {
  Core::free(block);
}

INTERPOSE_EXPORT void operator delete[](void* block, const std::nothrow_t&) noexcept {
  Core::free(block);
}

INTERPOSE_EXPORT void operator delete(void* block, size_t size) noexcept {
  Core::free_sized(block, size);
}

INTERPOSE_EXPORT void operator delete[](void* block, size_t size) noexcept {
  Core::free_sized(block, size);
}

INTERPOSE_EXPORT void operator delete(void* block, std::align_val_t) noexcept { Core::free(block); }

INTERPOSE_EXPORT void operator delete[](void* block, std::align_val_t) noexcept {
  Core::free(block);
}

INTERPOSE_EXPORT void operator delete(void* block, std::align_val_t,
                                      const std::nothrow_t&) noexcept {
  Core::free(block);
}

INTERPOSE_EXPORT void operator delete[](void* block, std::align_val_t,
                                        const std::nothrow_t&) noexcept {
  Core::free(block);
}

INTERPOSE_EXPORT void operator delete(void* block, size_t size,
                                      std::align_val_t alignment) noexcept {
  Core::free_aligned_sized(block, static_cast<size_t>(alignment), size);
}

INTERPOSE_EXPORT void operator delete[](void* block, size_t size,
                                        std::align_val_t alignment) noexcept {
  Core::free_aligned_sized(block, static_cast<size_t>(alignment), size);
}
