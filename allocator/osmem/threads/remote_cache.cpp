#include "allocator/osmem/threads/remote_cache.hpp"

#include "allocator/osmem/threads/heap_pool.hpp"
#include "allocator/osmem/threads/thread_heap.hpp"

namespace osmem {

constinit RemoteCache g_no_chains;

void RemoteCache::send(Chain& chain) {
  if (chain.owner == kNobody) return;
  chain.owner = kNobody;
  send_home(chain.heap, chain.head, chain.tail, static_cast<std::size_t>(kChainBytes - chain.room_bytes));
}

void push_home(Heap* heap, Block* head, Block* tail, std::size_t bytes) {
  heap->arriving_bytes.fetch_add(bytes, std::memory_order_relaxed);  // relaxed: a figure
  heap->inbox.push(reinterpret_cast<std::uintptr_t>(head),
                   [tail](std::uintptr_t top) { tail->next = reinterpret_cast<Block*>(top); });
}

namespace {

// What send_chain_home() asks.
struct Home {
  Heap* heap;
  Block* head;
  Block* tail;
  std::size_t bytes;

  void push() const { push_home(heap, head, tail, bytes); }
  [[nodiscard]] bool is_pooled() const { return heap->pooled.load(std::memory_order_seq_cst); }
  void collect() const { collect_pooled(heap); }
};

}  // namespace

void send_home(Heap* heap, Block* head, Block* tail, std::size_t bytes) {
  Home home{heap, head, tail, bytes};
  send_chain_home(home);
}

}  // namespace osmem
