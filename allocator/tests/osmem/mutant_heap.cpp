// osmem's C interface over the C library's malloc, with one defect of a heap at a time put in. Linked
// in osmem's place (osmem-stress-mutant), it shows that the shadow model sees each of them: see
// mutants_test.py, which knows the names.
//
// The defect stands in the environment, OSMEM_TEST_DEFECT=NAME; without it, this heap is right. It
// comes up now and then, once some thousand calls have been made, as a real one would.
#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cstdint>
#include <cstdlib>
#include <cstring>

#include "allocator/osmem/api/osmem.h"

namespace {

// Lies right before each block, aligned or not.
struct Header {
  void* base;  // for free(); null: the block lies in another one
  size_t usable_bytes;
};
static_assert(sizeof(Header) == 16);

std::atomic<uint64_t> calls{0};
std::atomic<size_t> live_bytes{0};
thread_local char* last_block = nullptr;

// In how many calls of a kind a defect comes up.
struct Rate {
  uint64_t first = 3000;
  uint64_t each = 97;
};
constexpr Rate kAlways{0, 1};  // for what is called rarely

// Whether the defect is the chosen one, and its time has come.
bool strikes(const char* defect, Rate rate = {}) {
  static const char* const chosen = getenv("OSMEM_TEST_DEFECT");
  if (chosen == nullptr || strcmp(chosen, defect) != 0) {
    return false;
  }
  const uint64_t call = calls.fetch_add(1, std::memory_order_relaxed);  // a count, orders nothing
  return call >= rate.first && call % rate.each == 0;
}

Header header_of(const void* block) {
  Header header;
  memcpy(&header, static_cast<const char*>(block) - sizeof header, sizeof header);
  return header;
}

char* put(char* block, const Header& header) {
  memcpy(block - sizeof header, &header, sizeof header);
  live_bytes.fetch_add(header.usable_bytes, std::memory_order_relaxed);  // a figure
  last_block = block;
  return block;
}

void* fail_with(int error) {
  errno = error;
  return nullptr;
}

char* make(size_t alignment, size_t size) {
  alignment = std::max<size_t>(alignment, 16);
  const size_t usable = (std::max<size_t>(size, 1) + 15) / 16 * 16;
  if (strikes("overlap") && last_block != nullptr && header_of(last_block).usable_bytes >= usable + 64) {
    return put(last_block + 32, {nullptr, usable});
  }
  const int saved_errno = errno;  // the C library's malloc may change it and succeed
  auto* const base = static_cast<char*>(aligned_alloc(alignment, (usable + 2 * alignment) / alignment * alignment));
  if (base == nullptr) {
    return nullptr;
  }
  errno = strikes("success-sets-errno") ? EBADF : saved_errno;
  const size_t shift = strikes("misaligned") ? 4 : alignment >= 32 && strikes("unaligned-request") ? 16 : 0;
  return put(base + alignment - shift, {base, usable});
}

}  // namespace

extern "C" {

void* os_malloc(size_t size) noexcept {
  if (strikes("no-memory")) {
    return fail_with(ENOMEM);
  }
  if (strikes("wrong-errno")) {
    return fail_with(EINVAL);
  }
  if (last_block != nullptr && header_of(last_block).usable_bytes >= size && strikes("same-block-twice")) {
    return last_block;
  }
  return make(16, size);
}

void os_free(void* block) noexcept {
  if (block == nullptr) {
    return;
  }
  if (strikes("free-sets-errno")) {
    errno = EBADF;
  }
  if (last_block != nullptr && last_block != block && strikes("free-scribbles")) {
    memset(last_block, 0, 8);
  }
  last_block = last_block == block ? nullptr : last_block;
  if (strikes("leaks")) {
    return;
  }
  const Header header = header_of(block);
  live_bytes.fetch_sub(header.usable_bytes, std::memory_order_relaxed);  // a figure
  free(header.base);
}

void os_free_sized(void* block, size_t) noexcept { os_free(block); }

void* os_calloc(size_t count, size_t size) noexcept {
  char* const block = make(16, count * size);
  if (block != nullptr) {
    memset(block, 0, count * size);
    if (count * size > 0 && strikes("dirty-calloc")) {
      block[count * size - 1] = 1;
    }
  }
  return block;
}

void* os_realloc(void* block, size_t size) noexcept {
  if (block == nullptr || size == 0) {
    if (block != nullptr && strikes("realloc-zero-keeps", kAlways)) {
      return block;
    }
    os_free(block);
    return block == nullptr ? os_malloc(size) : nullptr;
  }
  char* const moved = make(16, size);
  if (moved == nullptr) {
    return nullptr;
  }
  size_t kept = std::min(header_of(block).usable_bytes, size);
  if (strikes("realloc-loses")) {
    kept = 0;
  } else if (strikes("realloc-loses-the-tail")) {
    kept -= std::min<size_t>(kept, 16);
  }
  memset(moved, 0x77, size);
  memcpy(moved, block, kept);
  os_free(block);
  return moved;
}

void* os_aligned_alloc(size_t alignment, size_t size) noexcept { return make(alignment, size); }

size_t os_usable_size(const void* block) noexcept {
  if (block == nullptr) {
    return 0;
  }
  const size_t usable = header_of(block).usable_bytes;
  if (strikes("usable-too-small")) {
    return usable / 2;
  }
  return strikes("usable-changes") ? usable + 1 : usable;
}

void* os_memdup(const void* source, size_t size) noexcept {
  char* const copy = make(16, size);
  if (copy != nullptr) {
    memcpy(copy, source, size);
    if (size > 1 && strikes("memdup-differs")) {
      copy[size - 1] ^= 1;
    }
  }
  return copy;
}

bool os_stats(struct os_stats* out) noexcept {
  *out = {};
  out->allocated_bytes = live_bytes.load(std::memory_order_relaxed);  // a figure
  return true;
}

size_t os_trim(size_t) noexcept { return 0; }
size_t os_check_leaks(int) noexcept { return 0; }
bool os_heap_dump(int) noexcept { return !strikes("dump-fails", kAlways); }
}
