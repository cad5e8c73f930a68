// The one list heap; osmem-classic, freelist and altmem are three Policies over it (policies.hpp).
//
//   allocate --- large ---> map                     release --- mapped ---> unmap
//            `-- small ---> obtain                          `-- else -----> give_back, coalesce
//                             coalesce_all (kBeforeSearch)
//                             find (Fit) or grow (Growth)      resize --- shrink: split off the
//                             tail take, trim (split)                      |-- grow in place
//                             (Resizing)
//                                                                     `-- move: allocate, copy,
//                                                                     release
//
// Heap memory is a list of stretches, each contiguous; a new one starts where other code moved the
// break.
//   sum over blocks (header + size) = heap_bytes                                        (1)
//   kOnFree: no two free blocks touch                                                   (2)
// Not thread-safe: the allocators hold their lock around each call. All state is
// constant-initialised. Failures are null with errno = ENOMEM. Nothing is ever given back but
// mappings.
#pragma once

#include <cerrno>
#include <cstdint>
#include <cstring>

#include "allocator/classic/policies.hpp"

namespace classic {

enum class Contents { kIndeterminate, kZero };

template <class Policy>
class ListHeap {
 public:
  using Index = typename Policy::Index;
  using Tuning = typename Policy::Tuning;
  static_assert(BlockIndex<Index> && MemorySource<typename Policy::Source>);

  // Requests above this fail: no address computed from one can wrap.
  static constexpr std::size_t kMaxRequestBytes =
      static_cast<std::size_t>(PTRDIFF_MAX) - 4 * kPageBytes;

  constexpr ListHeap() = default;
  ListHeap(const ListHeap&) = delete;
  ListHeap& operator=(const ListHeap&) = delete;

  // A block of at least `size` bytes; null for size 0 (errno kept).
  void* allocate(std::size_t size, Contents contents = Contents::kIndeterminate) {
    if (size == 0) {
      return nullptr;
    }
    if (size > kMaxRequestBytes) {
      return out_of_memory();
    }
    const bool zero = contents == Contents::kZero;
    const std::size_t payload_bytes = payload_bytes_for(size);
    const std::size_t threshold_bytes =
        zero ? tuning_.zeroed_map_threshold_bytes() : tuning_.map_threshold_bytes();
    Block* block = kHeaderBytes + payload_bytes >= threshold_bytes ? map(payload_bytes)
                                                                   : obtain(payload_bytes);
    if (block == nullptr) {
      return out_of_memory();
    }
    if (zero && block->status != Status::kMapped) {
      std::memset(payload_of(block), 0, size);
    }
    return payload_of(block);
  }

  // `alignment` is a power of two. Takes more than is needed and frees what lies before and behind.
  void* allocate_aligned(std::size_t alignment, std::size_t size) {
    if (alignment <= tuning_.alignment_bytes()) {
      return allocate(size);
    }
    if (size == 0 || size > kMaxRequestBytes || alignment > kMaxRequestBytes - size) {
      return size == 0 ? nullptr : out_of_memory();
    }
    const std::size_t payload_bytes = payload_bytes_for(size);
    const std::size_t slack_bytes = alignment + smallest_block_bytes();
    Block* block = kHeaderBytes + payload_bytes + slack_bytes >= tuning_.map_threshold_bytes()
                       ? map_aligned(alignment, payload_bytes)
                       : obtain_aligned(alignment, payload_bytes, slack_bytes);
    return block == nullptr ? out_of_memory() : payload_of(block);
  }

  // Frees a block; null and blocks that are free already are ignored. errno is kept.
  void release(void* ptr) {
    if (ptr == nullptr) {
      return;
    }
    Block* block = block_of(ptr);
    if (block->status == Status::kMapped) {
      unmap(block);
    } else if (block->status == Status::kAllocated) {
      give_back(block);
    }
  }

