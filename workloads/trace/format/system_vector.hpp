// A vector whose memory comes straight from the system, a mapping each.
//
// Decoding a trace happens in the process that measures. Had its tables come from the allocator
// under test, their memory would be resident when the baseline is read, free when the clock starts,
// and then serve the replay unseen.
#pragma once

#include <sys/mman.h>

#include <cstddef>
#include <new>
#include <vector>

namespace trace {

template <typename T>
struct SystemAllocator {
  using value_type = T;

  SystemAllocator() = default;
  template <typename U>
  SystemAllocator(const SystemAllocator<U>&) {}  // NOLINT: allocators convert

  T* allocate(std::size_t count) {
    void* at = mmap(nullptr, count * sizeof(T), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS,
                    -1, 0);
    if (at == MAP_FAILED) {
      throw std::bad_alloc();
    }
    return static_cast<T*>(at);
  }
  void deallocate(T* at, std::size_t count) { munmap(static_cast<void*>(at), count * sizeof(T)); }

  template <typename U>
  friend bool operator==(const SystemAllocator&, const SystemAllocator<U>&) {
    return true;
  }
};

#if defined(FUZZING_BUILD_MODE_UNSAFE_FOR_PRODUCTION)  // libFuzzer's: bounds are seen on the heap
template <typename T>
using SystemVector = std::vector<T>;
#else
template <typename T>
using SystemVector = std::vector<T, SystemAllocator<T>>;
#endif

}  // namespace trace
