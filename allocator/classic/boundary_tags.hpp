// The explicit free list: only free blocks are linked, by prev and next in their headers, the last
// freed first.
//
// Blocks in use are on no list, so a search sees free blocks only. Neighbours are found by address:
// forwards by the size, backwards by a boundary tag, the size repeated in the last word of a free
// block's payload.
//
//   | header | in use ...... | header | free ........ size | header P| in use .....E|    P
//   kPreviousIsFree ^ block a                ^ block b                    ^ block c E  kEndsStretch
//
// Where other code moved the break a new stretch starts; a fence, a block in use that nobody gets,
// stands before its first block and links the stretches, so that all blocks can be visited.
//
// The list may be divided into bins by size (set_binned): a search then starts in the bin of its
// size, and any block of a higher bin is large enough.
#pragma once

#include <bit>

#include "allocator/classic/policies.hpp"

namespace classic {

inline constexpr std::uint32_t kPreviousIsFree =
    1;  // the block before in memory is free: its size lies before us
inline constexpr std::uint32_t kEndsStretch = 2;  // nothing of the heap follows in memory
inline constexpr std::uint32_t kIsFence = 4;

class BoundaryTags {
 public:
  static constexpr std::size_t kFenceBytes = 64;  // keeps alignments up to 64

  [[nodiscard]] Block* last() const { return last_; }
  [[nodiscard]] bool is_binned() const { return binned_; }

  // REQUIRES: no block yet.
  void set_binned(bool binned) { binned_ = binned; }

  [[nodiscard]] std::size_t stretch_overhead_bytes(const char* at) const {
    return last_ == nullptr || end_of(last_) == at ? 0 : kFenceBytes;
  }

  Block* append(char* at, std::size_t bytes) {
    if (stretch_overhead_bytes(at) > 0) {
      add_fence(at);
      at += kFenceBytes;
      bytes -= kFenceBytes;
    }
    Block* block = make_block(at, bytes - kHeaderBytes);
    if (last_ == nullptr) {
      first_ = block;
    } else {
      last_->tags &= ~kEndsStretch;
      block->tags |= is_free(last_) ? kPreviousIsFree : 0;
    }
    block->tags |= kEndsStretch;
    last_ = block;
    link(block);
    return block;
  }

  void enlarge_last(std::size_t bytes) {
    if (!is_free(last_)) {
      last_->size += bytes;
      return;
    }
    unlink(last_);
    last_->size += bytes;
    link(last_);
  }

  // REQUIRES: block is in use.
  Block* split(Block* block, std::size_t payload_bytes) {
    char* at = payload_of(block) + payload_bytes;
    Block* rest = make_block(at, block->size - payload_bytes - kHeaderBytes);
    block->size = payload_bytes;
    hand_over_end(block, rest);
    link(rest);
    return rest;
  }

  void absorb_next(Block* block) {
    Block* gone = next(block);
    unlink(gone);
    if (is_free(block)) {
      unlink(block);
    }
    block->size += kHeaderBytes + gone->size;
    hand_over_end(gone, block);
    if (is_free(block)) {
      link(block);
    }
  }

  void take(Block* block) {
    unlink(block);
    block->status = Status::kAllocated;
  }

  void release(Block* block) {
    block->status = Status::kFree;
    link(block);
  }

  Block* next(Block* block) const {
    return (block->tags & kEndsStretch) != 0 ? nullptr : reinterpret_cast<Block*>(end_of(block));
  }

  Block* previous_if_free(Block* block) const {
    if ((block->tags & kPreviousIsFree) == 0) {
      return nullptr;
    }
    const std::size_t size = reinterpret_cast<const std::size_t*>(block)[-1];
    return block_of(reinterpret_cast<char*>(block) - size);
  }

  // O(free blocks); with bins O(blocks of one bin).
  template <class Fit>
  Block* find(std::size_t payload_bytes) const {
    Fit fit;
    for (std::size_t bin = next_used(bin_of(payload_bytes)); bin < kBinCount;
         bin = next_used(bin + 1)) {
      for (Block* block = bins_[bin]; block != nullptr; block = block->next) {
        if (block->size >= payload_bytes && fit.choose(block)) {
          break;
        }
      }
      if (fit.chosen() != nullptr) {
        break;
      }
    }
    return fit.chosen();
  }

  // Calls visit(block) for each, fences included, in order of address. A damaged size ends the walk
  // where no header is found.
  template <class Visit>
  void for_each(Visit visit) const {
    Block* fence = fences_;
    for (Block* block = first_; block != nullptr && is_marked(block);) {
      visit(block);
      Block* following = next(block);
      if (following == nullptr && fence != nullptr) {
        following = fence;
        fence = fence->next;
      }
      block = following;
    }
  }

