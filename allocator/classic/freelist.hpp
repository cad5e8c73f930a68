// freelist as policies: an explicit list of free blocks, first fit, merging on free, 16-byte
// alignment. Over it, what its author wished for, each behind an option of the environment, all off
// by default:
//
//   FREELIST_BINS=1            the free list is divided into bins by size
//   FREELIST_ADAPTIVE=1        freeing a mapping raises the mapping threshold above its length, up
//   to 32 MiB FREELIST_ALIGNMENT=32|64   every block is so aligned FREELIST_GUARDS=1          bytes
//   behind each block are checked when it is resized or freed
#pragma once

#include "allocator/classic/boundary_tags.hpp"
#include "allocator/classic/list_heap.hpp"

namespace classic {

// Set once before the first block; freed_mapping() may raise the threshold later.
class FreelistTuning {
 public:
  static constexpr std::size_t kLargestThresholdBytes = 32 * kKiB * kKiB;

  [[nodiscard]] std::size_t alignment_bytes() const { return alignment_bytes_; }
  [[nodiscard]] std::size_t map_threshold_bytes() const { return threshold_bytes_; }
  [[nodiscard]] std::size_t zeroed_map_threshold_bytes() const { return threshold_bytes_; }

  void set_alignment(std::size_t bytes) { alignment_bytes_ = bytes; }
  void set_adaptive(bool adaptive) { adaptive_ = adaptive; }

  void freed_mapping(std::size_t bytes) {
    if (adaptive_ && bytes >= threshold_bytes_ && bytes <= kLargestThresholdBytes) {
      threshold_bytes_ = bytes + 1;
    }
  }

 private:
  std::size_t alignment_bytes_ = 16;
  std::size_t threshold_bytes_ = 128 * kKiB;
  bool adaptive_ = false;
};

template <MemorySource MemoryFrom = SystemMemory>
struct FreelistPolicy {
  using Source = MemoryFrom;
  using Index = BoundaryTags;
  using Fit = FirstFit;
  using Growth = Steps<128 * kKiB>;
  using Resizing = MergeIfEnough;
  using Tuning = FreelistTuning;
  static constexpr Coalescing kCoalescing = Coalescing::kOnFree;
};

struct FreelistOptions {
  bool bins = false;
  bool adaptive = false;
  bool guards = false;
  std::size_t alignment_bytes = 16;
};

// The options in `environment` (as environ; null: none). A value that is not understood: one line
// on standard error, and the default stays. Programs with raised privileges get the defaults.
FreelistOptions freelist_options(const char* const* environment);

// The list heap with guards. Not thread-safe; LockedHeap is put over it.
//
// With guards, a block asked for `size` bytes lies so in its payload:
//   | size bytes ...... | pattern, at least 8 bytes | size ^ kSizeKey |
template <MemorySource MemoryFrom = SystemMemory>
class FreelistHeap {
 public:
  using Heap = ListHeap<FreelistPolicy<MemoryFrom>>;

  constexpr FreelistHeap() = default;

  // REQUIRES: no block yet.
  void set_options(const FreelistOptions& options) {
    heap_.index().set_binned(options.bins);
    heap_.tuning().set_adaptive(options.adaptive);
    heap_.tuning().set_alignment(options.alignment_bytes);
    guard_bytes_ = options.guards ? kGuardBytes : 0;
    ready_ = true;
  }

  void* allocate(std::size_t size, Contents contents = Contents::kIndeterminate) {
    make_ready();
    return guarded(heap_.allocate(with_guard(size), contents), size);
  }

  void* allocate_aligned(std::size_t alignment, std::size_t size) {
    make_ready();
    return guarded(heap_.allocate_aligned(alignment, with_guard(size)), size);
  }

  void release(void* ptr) {
    check(ptr);
    heap_.release(ptr);
  }

  void* resize(void* ptr, std::size_t size) {
    if (ptr == nullptr) {
      return allocate(size);
    }
    check(ptr);
    void* resized = heap_.resize(ptr, with_guard(size));
    return guarded(resized, size);
  }

  [[nodiscard]] std::size_t usable_bytes(const void* ptr) const {
    return guard_bytes_ == 0 ? heap_.usable_bytes(ptr) : requested_bytes(ptr);
  }

  [[nodiscard]] bool owns(const void* ptr) const { return heap_.owns(ptr); }
  Heap& list() { return heap_; }

 private:
  static constexpr std::size_t kGuardBytes = 16;
  static constexpr std::uint64_t kSizeKey = 0x9e3779b97f4a7c15;
  static constexpr unsigned char kPattern = 0xfd;

  void make_ready() {
    if (!ready_) [[unlikely]] {
      set_options(freelist_options(environ));
    }
  }

  // A size too large to carry a guard stays as it is: it fails anyway.
  [[nodiscard]] std::size_t with_guard(std::size_t size) const {
    return size == 0 || size > Heap::kMaxRequestBytes ? size : size + guard_bytes_;
  }

  void* guarded(void* ptr, std::size_t size) const {
    if (guard_bytes_ != 0 && ptr != nullptr) {
      char* const end = end_of(block_of(ptr));
      const std::uint64_t tail = size ^ kSizeKey;
      std::memset(static_cast<char*>(ptr) + size, kPattern,
                  static_cast<std::size_t>(end - static_cast<char*>(ptr)) - size - sizeof tail);
      std::memcpy(end - sizeof tail, &tail, sizeof tail);
    }
    return ptr;
  }

  static std::size_t requested_bytes(const void* ptr) {
    std::uint64_t tail = 0;
    std::memcpy(&tail, end_of(block_of(const_cast<void*>(ptr))) - sizeof tail, sizeof tail);
    return tail ^ kSizeKey;
  }

  // Ends the program if the block's header or guard does not hold.
  void check(void* ptr) const {
    if (guard_bytes_ == 0 || ptr == nullptr) {
      return;
    }
    Block* block = block_of(ptr);
    const bool aligned = reinterpret_cast<std::uintptr_t>(ptr) % alignof(Block) == 0;
    if (!aligned || !is_marked(block)) {
      corrupted(ptr, "its header was overwritten, or it is no block of freelist");
    }
    if (is_free(block)) {
      corrupted(ptr, "it was freed before");
    }
    const std::size_t size = requested_bytes(ptr);
    if (size > block->size - kGuardBytes) {
      corrupted(ptr, "it was written past its end");
    }
    const unsigned char* end =
        reinterpret_cast<unsigned char*>(end_of(block)) - sizeof(std::uint64_t);
    for (const unsigned char* at = static_cast<unsigned char*>(ptr) + size; at < end; ++at) {
      if (*at != kPattern) {
        corrupted(ptr, "it was written past its end");
      }
    }
  }

  [[noreturn]] static void corrupted(const void* ptr, const char* what);

  Heap heap_;
  std::size_t guard_bytes_ = 0;  // 0: no guards
  bool ready_ = false;           // options are set
};

// Says on standard error what is wrong with the block at `ptr`, and aborts.
[[noreturn]] void freelist_abort(const void* ptr, const char* what);

template <MemorySource MemoryFrom>
void FreelistHeap<MemoryFrom>::corrupted(const void* ptr, const char* what) {
  freelist_abort(ptr, what);
}

}  // namespace classic
