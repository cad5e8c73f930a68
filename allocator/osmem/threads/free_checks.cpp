#include "allocator/osmem/threads/free_checks.hpp"

#include "allocator/osmem/base/check.hpp"

namespace osmem {
namespace {

constexpr int kMostSteps = 64;

// Whether a link leads to where a block may lie that this heap's thread has in its lists.
bool leads_into(const Heap& heap, const Block* next) {
  const std::size_t slice = g_region.slice_of(next);
  if (!g_region.contains(slice) || reinterpret_cast<std::uintptr_t>(next) % kMinAlignBytes != 0) return false;
  // Relaxed: a stale link may lead to another thread's slab; its bin is none of this heap.
  const Bin* bin = g_region.bin(slice).load(std::memory_order_relaxed);
  return bin >= heap.bins && bin < heap.bins + kClassCount;
}

// The block before `wanted` in the list, `front` if it is the first; null: it is not among the first few.
Block* find_before(const Heap& heap, Block* front, const Block* wanted) {
  Block* before = front;
  for (int step = 0; front != nullptr && step < kMostSteps; ++step) {
    if (front == wanted) return before;
    if (!leads_into(heap, front)) break;  // whoever follows it will say so
    before = front;
    front = front->next;
  }
  return nullptr;
}

const char* where_free(Heap& heap, Bin& bin, Block* block, Block* old_front) {
  if (Block* before = find_before(heap, old_front, block); before != nullptr) {
    // Its link was overwritten by this free: what lay behind it is lost, if the program is to live on.
    bin.freed = old_front;
    block->next = nullptr;
    std::int32_t length = 1;
    for (const Block* b = old_front; b != block; b = b->next) ++length;
    bin.limit = length;
    bin.budget = 0;
    return "freed before; it is in the thread's list of freed blocks";
  }
  Block*& head = head_of(heap, bin.size_class);
  Block* before = find_before(heap, head, block);
  const bool in_slab = before == nullptr && find_before(heap, slab_of_slice(g_region.slice_of(block))->free, block) != nullptr;
  const auto arrived = reinterpret_cast<Block*>(heap.inbox.arrived());
  const bool arriving = before == nullptr && !in_slab && find_before(heap, arrived, block) != nullptr;
  if (before == nullptr && !in_slab && !arriving) return nullptr;
  bin.freed = old_front;
  ++bin.budget;
  if (before == block) head = nullptr;
  else if (before != nullptr) before->next = nullptr;
  if (arriving) return "freed before, by another thread; it is on its way to this one";
  return in_slab ? "freed before; it is in its slab's list of free blocks" : "freed before; it is in the thread's list for malloc";
}

}  // namespace

void bad_link(const Bin& bin, const Block* block) {
  wrong_call({"malloc", "the link in a free block was overwritten, or the block was freed twice", block, kClassBytes[bin.size_class]});
  die("a list of free blocks cannot be followed any further", block);
}

bool look_at_freed(Heap& heap, Bin& bin, std::size_t told_bytes) {
  Block* block = bin.freed;
  Block* rest = block->next;
  const std::size_t slice = g_region.slice_of(block);
  Slab* slab = slab_of_slice(slice);
  heap.look_into(slab);
  const auto offset = static_cast<std::uint32_t>(reinterpret_cast<std::uintptr_t>(block) - g_region.slice_start(g_region.index_of(slab)));
  const std::uint32_t index = block_index(slab->size_class, offset);
  const char* what = nullptr;
  if (index * slab->block_bytes != offset) {
    what = "a pointer into a block, not to its start";
  } else if (index >= slab->carved_count) {
    what = "not a block: nothing was ever handed out there";
  } else if (slab->is_gone(index)) {
    what = "freed before; its page went back to the system";
  } else if (told_bytes != kNoSizeTold && !may_be_size(slab->block_bytes, told_bytes)) {
    what = "its size is not the one that was told";
  }
  if (what != nullptr) {
    bin.freed = rest;
    ++bin.budget;
  } else {
    what = where_free(heap, bin, block, rest);
  }
  if (what == nullptr) return true;
  wrong_call({"free", what, block, slab->block_bytes});
  return false;
}

}  // namespace osmem
