#include "allocator/osmem/threads/remote_cache.hpp"

#include "allocator/osmem/threads/heap_pool.hpp"
#include "allocator/osmem/slabs/region.hpp"
#include "allocator/osmem/threads/thread_heap.hpp"

namespace osmem {

void RemoteCache::send(Chain& chain) {
  if (chain.slab == nullptr) return;
  Slab* slab = chain.slab;
  chain.slab = nullptr;
  pending_bytes -= chain.bytes();
  send_home(slab, chain.head, chain.tail, chain.count());
}

// The way used longer ago makes room; the new chain goes first.
RemoteCache::Chain* RemoteCache::start(Slab* slab, Block* tail) {
  Chain* set = set_of(g_region.index_of(slab));
  send(set[1]);
  set[1] = set[0];
  set[0] = Chain{slab, nullptr, tail, 0};
  return set;
}

void RemoteCache::settle(Chain& full) {
  if (full.bytes() >= kMaxChainBytes) {
    send(full);
  } else {
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