  // Null: as allocate. Size 0: as release, null. A block that is free already: null. On failure the
  // block stays.
  void* resize(void* ptr, std::size_t size) {
    if (ptr == nullptr) {
      return allocate(size);
    }
    if (size == 0) {
      release(ptr);
      return nullptr;
    }
    Block* block = block_of(ptr);
    if (is_free(block)) {
      return nullptr;
    }
    if (size > kMaxRequestBytes) {
      return out_of_memory();
    }
    const std::size_t kept_bytes = std::min(block->size, size);  // before growing changes the block
    return fits_in_place(block, payload_bytes_for(size)) ? ptr : move(ptr, kept_bytes, size);
  }

  // --- what Resizing policies use ---

  [[nodiscard]] bool is_last(const Block* block) const { return block == index_.last(); }

  Block* next_if_free(Block* block) {
    Block* next = index_.next(block);
    return next != nullptr && is_free(next) ? next : nullptr;
  }

  void absorb_next(Block* block) { index_.absorb_next(block); }

  // Moves the break until the last block holds `payload_bytes`; false if the break is not at its
  // end or stays.
  bool extend_last(std::size_t payload_bytes) {
    Block* last = index_.last();
    if (source_.current_break() != end_of(last)) {
      return false;
    }
    const std::size_t bytes = Policy::Growth::bytes(payload_bytes - last->size, false);
    char* got = source_.extend_break(bytes);
    if (got == nullptr) {
      return false;
    }
    if (got != end_of(last)) {  // another thread's sbrk came between
      open_stretch(got, bytes);
      return false;
    }
    index_.enlarge_last(bytes);
    heap_bytes_ += bytes;
    return true;
  }

  // --- looking in: for tests, leak reports and dumps ---

  template <class Visit>
  void for_each_block(Visit visit) const {
    index_.for_each(visit);
  }

  template <class Visit>
  void for_each_mapping(Visit visit) const {
    for (Block* block = mappings_; block != nullptr; block = block->next) {
      visit(block);
    }
  }

  // The first equation that does not hold, or null.
  [[nodiscard]] const char* broken_invariant() const {
    const char* broken = index_.broken_invariant();
    if (broken != nullptr) {
      return broken;
    }
    std::size_t sum_bytes = 0;
    Block* previous = nullptr;
    index_.for_each([&](Block* block) {
      sum_bytes += kHeaderBytes + block->size;
      if (reinterpret_cast<std::uintptr_t>(payload_of(block)) % tuning_.alignment_bytes() != 0) {
        broken = "payload % alignment == 0";
      }
      if (Policy::kCoalescing == Coalescing::kOnFree && previous != nullptr && is_free(previous) &&
          is_free(block) && touch(previous, block)) {
        broken = "no two free blocks touch";
      }
      previous = block;
    });
    return broken == nullptr && sum_bytes != heap_bytes_ ? "sum of header + size == heap_bytes"
                                                         : broken;
  }

  // What the program may use of a block in use.
  [[nodiscard]] static std::size_t usable_bytes(const void* ptr) {
    return block_of(const_cast<void*>(ptr))->size;
  }

  // Whether the pointer can be a block of this heap. Reads the header only where that is safe:
  // inside the heap, or in the page of `ptr` itself. Only for payloads at the start of a page are
  // the mappings searched.
  [[nodiscard]] bool owns(const void* ptr) const {
    const auto at = reinterpret_cast<std::uintptr_t>(ptr);
    if (at % tuning_.alignment_bytes() != 0 || at < kHeaderBytes) {
      return false;
    }
    const Block* block = block_of(const_cast<void*>(ptr));
    const bool in_heap = index_.last() != nullptr && at - kHeaderBytes >= heap_start_ &&
                         at < reinterpret_cast<std::uintptr_t>(end_of(index_.last()));
    if (in_heap || at % kPageBytes >= kHeaderBytes) {
      return is_marked(block) && (in_heap || block->status == Status::kMapped);
    }
    for (const Block* mapping = mappings_; mapping != nullptr; mapping = mapping->next) {
      if (mapping == block) {
        return true;
      }
    }
    return false;
  }

  [[nodiscard]] std::size_t heap_bytes() const { return heap_bytes_; }
  [[nodiscard]] std::size_t mapped_bytes() const { return mapped_bytes_; }
  ListHeap& list() { return *this; }
  Tuning& tuning() { return tuning_; }
  Index& index() { return index_; }
  typename Policy::Source& source() { return source_; }

