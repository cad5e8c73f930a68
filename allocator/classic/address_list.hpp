// The plain list: every block of the heap, free or not, linked in order of address.
//
// Neighbours in memory are neighbours in the list, so merging and splitting are a few pointer
// writes; but every search walks over the blocks in use, too. Between two blocks there may be a
// gap, where other code moved the break: touch() tells.
#pragma once

#include "allocator/classic/policies.hpp"

namespace classic {

class AddressList {
 public:
  [[nodiscard]] Block* first() const { return head_; }
  [[nodiscard]] Block* last() const { return tail_; }

  // A new stretch needs nothing but its blocks.
  static constexpr std::size_t stretch_overhead_bytes(const char* /*at*/) { return 0; }

  Block* append(char* at, std::size_t bytes) {
    Block* block = make_block(at, bytes - kHeaderBytes);
    block->prev = tail_;
    (tail_ == nullptr ? head_ : tail_->next) = block;
    tail_ = block;
    return block;
  }

  void enlarge_last(std::size_t bytes) { tail_->size += bytes; }

  Block* split(Block* block, std::size_t payload_bytes) {
    char* at = payload_of(block) + payload_bytes;
    Block* rest = make_block(at, block->size - payload_bytes - kHeaderBytes);
    rest->prev = block;
    rest->next = block->next;
    (block->next == nullptr ? tail_ : block->next->prev) = rest;
    block->next = rest;
    block->size = payload_bytes;
    return rest;
  }

  void absorb_next(Block* block) {
    Block* gone = block->next;
    block->size += kHeaderBytes + gone->size;
    block->next = gone->next;
    (gone->next == nullptr ? tail_ : gone->next->prev) = block;
  }

  void take(Block* block) { block->status = Status::kAllocated; }
  void release(Block* block) { block->status = Status::kFree; }

  Block* next(Block* block) {
    return block->next != nullptr && touch(block, block->next) ? block->next : nullptr;
  }

  Block* previous_if_free(Block* block) {
    Block* previous = block->prev;
    return previous != nullptr && is_free(previous) && touch(previous, block) ? previous : nullptr;
  }

  // Merges every run of free blocks that touch. O(blocks).
  void coalesce_all() {
    for (Block* block = head_; block != nullptr; block = block->next) {
      while (is_free(block) && next(block) != nullptr && is_free(block->next)) {
        absorb_next(block);
      }
    }
  }

  // O(blocks), in use or not.
  template <class Fit>
  Block* find(std::size_t payload_bytes) const {
    Fit fit;
    for (Block* block = head_; block != nullptr; block = block->next) {
      if (is_free(block) && block->size >= payload_bytes && fit.choose(block)) {
        break;
      }
    }
    return fit.chosen();
  }

  // Calls visit(block) for each, in order of address.
  template <class Visit>
  void for_each(Visit visit) const {
    for (Block* block = head_; block != nullptr; block = block->next) {
      visit(block);
    }
  }

  // The list's equations: links agree both ways, addresses rise without overlap. Null if all hold.
  [[nodiscard]] const char* broken_invariant() const {
    Block* previous = nullptr;
    for (Block* block = head_; block != nullptr; previous = block, block = block->next) {
      if (block->prev != previous) {
        return "block.next.prev == block";
      }
      if (previous != nullptr && end_of(previous) > reinterpret_cast<char*>(block)) {
        return "end of block <= next block";
      }
      if (block->status != Status::kFree && block->status != Status::kAllocated) {
        return "status is free or allocated";
      }
    }
    return previous == tail_ ? nullptr : "last block of the walk == tail";
  }

 private:
  Block* head_ = nullptr;
  Block* tail_ = nullptr;
};
static_assert(BlockIndex<AddressList>);

}  // namespace classic