  // Every free block is in the bin of its size, and nothing else is; boundary tags agree with the
  // blocks. Null if all hold.
  [[nodiscard]] const char* broken_invariant() const {
    const char* broken = nullptr;
    std::size_t free_count = 0;
    Block* previous = nullptr;
    for_each([&](Block* block) {
      const bool after_free = previous != nullptr && touch(previous, block) && is_free(previous);
      if (after_free != ((block->tags & kPreviousIsFree) != 0)) {
        broken = "kPreviousIsFree == block before is free";
      } else if (after_free && previous_if_free(block) != previous) {
        broken = "boundary tag == size of the block before";
      }
      free_count += is_free(block) ? 1 : 0;
      previous = block;
    });
    if (previous != last_) {
      return "last block of the walk == last";
    }
    return broken == nullptr ? broken_bin(free_count) : broken;
  }

 private:
  // Bins of 16 bytes up to 1 KiB, then four a doubling up to 2^48.
  static constexpr std::size_t kExactBins = 64;
  static constexpr std::size_t kBinCount = kExactBins + 1 + 4 * 38;

  [[nodiscard]] std::size_t bin_of(std::size_t size) const {
    if (!binned_) {
      return 0;
    }
    if (size < kExactBins * 16) {
      return size / 16;
    }
    const auto log = static_cast<std::size_t>(std::bit_width(size)) - 1;  // >= 10
    return std::min(kExactBins + (log - 10) * 4 + ((size >> (log - 2)) & 3), kBinCount - 1);
  }

  // The first bin from `bin` on that holds a block, or kBinCount.
  [[nodiscard]] std::size_t next_used(std::size_t bin) const {
    for (std::size_t word = bin / 64; word < kWordCount; ++word, bin = word * 64) {
      const std::uint64_t left = used_[word] >> (bin % 64);
      if (left != 0) {
        return bin + static_cast<std::size_t>(std::countr_zero(left));
      }
    }
    return kBinCount;
  }

  void link(Block* block) {
    const std::size_t bin = bin_of(block->size);
    block->prev = nullptr;
    block->next = bins_[bin];
    if (block->next != nullptr) {
      block->next->prev = block;
    }
    bins_[bin] = block;
    used_[bin / 64] |= std::uint64_t{1} << (bin % 64);
    reinterpret_cast<std::size_t*>(end_of(block))[-1] = block->size;
    if (Block* following = next(block); following != nullptr) {
      following->tags |= kPreviousIsFree;
    }
  }

  void unlink(Block* block) {
    const std::size_t bin = bin_of(block->size);
    (block->prev == nullptr ? bins_[bin] : block->prev->next) = block->next;
    if (block->next != nullptr) {
      block->next->prev = block->prev;
    }
    if (bins_[bin] == nullptr) {
      used_[bin / 64] &= ~(std::uint64_t{1} << (bin % 64));
    }
    if (Block* following = next(block); following != nullptr) {
      following->tags &= ~kPreviousIsFree;
    }
  }

  // `to` now ends where `from` did.
  void hand_over_end(Block* from, Block* to) {
    to->tags |= from->tags & kEndsStretch;
    from->tags &= ~kEndsStretch;
    if (last_ == from) {
      last_ = to;
    }
  }

  // The block that was last keeps kEndsStretch; the fence becomes the last, for append to go on
  // behind it.
  void add_fence(char* at) {
    Block* fence = make_block(at, kFenceBytes - kHeaderBytes);
    fence->status = Status::kAllocated;
    fence->tags |= kIsFence;
    (last_fence_ == nullptr ? fences_ : last_fence_->next) = fence;
    last_fence_ = fence;
    last_ = fence;
  }

  [[nodiscard]] const char* broken_bin(std::size_t free_count) const {
    for (std::size_t bin = 0; bin < kBinCount; ++bin) {
      if ((bins_[bin] != nullptr) != ((used_[bin / 64] >> (bin % 64) & 1) != 0)) {
        return "used bit == bin holds a block";
      }
      for (Block* block = bins_[bin]; block != nullptr; block = block->next, --free_count) {
        if (!is_free(block) || bin_of(block->size) != bin || free_count == 0) {
          return "blocks in bins are free, of its size, and each there once";
        }
        if (block->next != nullptr && block->next->prev != block) {
          return "block.next.prev == block";
        }
      }
    }
    return free_count == 0 ? nullptr : "every free block is in a bin";
  }

  static constexpr std::size_t kWordCount = (kBinCount + 63) / 64;

  Block* first_ = nullptr;
  Block* last_ = nullptr;
  Block* fences_ = nullptr;  // linked by next, in order of address
  Block* last_fence_ = nullptr;
  bool binned_ = false;
  std::uint64_t used_[kWordCount] = {};  // bit b: bin b holds a block
  Block* bins_[kBinCount] = {};          // without bins, bin 0 is the free list
};
static_assert(BlockIndex<BoundaryTags>);

}  // namespace classic
