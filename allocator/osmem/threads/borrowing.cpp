// Serving a class with free blocks of larger ones, before fresh memory is touched: the part of Heap that borrows.
//
// A class whose live blocks are few for the moment lends to one that has many, so the heap's peak is nearer to the peak of the
// sum than to the sum of the classes' peaks. Blocks that lie free in slabs are lent first. In a heap of few slabs most free
// blocks are in the thread's own lists, and each class in use holds a page that may be all but empty: those lists lend, too.
#include <algorithm>

#include "allocator/osmem/threads/free_checks.hpp"
#include "allocator/osmem/threads/thread_heap.hpp"

namespace osmem {
namespace {

// Of the smaller classes a page holds so many blocks that it fills, and their lists are taken from and added to so often that
// lending would cost more time than it saves memory.
constexpr std::uint32_t kLeastListBytes = 256;

// From this size on a list lends its only block; below, taking turns over one would cost a slow path each time and save too little.
constexpr std::uint32_t kLentSingly = 1024;

// A class with more slabs, in slices, grows by more than the lists of others could lend, and larger blocks would only be wasted.
constexpr std::uint32_t kMostSlices = 8;

// A class with more slabs, in slices, lends nothing from its lists: what fills them is mostly fresh memory. A class of blocks half its size that
// never came to a slab of its own took twice its memory for as long as the program grew.
constexpr std::uint32_t kMostSlicesOfLender = 64;

// The largest blocks worth borrowing from lists: the fewer slabs a class has, the more of a page of its own would stay unused.
std::uint32_t most_bytes_from_lists(const Bin& bin) {
  const std::uint32_t bytes = kClassBytes[bin.size_class];
  if (bin.used_slabs <= 1 && bytes <= 1024) return 2 * bytes;
  return bytes + bytes / 2;
}

// Takes the half of the list, or of its first 2 * `want` blocks, off its front.
std::uint32_t take_half(Block*& list, std::uint32_t want, bool only_block_too, BlockChain& chain) {
  std::uint32_t length = 0;
  for (const Block* block = list; block != nullptr && length < 2 * want; block = block->next) ++length;
  const std::uint32_t taken = only_block_too ? (length + 1) / 2 : length / 2;
  if (taken == 0) return 0;
  Block* first = list;
  Block* last = first;
  for (std::uint32_t i = 1; i < taken; ++i) last = last->next;
  list = last->next;
  chain.append(first, last, taken);
  return taken;
}

}  // namespace

bool Heap::borrow(std::uint32_t size_class, std::uint32_t want, BlockChain& chain) {
  const std::uint32_t most_bytes = kClassBytes[size_class] + kClassBytes[size_class] / 4;
  for (std::uint32_t c = size_class + 1; c < kClassCount && kClassBytes[c] <= most_bytes; ++c) {
    if (take_free(bins[c], want, chain)) return true;
  }
  return false;
}

bool Heap::borrow_kept(std::uint32_t size_class, std::uint32_t want, BlockChain& chain) {
  const Bin& borrower = bins[size_class];
  if (kClassBytes[size_class] < kLeastListBytes || loans_left == 0 || t_cache.heap != this) return false;
  if (borrower.used_slabs > 1 && borrower.used_slabs * slab_slices(size_class) > kMostSlices) return false;
  --loans_left;
  const std::uint32_t most_bytes = most_bytes_from_lists(borrower);
  for (std::uint32_t c = size_class + 1; c < kClassCount && kClassBytes[c] <= most_bytes; ++c) {
    Bin& lender = bins[c];
    if (take_free(lender, want, chain)) return true;
    if (lender.used_slabs * slab_slices(c) > kMostSlicesOfLender) continue;
    const bool only_block_too = kClassBytes[c] >= kLentSingly;
    const std::uint32_t freed = take_half(lender.freed, want, only_block_too, chain);
    lender.budget += static_cast<std::int32_t>(freed);
    arm(lender, lender.looks_left);  // stays so, if it was
    if (freed != 0 || take_half(head_of(*this, c), want, only_block_too, chain) != 0) return true;
  }
  return false;
}

}  // namespace osmem
