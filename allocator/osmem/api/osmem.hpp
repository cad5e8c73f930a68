// osmem for C++ containers: a memory resource for std::pmr, and an allocator for everything else.
//
//   std::pmr::vector<int> v(osmem::resource());
//   std::vector<int, osmem::Allocator<int>> w;
//
// Both are stateless and thread-safe, as osmem is; failure throws std::bad_alloc. Header-only: link with libosmem.
#pragma once

#include <cstddef>
#include <limits>
#include <memory_resource>
#include <new>

#include "osmem.h"

namespace osmem {

class MemoryResource final : public std::pmr::memory_resource {
 private:
  void* do_allocate(std::size_t bytes, std::size_t alignment) override {
    void* block = alignment <= alignof(std::max_align_t) ? os_malloc(bytes) : os_aligned_alloc(alignment, bytes);
    if (block == nullptr) throw std::bad_alloc();
    return block;
  }
  void do_deallocate(void* block, std::size_t bytes, std::size_t) override { os_free_sized(block, bytes); }
  bool do_is_equal(const std::pmr::memory_resource& other) const noexcept override {
    return dynamic_cast<const MemoryResource*>(&other) != nullptr;
  }
};

// The one resource of the process; never destroyed, so containers of static storage duration may use it.
inline std::pmr::memory_resource* resource() noexcept {
  alignas(MemoryResource) static std::byte storage[sizeof(MemoryResource)];
  static MemoryResource* const instance = new (storage) MemoryResource;
  return instance;
}

template <typename T>
class Allocator {
 public:
  using value_type = T;

  constexpr Allocator() noexcept = default;
  template <typename U>
  constexpr Allocator(const Allocator<U>&) noexcept {}  // NOLINT: converting by requirement

  [[nodiscard]] T* allocate(std::size_t count) {
    if (count > std::numeric_limits<std::size_t>::max() / sizeof(T)) throw std::bad_array_new_length();
    void* block = alignof(T) <= alignof(std::max_align_t) ? os_malloc(count * sizeof(T))
                                                          : os_aligned_alloc(alignof(T), count * sizeof(T));
    if (block == nullptr) throw std::bad_alloc();
    return static_cast<T*>(block);
  }
  void deallocate(T* block, std::size_t count) noexcept { os_free_sized(block, count * sizeof(T)); }

  template <typename U>
  friend constexpr bool operator==(const Allocator&, const Allocator<U>&) noexcept {
    return true;
  }
};

}  // namespace osmem
