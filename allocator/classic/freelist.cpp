// libosmem-freelist.so: the C interface over the list heap.
#include "allocator/classic/freelist.h"

#include "allocator/classic/freelist.hpp"
#include "allocator/classic/locked_heap.hpp"

namespace {

constinit classic::LockedHeap<classic::FreelistHeap<>> heap;

[[gnu::constructor]] void register_fork_handlers() { classic::fork_with<heap>(); }

using Word [[gnu::may_alias]] = std::uint64_t;

}  // namespace

extern "C" {

void* memalloc(size_t size) { return heap.allocate(size); }
void* defalloc(size_t nmemb, size_t size) { return heap.allocate_zeroed(nmemb, size); }
void memfree(void* ptr) { heap.release(ptr); }
void* memresize(void* ptr, size_t size) { return heap.resize(ptr, size); }

void* memdup(const void* src, size_t size) {
  void* copy = src == nullptr ? nullptr : heap.allocate(size);
  if (copy != nullptr) {
    std::memcpy(copy, src, size);
  }
  return copy;
}

void* memoryset(void* ptr, int value, size_t size) {
  const auto byte = static_cast<unsigned char>(value);
  const Word word = byte * std::uint64_t{0x0101010101010101};
  auto* at = static_cast<unsigned char*>(ptr);
  unsigned char* const end = at + size;
  for (; at != end && reinterpret_cast<std::uintptr_t>(at) % sizeof word != 0; ++at) {
    *at = byte;
  }
  for (; end - at >= static_cast<std::ptrdiff_t>(sizeof word); at += sizeof word) {
    *reinterpret_cast<Word*>(at) = word;
  }
  for (; at != end; ++at) {
    *at = byte;
  }
  return ptr;
}

}  // extern "C"
