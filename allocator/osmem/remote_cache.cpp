#include "allocator/osmem/remote_cache.hpp"

#include "allocator/osmem/heap_pool.hpp"
#include "allocator/osmem/region.hpp"
#include "allocator/osmem/thread_heap.hpp"

namespace osmem {

void RemoteCache::send(Chain& chain) {
  if (chain.slab == nullptr) return;
  Slab* slab = chain.slab;
  chain.slab = nullptr;
  pending_bytes -= chain.bytes;
  send_home(slab, chain.head, chain.tail, chain.count);
}

void RemoteCache::add(Slab* slab, Block* block) {
  const std::uint32_t index = g_region.index_of(slab);
  Chain* set = chains[(index ^ (index >> 4)) % kSets];
  Chain* chain = set;
  if (chain->slab != slab) {
    chain = set + 1;
    if (chain->slab != slab) {
      // The way used longer ago makes room; the new chain goes first.
      send(*chain);
      *chain = set[0];
      chain = set;
      *chain = Chain{slab, nullptr, block, 0, 0};
    }
  }
  block->next = chain->head;
  chain->head = block;
  ++chain->count;
  chain->bytes += slab->block_bytes;
  pending_bytes += slab->block_bytes;
  if (chain->bytes >= kMaxChainBytes) {
    send(*chain);
  } else if (pending_bytes > kMaxPendingBytes) {
    flush();
  }
}

void RemoteCache::flush() {
  for (auto& set : chains) {
    for (Chain& chain : set) send(chain);
  }
}

namespace {

// What send_chain_home() asks of the slab and the chain's tail.
struct Home {
  Slab* slab;
  Block* tail;
  std::uintptr_t start;

  void link(std::uint32_t old_head) const {
    tail->next = old_head == 0 ? nullptr
                               : reinterpret_cast<Block*>(start + (std::uintptr_t{old_head} - 1) * 16);
  }
  // Relaxed, both: see send_chain_home().
  [[nodiscard]] Heap* heap() const { return slab->heap.load(std::memory_order_relaxed); }
  static bool is_pooled(const Heap* heap) { return heap->pooled.load(std::memory_order_relaxed); }
  void ask_attention(Heap* heap) const {
    heap->notified.push(g_region.index_of(slab) + 1, [this](std::uint32_t top) { slab->notify_next = top; });
  }
  void collect(Heap* heap) const { collect_pooled(heap, slab); }
};

}  // namespace

void send_home(Slab* slab, Block* head, Block* tail, std::uint32_t count) {
  const auto start = g_region.slice_start(g_region.index_of(slab));
  // Blocks are named by their distance from the slab's start in units of 16 bytes, plus 1.
  const auto name = static_cast<std::uint32_t>((reinterpret_cast<std::uintptr_t>(head) - start) / 16 + 1);
  Home home{slab, tail, start};
  send_chain_home(slab->remote, name, count, home);
}

}  // namespace osmem
