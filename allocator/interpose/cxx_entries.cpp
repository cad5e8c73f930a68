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

using interpose::Family;

// What the operators ask of the core. One that does not tell families apart is asked as the C functions ask it.
template <typename T>
struct Calls {
  static constexpr Family kArray = Family::kNew;  // one code for both
  static void* malloc(Family, size_t size) noexcept { return T::malloc(size); }
  static void* aligned_alloc(Family, size_t alignment, size_t size) noexcept { return T::aligned_alloc(alignment, size); }
  static void* claimed(Family, void* block) noexcept { return block; }
  static void free(Family, void* block) noexcept { T::free(block); }
  static void free_sized(Family, void* block, size_t size) noexcept { T::free_sized(block, size); }
  static void free_aligned_sized(Family, void* block, std::align_val_t alignment, size_t size) noexcept {
    T::free_aligned_sized(block, static_cast<size_t>(alignment), size);
  }
};
template <interpose::TellsFamilies T>
struct Calls<T> {
  static constexpr Family kArray = Family::kNewArray;
  static void* malloc(Family family, size_t size) noexcept { return T::malloc_for(family, size); }
  static void* aligned_alloc(Family family, size_t alignment, size_t size) noexcept {
    return T::aligned_alloc_for(family, alignment, size);
  }
  // The C++ runtime has got it from malloc.
  static void* claimed(Family family, void* block) noexcept {
    if (block != nullptr) T::claim_for(family, block);
    return block;
  }
  static void free(Family family, void* block) noexcept { T::free_for(family, block); }
  static void free_sized(Family family, void* block, size_t size) noexcept { T::free_sized_for(family, block, size); }
  static void free_aligned_sized(Family family, void* block, std::align_val_t alignment, size_t size) noexcept {
    T::free_aligned_sized_for(family, block, static_cast<size_t>(alignment), size);
  }
};
using Asked = Calls<Core>;
constexpr Family kNew = Family::kNew;
constexpr Family kArray = Asked::kArray;

// What a miss of the hit path costs: the whole of malloc, then the runtime. `tag` is empty or
// nothrow.
template <Family kFamily, typename... Tag>
[[gnu::noinline]] void* allocate_slow(size_t size, const Tag&... tag) noexcept(sizeof...(Tag) > 0) {
  void* const block = Asked::malloc(kFamily, size);
  return block != nullptr ? block : Asked::claimed(kFamily, retry(size, tag...));
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

template <Family kFamily, typename... Tag>
inline void* allocate(size_t size, const Tag&... tag) noexcept(sizeof...(Tag) > 0) {
  void* const block = hit<Core>(size);
  return block != nullptr ? block : allocate_slow<kFamily>(size, tag...);
}

template <Family kFamily, typename... Tag>
void* allocate_aligned(size_t size, std::align_val_t alignment,
                       const Tag&... tag) noexcept(sizeof...(Tag) > 0) {
  // The runtime's aligned form rounds the size up to the alignment without looking whether it wraps.
  if (size > PTRDIFF_MAX) {
    return retry(size, tag...);
  }
  const auto value = static_cast<size_t>(alignment);
  const bool usable = interpose::is_power_of_two(value) && value <= size_t{1} << 62;
  void* const block = usable ? Asked::aligned_alloc(kFamily, value, size) : nullptr;
  return block != nullptr ? block : Asked::claimed(kFamily, retry(size, alignment, tag...));
}

}  // namespace

INTERPOSE_EXPORT void* operator new(size_t size) { return allocate<kNew>(size); }

INTERPOSE_EXPORT void* operator new[](size_t size) { return allocate<kArray>(size); }

INTERPOSE_EXPORT void* operator new(size_t size, const std::nothrow_t& tag) noexcept {
  return allocate<kNew>(size, tag);
}

INTERPOSE_EXPORT void* operator new[](size_t size, const std::nothrow_t& tag) noexcept {
  return allocate<kArray>(size, tag);
}

INTERPOSE_EXPORT void* operator new(size_t size, std::align_val_t alignment) {
  return allocate_aligned<kNew>(size, alignment);
}

INTERPOSE_EXPORT void* operator new[](size_t size, std::align_val_t alignment) {
  return allocate_aligned<kArray>(size, alignment);
}

INTERPOSE_EXPORT void* operator new(size_t size, std::align_val_t alignment,
                                    const std::nothrow_t& tag) noexcept {
  return allocate_aligned<kNew>(size, alignment, tag);
}

INTERPOSE_EXPORT void* operator new[](size_t size, std::align_val_t alignment,
                                      const std::nothrow_t& tag) noexcept {
  return allocate_aligned<kArray>(size, alignment, tag);
}

INTERPOSE_EXPORT void operator delete(void* block) noexcept { Asked::free(kNew, block); }

INTERPOSE_EXPORT void operator delete[](void* block) noexcept { Asked::free(kArray, block); }

INTERPOSE_EXPORT void operator delete(void* block, const std::nothrow_t&) noexcept {
  Asked::free(kNew, block);
}

INTERPOSE_EXPORT void operator delete[](void* block, const std::nothrow_t&) noexcept {
  Asked::free(kArray, block);
}

INTERPOSE_EXPORT void operator delete(void* block, size_t size) noexcept {
  Asked::free_sized(kNew, block, size);
}

INTERPOSE_EXPORT void operator delete[](void* block, size_t size) noexcept {
  Asked::free_sized(kArray, block, size);
}

INTERPOSE_EXPORT void operator delete(void* block, std::align_val_t) noexcept { Asked::free(kNew, block); }

INTERPOSE_EXPORT void operator delete[](void* block, std::align_val_t) noexcept {
  Asked::free(kArray, block);
}

INTERPOSE_EXPORT void operator delete(void* block, std::align_val_t,
                                      const std::nothrow_t&) noexcept {
  Asked::free(kNew, block);
}

INTERPOSE_EXPORT void operator delete[](void* block, std::align_val_t,
                                        const std::nothrow_t&) noexcept {
  Asked::free(kArray, block);
}

INTERPOSE_EXPORT void operator delete(void* block, size_t size,
                                      std::align_val_t alignment) noexcept {
  Asked::free_aligned_sized(kNew, block, alignment, size);
}

INTERPOSE_EXPORT void operator delete[](void* block, size_t size,
                                        std::align_val_t alignment) noexcept {
  Asked::free_aligned_sized(kArray, block, alignment, size);
}