 private:
  // Header and payload together are a multiple of the alignment, so that the next payload is
  // aligned, too.
  [[nodiscard]] std::size_t payload_bytes_for(std::size_t size) const {
    return round_up(size + kHeaderBytes, tuning_.alignment_bytes()) - kHeaderBytes;
  }
  [[nodiscard]] std::size_t smallest_block_bytes() const {
    return kHeaderBytes + payload_bytes_for(1);
  }

  static void* out_of_memory() {
    errno = ENOMEM;
    return nullptr;
  }

  // A block in use of `payload_bytes`, or a little more where the rest is too small for a block.
  // Null: no memory.
  Block* obtain(std::size_t payload_bytes) {
    if constexpr (Policy::kCoalescing == Coalescing::kBeforeSearch) {
      index_.coalesce_all();
    }
    Block* block = index_.template find<typename Policy::Fit>(payload_bytes);
    if (block == nullptr) {
      block = grow(payload_bytes);
    }
    if (block != nullptr) {
      index_.take(block);
      trim(block, payload_bytes);
    }
    return block;
  }

  Block* obtain_aligned(std::size_t alignment, std::size_t payload_bytes, std::size_t slack_bytes) {
    Block* block = obtain(payload_bytes_for(payload_bytes + slack_bytes));
    if (block == nullptr) {
      return nullptr;
    }
    const auto start = reinterpret_cast<std::uintptr_t>(payload_of(block));
    if (start % alignment != 0) {
      const std::uintptr_t aligned = round_up(start + smallest_block_bytes(), alignment);
      Block* front = block;
      block = index_.split(front, aligned - start - kHeaderBytes);
      index_.take(block);
      give_back(front);
    }
    trim(block, payload_bytes);
    return block;
  }

  // Cuts a block in use to `payload_bytes` if what is left over can be a block.
  void trim(Block* block, std::size_t payload_bytes) {
    if (block->size - payload_bytes < smallest_block_bytes()) {
      return;
    }
    Block* rest = index_.split(block, payload_bytes);
    if (Policy::kCoalescing == Coalescing::kOnFree && next_if_free(rest) != nullptr) {
      index_.absorb_next(rest);
    }
  }

  void give_back(Block* block) {
    index_.release(block);
    if constexpr (Policy::kCoalescing == Coalescing::kOnFree) {
      if (next_if_free(block) != nullptr) {
        index_.absorb_next(block);
      }
      if (Block* previous = index_.previous_if_free(block); previous != nullptr) {
        index_.absorb_next(previous);
      }
    }
  }

  // Moves the break; a free block of `payload_bytes` or more, or null. Turns again only if another
  // thread's sbrk came between ours, which leaves what we got as a stretch of its own.
  Block* grow(std::size_t payload_bytes) {
    for (;;) {
      Block* last = index_.last();
      char* const top = source_.current_break();
      if (top == nullptr) {
        return nullptr;
      }
      const bool goes_on = last != nullptr && end_of(last) == top;
      if (goes_on && is_free(last)) {
        if (last->size >= payload_bytes || extend_last(payload_bytes)) {
          return last;
        }
        if (is_last(last)) {
          return nullptr;
        }
        continue;
      }
      const std::size_t missing_bytes =
          kHeaderBytes + payload_bytes + padding_bytes(top) + index_.stretch_overhead_bytes(top);
      const std::size_t bytes = Policy::Growth::bytes(missing_bytes, last == nullptr);
      char* got = source_.extend_break(bytes);
      if (got == nullptr) {
        return nullptr;
      }
      Block* block = open_stretch(got, bytes);
      if (block != nullptr && block->size >= payload_bytes) {
        return block;
      }
    }
  }

  // Bytes to leave out so that a block at `at` has an aligned payload.
  [[nodiscard]] std::size_t padding_bytes(const char* at) const {
    const auto payload = reinterpret_cast<std::uintptr_t>(at) + kHeaderBytes;
    return round_up(payload, tuning_.alignment_bytes()) - payload;
  }

