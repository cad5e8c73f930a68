// Memory that a workload uses beside what it measures, and what it does to the memory that it
// measures.
//
// MappedArray comes straight from the system and is resident before the clock starts, so that a
// workload's own tables cost the allocator under test nothing and are part of the memory baseline.
// The free functions write to and read from measured blocks; what they read goes into the checksum,
// so that two live blocks that share memory show.
#pragma once

#include <sys/mman.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <type_traits>
#include <utility>

namespace workloads {

inline constexpr std::size_t kPageBytes = 4096;

// Ends the process with kOutOfMemoryExitCode after a line on stderr that says how many bytes were
// refused.
[[noreturn]] void out_of_memory(std::size_t bytes);

// Tells the compiler that something unseen may read and write through `pointer`: it cannot drop the
// block.
inline void escape(const void* pointer) { asm volatile("" : : "r"(pointer) : "memory"); }

// `pointer` itself, escaped; ends the process if it is null. `bytes` is what was asked for.
inline void* allocated(void* pointer, std::size_t bytes) {
  if (pointer == nullptr) [[unlikely]] {
    out_of_memory(bytes);
  }
  escape(pointer);
  return pointer;
}

// A block of `bytes` from the allocator under test; never null.
inline void* allocate(std::size_t bytes) { return allocated(std::malloc(bytes), bytes); }

// The byte that block number `i` carries.
constexpr std::uint8_t tag_of(std::uint64_t i) { return static_cast<std::uint8_t>(i * 167 + 13); }

// Writes `tag` to the first and last byte of a block of `bytes` > 0.
inline void touch_ends(void* block, std::size_t bytes, std::uint8_t tag) {
  auto* first = static_cast<std::uint8_t*>(block);
  first[0] = tag;
  first[bytes - 1] = tag;
}

// Writes `tag` to every `stride`-th byte, the first included, and to the last.
inline void touch_each(void* block, std::size_t bytes, std::size_t stride, std::uint8_t tag) {
  auto* first = static_cast<std::uint8_t*>(block);
  for (std::size_t i = 0; i < bytes; i += stride) {
    first[i] = tag;
  }
  first[bytes - 1] = tag;
}

// Writes `tag` to one byte of each page, and to the last byte.
inline void touch_pages(void* block, std::size_t bytes, std::uint8_t tag) {
  touch_each(block, bytes, kPageBytes, tag);
}

// Writes `tag` to every byte.
inline void touch_whole(void* block, std::size_t bytes, std::uint8_t tag) {
  std::memset(block, tag, bytes);
  escape(block);
}

// The first and last byte added up: twice the tag, if nobody else wrote there.
inline std::uint64_t read_ends(const void* block, std::size_t bytes) {
  escape(block);
  const auto* first = static_cast<const std::uint8_t*>(block);
  return std::uint64_t{first[0]} + first[bytes - 1];
}

// Every `stride`-th byte and the last one, added up.
inline std::uint64_t read_each(const void* block, std::size_t bytes, std::size_t stride) {
  escape(block);
  const auto* first = static_cast<const std::uint8_t*>(block);
  std::uint64_t sum = first[bytes - 1];
  for (std::size_t i = 0; i < bytes; i += stride) {
    sum += first[i];
  }
  return sum;
}

// All bytes read, and folded to one figure that depends on each of them.
inline std::uint64_t read_whole(const void* block, std::size_t bytes) {
  escape(block);
  const auto* first = static_cast<const std::uint8_t*>(block);
  std::uint64_t sum = 0;
  std::size_t i = 0;
  for (; i + sizeof(std::uint64_t) <= bytes; i += sizeof(std::uint64_t)) {
    std::uint64_t word;
    std::memcpy(&word, first + i, sizeof word);
    sum += word;
  }
  for (; i < bytes; ++i) {
    sum += first[i];
  }
  return sum;
}

// A block that changes hands carries its own size: the first 8 bytes hold it with the tag above it,
// the last byte is the tag again.  | size: 56 bits | tag: 8 bits | ... | tag: 8 bits |  Requires
// bytes >= 8; at 8 both tags are the same byte.
inline void seal(void* block, std::size_t bytes, std::uint8_t tag) {
  const std::uint64_t word = bytes | std::uint64_t{tag} << 56;
  std::memcpy(block, &word, sizeof word);
  static_cast<std::uint8_t*>(block)[bytes - 1] = tag;
}

// Size and both tags of a sealed block, added up.
inline std::uint64_t read_sealed(const void* block) {
  escape(block);
  std::uint64_t word;
  std::memcpy(&word, block, sizeof word);
  const std::uint64_t bytes = word & ((std::uint64_t{1} << 56) - 1);
  return bytes + (word >> 56) + static_cast<const std::uint8_t*>(block)[bytes - 1];
}

// A fixed number of T, all zero, in a mapping of its own; resident from the start. Owns the
// mapping, moves, is not copied. T is trivial, or an atomic, for which zero bytes are the value 0.
// Nothing is locked: sharing is the user's.
template <typename T>
class MappedArray {
  static_assert(std::is_trivially_destructible_v<T>, "nothing is destroyed");

 public:
  MappedArray() = default;
  explicit MappedArray(std::size_t size) : size_(size) {
    if (size == 0) {
      return;
    }
    void* mapping = mmap(nullptr, size * sizeof(T), PROT_READ | PROT_WRITE,
                         MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
    if (mapping == MAP_FAILED) {
      out_of_memory(size * sizeof(T));
    }
    items_ = static_cast<T*>(mapping);
  }
  MappedArray(MappedArray&& other) noexcept
      : items_(std::exchange(other.items_, nullptr)), size_(std::exchange(other.size_, 0)) {}
  MappedArray& operator=(MappedArray&& other) noexcept {
    std::swap(items_, other.items_);
    std::swap(size_, other.size_);
    return *this;
  }
  ~MappedArray() {
    if (items_ != nullptr) {
      munmap(static_cast<void*>(items_), size_ * sizeof(T));
    }
  }

  [[nodiscard]] std::size_t size() const { return size_; }
  T& operator[](std::size_t i) { return items_[i]; }
  const T& operator[](std::size_t i) const { return items_[i]; }
  T* begin() { return items_; }
  T* end() { return items_ + size_; }
  const T* begin() const { return items_; }
  const T* end() const { return items_ + size_; }

 private:
  T* items_ = nullptr;
  std::size_t size_ = 0;
};

// A live block and how many bytes were asked for.
struct Block {
  void* pointer;
  std::size_t bytes;
};

// Walks over an array that was drawn before the clock started, again and again. One a thread; the
// array outlives it. Two walks over arrays of coprime lengths (kDraws, kOtherDraws) repeat only
// after the product of both.
template <typename T>
class Walk {
 public:
  explicit Walk(const MappedArray<T>& drawn, std::size_t start = 0)
      : first_(drawn.begin()), end_(drawn.end()), next_(first_ + start % drawn.size()) {}
  T next() {
    const T value = *next_;
    if (++next_ == end_) {
      next_ = first_;
    }
    return value;
  }

 private:
  const T* first_;
  const T* end_;
  const T* next_;
};

inline constexpr std::size_t kDraws = 16384;
inline constexpr std::size_t kOtherDraws = 16381;  // prime

}  // namespace workloads
