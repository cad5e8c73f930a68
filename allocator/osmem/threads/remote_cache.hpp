// Blocks of other threads' slabs, collected by owner in the thread that frees them, so that many go home with one atomic
// operation.
//
// Owned by one thread; lives as long as the thread, and before and after that stands g_no_chains, so that a free need not ask. A chain goes home when it holds kChainBytes.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

#include "allocator/osmem/slabs/region.hpp"
#include "allocator/osmem/slabs/slab.hpp"
#include "allocator/osmem/threads/thread_cache.hpp"

namespace osmem {

// What a free of another thread's block has to know of its class, for the classes whose slabs are one slice. As far from the
// first one as the class's bin is from its heap's first.
struct alignas(sizeof(Bin)) RemoteClass {
  std::uint64_t reciprocal;  // offset * reciprocal, wrapped, is below the reciprocal exactly where the offset is a multiple
  std::int64_t block_bytes;
};
inline constexpr std::uint32_t kNarrowClasses = 49;  // the classes below it
static_assert(slab_slices(kNarrowClasses - 1) == 1 && slab_slices(kNarrowClasses) != 1);

inline constexpr auto kRemoteClasses = [] {
  std::array<RemoteClass, kNarrowClasses> classes{};
  for (std::uint32_t c = 1; c < kNarrowClasses; ++c) classes[c] = {UINT64_MAX / kClassBytes[c] + 1, kClassBytes[c]};
  return classes;
}();

// The class of that bin of the heap; null for another heap's bin, and for classes whose slabs are longer. O(1).
inline const RemoteClass* remote_class(const Heap* heap, const Bin* bin) {
  const std::uintptr_t distance = reinterpret_cast<std::uintptr_t>(bin) - reinterpret_cast<std::uintptr_t>(heap);
  if (distance >= sizeof kRemoteClasses) [[unlikely]] return nullptr;
  return reinterpret_cast<const RemoteClass*>(reinterpret_cast<const std::byte*>(kRemoteClasses.data()) + distance);
}

struct RemoteCache {
  static constexpr std::uint32_t kChains = 16;
  static constexpr std::int64_t kChainBytes = 8 << 10;
  static constexpr std::uintptr_t kNobody = 1;  // neither a thread's pointer nor 0, the owner of what has no thread

  // Blocks of one owner, on their way. The owner is known by its thread pointer; that another thread has come by the same one
  // since does no harm: who finds a block of a slab that is not its own sends it on.
  struct alignas(kCacheLineBytes) Chain {
    std::uintptr_t owner = kNobody;
    Heap* heap = nullptr;
    Block* head = nullptr;
    Block* tail = nullptr;
    std::int64_t room_bytes = 0;  // until the chain goes home
  };

  Chain chains[kChains];
  std::uint32_t ticks = 0;             // chains sent until the next look at the clock
  RemoteCache* next_idle = nullptr;  // while no thread has it

  // Where blocks of that owner are collected; the chain may be another one's for the moment. O(1).
  Chain& chain_of(std::uintptr_t owner) {
    constexpr std::uint32_t kGolden = 0x9E3779B1;  // 2^32 / 1.618: what differs in any bits differs in the highest
    constexpr int kShift = 22;                     // leaves 4 bits above those of a chain's size
    constexpr std::uint32_t kStarts = (kChains - 1) * sizeof(Chain);
    static_assert(kStarts == 0x3c0);
    const std::uint32_t start = static_cast<std::uint32_t>(owner) * kGolden >> kShift & kStarts;
    return *reinterpret_cast<Chain*>(reinterpret_cast<std::byte*>(chains) + start);
  }

  // Makes the chain one for blocks of `heap`, whose thread is `owner`; what is in it goes home. `tail` is to be added first.
  static void start(Chain& chain, std::uintptr_t owner, Heap* heap, Block* tail) {
    send(chain);
    chain = {owner, heap, nullptr, tail, kChainBytes};
  }

  // Adds a block of the chain's owner. True: the chain is long enough, and has to be sent. O(1).
  static bool add(Chain& chain, Block* block, std::int64_t block_bytes) {
    block->next = chain.head;
    chain.head = block;
    chain.room_bytes -= block_bytes;
    return chain.room_bytes < 0;
  }

  // Sends the chain home; it is nobody's afterwards.
  static void send(Chain& chain);

  // Sends everything home.
  void flush() {
    for (Chain& chain : chains) send(chain);
  }
};

// The chains of a thread that has none of its own: all are nobody's, and stay so.
[[gnu::visibility("hidden")]] extern constinit RemoteCache g_no_chains;


// Sends home what the calling thread holds back of others. While the dynamic linker still relocates (in an indirect function's
// resolver), thread-local memory is zero instead of what its initialiser says: there are no chains then.
inline void flush_own_chains() {
  if (t_cache.remote != nullptr) [[likely]] t_cache.remote->flush();
}

// Puts a chain of so many bytes into the heap's inbox. Any thread.
void push_home(Heap* heap, Block* head, Block* tail, std::size_t bytes);

// The same, and if the heap has no thread, does the owner's work. Any thread, no lock held.
void send_home(Heap* heap, Block* head, Block* tail, std::size_t bytes);

}  // namespace osmem
