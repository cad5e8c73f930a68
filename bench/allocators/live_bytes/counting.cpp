#include <atomic>
#include <bit>
#include <cerrno>
#include <cstdint>
#include <cstring>

#include "allocator/interpose/foreign.hpp"
#include "bench/allocators/live_bytes/core.hpp"
#include "bench/allocators/live_bytes/live_bytes.h"

// This drop-in does not export the __libc_ names, so they are the C library's, bound at load: no
// lookup at run time, which would have to work before the first allocation.
extern "C" {
void* __libc_malloc(size_t size) noexcept;
void* __libc_calloc(size_t count, size_t size) noexcept;
void* __libc_realloc(void* block, size_t size) noexcept;
void* __libc_memalign(size_t alignment, size_t size) noexcept;
void __libc_free(void* block) noexcept;
}

namespace {

struct Tag {
  uint64_t size_bytes;
  uint64_t mark;  // mark_of(block) | log2(offset)
};
static_assert(sizeof(Tag) == 16);

constexpr size_t kTagBytes = sizeof(Tag);
constexpr uint64_t kShiftMask = 63;
constexpr size_t kLargestRequest = PTRDIFF_MAX;

// All counters are relaxed: each is exact by its own read-modify-writes, and none guards other
// data.
constinit std::atomic<uint64_t> live_bytes{0};
constinit std::atomic<uint64_t> peak_bytes{0};
constinit std::atomic<uint64_t> call_count{0};

uint64_t mark_of(const void* block) noexcept {
  return (reinterpret_cast<uint64_t>(block) * 0x9e3779b97f4a7c15u ^ 0x6c6976652d627974u) &
         ~kShiftMask;
}

Tag* tag_of(void* block) noexcept { return static_cast<Tag*>(block) - 1; }
const Tag* tag_of(const void* block) noexcept { return static_cast<const Tag*>(block) - 1; }

// In front of a block of the C library stand its own 16 bytes, so the tag may be read in any case.
bool is_tagged(const void* block) noexcept {
  return (tag_of(block)->mark & ~kShiftMask) == mark_of(block);
}

size_t offset_of(const void* block) noexcept {
  return size_t{1} << (tag_of(block)->mark & kShiftMask);
}

void add_live(uint64_t size) noexcept {
  const uint64_t live =
      live_bytes.fetch_add(size, std::memory_order_relaxed) + size;  // see counters
  uint64_t peak = peak_bytes.load(std::memory_order_relaxed);        // see counters
  while (peak < live && !peak_bytes.compare_exchange_weak(peak, live, std::memory_order_relaxed)) {
  }
}

void subtract_live(uint64_t size) noexcept {
  live_bytes.fetch_sub(size, std::memory_order_relaxed);  // see counters
}

void count_call() noexcept {
  call_count.fetch_add(1, std::memory_order_relaxed);  // see counters
}

void* fail_out_of_memory() noexcept {
  errno = ENOMEM;
  return nullptr;
}

// Marks the block at base + offset as live; null stays null, with the errno of whoever failed.
void* tag_block(void* base, size_t offset, size_t size) noexcept {
  if (base == nullptr) {
    return nullptr;
  }
  void* const block = static_cast<char*>(base) + offset;
  *tag_of(block) = {size, mark_of(block) | static_cast<uint64_t>(std::countr_zero(offset))};
  add_live(size);
  count_call();
  return block;
}

// Takes the tag away, so that a second free of the block is seen as foreign, and gives the memory
// back.
void release(void* block) noexcept {
  const size_t offset = offset_of(block);
  subtract_live(tag_of(block)->size_bytes);
  tag_of(block)->mark = 0;
  __libc_free(static_cast<char*>(block) - offset);
}

// A resize by the C library, in place or by moving pages where it can: a program that grows a large
// block in small steps would take quadratic time otherwise. The tag goes first, for the old address
// may be in use again before this call returns; a failure brings it back.
void* resize(void* block, size_t size) noexcept {
  const Tag old = *tag_of(block);
  tag_of(block)->mark = 0;
  void* const base = __libc_realloc(static_cast<char*>(block) - kTagBytes, size + kTagBytes);
  if (base == nullptr) {
    *tag_of(block) = old;
    return nullptr;
  }
  subtract_live(old.size_bytes);
  return tag_block(base, kTagBytes, size);
}

// A resize of a block with an alignment of its own, which the C library's realloc does not know.
void* move(void* block, size_t size) noexcept {
  void* const base = __libc_malloc(size + kTagBytes);
  if (base == nullptr) {
    return nullptr;
  }
  const size_t old_size = tag_of(block)->size_bytes;
  memcpy(static_cast<char*>(base) + kTagBytes, block, old_size < size ? old_size : size);
  release(block);
  return tag_block(base, kTagBytes, size);
}

}  // namespace

void* Core::malloc(size_t size) noexcept {
  return size > kLargestRequest - kTagBytes
             ? fail_out_of_memory()
             : tag_block(__libc_malloc(size + kTagBytes), kTagBytes, size);
}

void Core::free(void* block) noexcept {
  const int saved_errno = errno;
  if (block == nullptr) {
    return;
  }
  if (is_tagged(block)) {
    count_call();
    release(block);
  } else {
    interpose_foreign_free(block);
  }
  errno = saved_errno;
}

void* Core::calloc(size_t count, size_t size) noexcept {
  size_t bytes = 0;
  if (__builtin_mul_overflow(count, size, &bytes) || bytes > kLargestRequest - kTagBytes) {
    return fail_out_of_memory();
  }
  return tag_block(__libc_calloc(1, bytes + kTagBytes), kTagBytes, bytes);
}

void* Core::aligned_alloc(size_t alignment, size_t size) noexcept {
  const size_t offset = alignment > kTagBytes ? alignment : kTagBytes;
  if (size > kLargestRequest - offset) {
    return fail_out_of_memory();
  }
  return tag_block(__libc_memalign(offset, size + offset), offset, size);
}

// Live bytes rise and fall as the program asked, and never hold both copies, as no program
// requested two.
void* Core::realloc(void* block, size_t size) noexcept {
  if (block == nullptr) {
    return malloc(size);
  }
  if (size == 0) {
    free(block);
    return nullptr;
  }
  if (!is_tagged(block)) {
    return interpose_foreign_realloc(block, size);
  }
  if (size > kLargestRequest - kTagBytes) {
    return fail_out_of_memory();
  }
  return offset_of(block) == kTagBytes ? resize(block, size) : move(block, size);
}

size_t Core::usable_size(const void* block) noexcept {
  if (block == nullptr) {
    return 0;
  }
  return is_tagged(block) ? tag_of(block)->size_bytes
                          : interpose_foreign_usable_size(const_cast<void*>(block));
}

void Core::stats(interpose::Numbers& out) noexcept {
  out.allocated_bytes = live_bytes_now();
  out.heap_bytes = live_bytes_now();
}

extern "C" {

__attribute__((visibility("default"))) uint64_t live_bytes_now() {
  return live_bytes.load(std::memory_order_relaxed);  // see counters
}

__attribute__((visibility("default"))) uint64_t live_bytes_peak() {
  return peak_bytes.load(std::memory_order_relaxed);  // see counters
}

__attribute__((visibility("default"))) void live_bytes_reset_peak() {
  peak_bytes.store(live_bytes_now(), std::memory_order_relaxed);  // see counters
}

__attribute__((visibility("default"))) uint64_t live_bytes_calls() {
  return call_count.load(std::memory_order_relaxed);  // see counters
}
}