  // Makes one free block of new memory; null if it is too small for one, and then lost.
  Block* open_stretch(char* at, std::size_t bytes) {
    const std::size_t padding = padding_bytes(at);
    if (bytes < padding + index_.stretch_overhead_bytes(at + padding) + smallest_block_bytes()) {
      return nullptr;
    }
    const std::size_t used_bytes = (bytes - padding) & ~(tuning_.alignment_bytes() - 1);
    heap_bytes_ += used_bytes;
    if (heap_start_ == 0) {
      heap_start_ = reinterpret_cast<std::uintptr_t>(at + padding);
    }
    return index_.append(at + padding, used_bytes);
  }

  // --- mappings: one each, outside the index ---

  Block* map(std::size_t payload_bytes) {
    if (tuning_.alignment_bytes() > kHeaderBytes) {
      return map_aligned(tuning_.alignment_bytes(), payload_bytes);
    }
    char* at = source_.map(kHeaderBytes + payload_bytes);
    return at == nullptr ? nullptr : adopt_mapping(at, payload_bytes);
  }

  // Pages before the header's and behind the payload's are unmapped at once. The header ends where
  // the aligned payload starts, so it may stand inside its first page: mapping_of() finds the start
  // again.
  Block* map_aligned(std::size_t alignment, std::size_t payload_bytes) {
    const std::size_t length = round_up(kHeaderBytes + payload_bytes + alignment, kPageBytes);
    char* at = source_.map(length);
    if (at == nullptr) {
      return nullptr;
    }
    const auto start = reinterpret_cast<std::uintptr_t>(at);
    const std::size_t offset = round_up(start + kHeaderBytes, alignment) - start - kHeaderBytes;
    const std::size_t front_bytes = offset & ~(kPageBytes - 1);
    const std::size_t end_bytes = round_up(offset + kHeaderBytes + payload_bytes, kPageBytes);
    if (front_bytes > 0) {
      source_.unmap(at, front_bytes);
    }
    if (end_bytes < length) {
      source_.unmap(at + end_bytes, length - end_bytes);
    }
    return adopt_mapping(at + offset, payload_bytes);
  }

  Block* adopt_mapping(char* at, std::size_t payload_bytes) {
    Block* block = make_block(at, payload_bytes);
    block->status = Status::kMapped;
    block->next = mappings_;
    if (mappings_ != nullptr) {
      mappings_->prev = block;
    }
    mappings_ = block;
    mapped_bytes_ += kHeaderBytes + payload_bytes;
    return block;
  }

  void unmap(Block* block) {
    (block->prev == nullptr ? mappings_ : block->prev->next) = block->next;
    if (block->next != nullptr) {
      block->next->prev = block->prev;
    }
    mapped_bytes_ -= kHeaderBytes + block->size;
    tuning_.freed_mapping(kHeaderBytes + block->size);
    const std::size_t offset = reinterpret_cast<std::uintptr_t>(block) % kPageBytes;
    const int saved_errno = errno;
    source_.unmap(reinterpret_cast<char*>(block) - offset, offset + kHeaderBytes + block->size);
    errno = saved_errno;
  }

  // --- resizing ---

  bool fits_in_place(Block* block, std::size_t payload_bytes) {
    if (block->status == Status::kMapped) {
      return payload_bytes == block->size;
    }
    if (kHeaderBytes + payload_bytes >= tuning_.map_threshold_bytes()) {
      return false;
    }
    if (block->size < payload_bytes && !Policy::Resizing::grow(*this, block, payload_bytes)) {
      return false;
    }
    trim(block, payload_bytes);
    return true;
  }

  void* move(void* ptr, std::size_t kept_bytes, std::size_t size) {
    void* moved = allocate(size);
    if (moved != nullptr) {
      std::memcpy(moved, ptr, kept_bytes);
      release(ptr);
    }
    return moved;
  }

  Index index_{};
  Block* mappings_ = nullptr;      // the newest first
  std::uintptr_t heap_start_ = 0;  // the first block's address; 0: none yet
  std::size_t heap_bytes_ = 0;     // headers and payloads of all stretches
  std::size_t mapped_bytes_ = 0;   // headers and payloads of all mappings
  [[no_unique_address]] Tuning tuning_{};
  [[no_unique_address]] typename Policy::Source source_{};
};

}  // namespace classic
