// L3: a thread's heap: for each size class the slabs it allocates from.
//
// A heap belongs to one thread, or to none (`pooled`: then to the holder of the pool's lock). Lists of slabs per class:
//   partial   free blocks to take; the first is taken from
//   full      nothing to take, until a block comes back
//   offered   sparse ones, whose pages others may give back (offers.hpp)
//   carving   at most one slab with blocks never handed out; it may be in `partial`, too
// Refill, in this order: what other threads sent home, the first partial slab, an offered one, larger free blocks (borrowing.cpp),
// carving, a slab of a heap without a thread, the heap's cache of empty slabs, the page heap.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>

#include "allocator/osmem/base/figure.hpp"
#include "allocator/osmem/pages/large.hpp"
#include "allocator/osmem/slabs/region.hpp"
#include "allocator/osmem/slabs/remote_free.hpp"
#include "allocator/osmem/threads/run_cache.hpp"
#include "allocator/osmem/slabs/slab.hpp"
#include "allocator/osmem/threads/thread_cache.hpp"

namespace osmem {

// Blocks on their way into a list.
struct BlockChain {
  Block* head = nullptr;
  Block* tail = nullptr;
  std::uint32_t count = 0;

  void append(Block* first, Block* last, std::uint32_t n) {
    if (head == nullptr) {
      head = first;
    } else {
      tail->next = first;
    }
    tail = last;
    count += n;
  }
};

// How many searches of its lists a thread may spend on borrowing in a step of the coarse clock (1 to 10 ms). One that uses them up has
// pages of its own for the rest of the step; what the searches then cost is in DESIGN.md.
inline constexpr std::uint32_t kLoansPerStep = 4000;

// Whether a request may be served with blocks of the next larger classes.
enum class Borrowing { kAllowed, kForbidden };

struct Heap {
  Bin bins[kClassCount];
  // Owner thread:
  Figure<std::uintptr_t> owner;    // thread pointer; 0 without a thread
  std::uint32_t extra_freed_bytes; // that all bins may keep beyond their first limits
  Figure<std::uint32_t> slices_in_use;  // of all its slabs
  std::uint32_t ticks;             // slow-path entries until the next look at the clock
  std::uint32_t loans_left;        // searches of the thread's lists for larger blocks, until the clock's next step
  Figure<std::uint32_t> empty_count;
  std::uint32_t most_empty;        // of these
  std::uint32_t empty_slabs[8];    // slices of empty one-slice slabs, kept for the next need
  RunCache kept_runs;
  large::Resized resized_last;
  std::uint64_t last_tick_ms;      // when its slabs were last looked through
  std::uint64_t last_seen_ms;      // when its thread last looked at the clock
  std::size_t until_guard_bytes;   // of refills, until one hands out a guarded block: see api/guarded.hpp
  std::uint32_t sparse[16];        // slabs that have become so lately: slice + 1
  std::uint32_t next_sparse;       // place in `sparse`, modulo its length
  bool trickles;                   // the thread calls now and then only
  Heap* next_idle;                 // pool's lock
  Heap* next_heap;                 // in the list of all heaps; fixed once there
  // Any thread:
  alignas(kCacheLineBytes) Inbox<> inbox;
  std::atomic<std::size_t> arriving_bytes;  // in the inbox; a figure
  std::atomic<bool> pooled;                 // changes under the pool's lock

  // Zeroed memory, or a heap without slabs, becomes a new one. Leaves the heap's place among others, and what is for any thread.
  void initialise();

  // How much the heap may keep beyond its lists, by the number of threads.
  void note_share();

  // Takes up to `want` blocks of the class, at least one; an empty chain if there is no memory. Borrowed blocks are larger
  // and may be aligned less.
  BlockChain gather(std::uint32_t size_class, std::uint32_t want, Borrowing borrowing = Borrowing::kAllowed);

  // After Slab::put_back(): the slab may have changed its place among the lists, or be empty.
  void received(Bin& bin, Slab* slab);

  // Sends the blocks of a list back to their slabs, which are this heap's.
  void give_back_list(Block* list);

  // Blocks that were given back are wanted again: doubles the number of freed blocks kept, within bounds.
  void keep_more_freed(Bin& bin);

  // Whether the class keeps as many freed blocks as any class may, and could keep more if a loop takes it up and down.
  static bool may_loop(const Bin& bin);

  // Gives the lists of classes that keep more for that reason back to their slabs. Owner thread only.
  void give_back_loops();

  // `pages` are wanted from the page heap. If that would touch fresh memory, what the thread keeps goes back first: slabs may
  // run empty by it.
  void before_fresh_pages(std::uint32_t pages);

  // Takes in what other threads have sent home; blocks of slabs that have left are sent on.
  void take_arrivals() {
    if (!inbox.empty()) [[unlikely]] take_in(inbox.take_all());
  }

  // The same for a heap that has just lost its thread. Pool's lock held.
  void take_last_arrivals() { take_in(inbox.take_last()); }

  // Gives the cached empty slabs and runs back to the page heap.
  void release_empty();

  // Offers each slab that has free blocks for a page, see offers.hpp.
  void offer_sparse();

  // A slab that was offered is the heap's alone again, and in none of its lists. False: it is lost, and so is what is put back.
  bool reclaim(Slab* slab);

  // Ends an offer, so that the slab's list can be looked at.
  void look_into(Slab* slab);

  // Gives back what is resident of pages that were not yet handed out, in slabs that started where others had ended.
  void purge_idle();

  // The slab changes hands: from a pooled heap to this one. Pool's lock held.
  void adopt(Heap& from, Slab* slab);

  // The same for all slabs of a heap that has lost its thread.
  void adopt_all(Heap& from);

  // A block of one of this heap's slabs comes back.
  void take_back(Slab* slab, Block* first, Block* last, std::uint32_t count) {
    if (slab->list >= SlabList::kOffered && !reclaim(slab)) [[unlikely]] return;
    if (slab->put_back(first, last, count)) received(bins[slab->size_class], slab);
  }

  // Owner entries of all its slabs.
  void set_owner(std::uintptr_t thread);

  // Aborts if lists and counts disagree. For tests, on the owner's thread.
  void check_invariants();

 private:
  bool take_free(Bin& bin, std::uint32_t want, BlockChain& chain);
  void take_in(std::uintptr_t arrived);
  // Blocks of a larger class, `want` or as many as a slab's short list has: of the next classes' slabs; also of what the thread keeps
  // in its lists, while loans are left. False: there are none to lend.
  bool borrow(std::uint32_t size_class, std::uint32_t want, BlockChain& chain);
  bool borrow_kept(std::uint32_t size_class, std::uint32_t want, BlockChain& chain);
  std::uint32_t carve(Slab* slab, std::uint32_t want, BlockChain& chain);
  void use_pages(Slab* slab, std::uint32_t pages_before);
  static void purge_pages(Slab* slab, std::uint32_t idle);
  // Whether others may look through the slab.
  [[nodiscard]] static bool may_offer(const Bin& bin, const Slab& slab) {
    // Its list first: while the slab is offered, another thread may write the rest.
    return slab.list == SlabList::kPartial && slab.is_fully_carved() && slab.gone_pages == 0 && bin.carving != number_of_slab(slab);
  }
  static std::uint32_t number_of_slab(const Slab& slab) { return g_region.index_of(&slab) + 1; }
  void note_sparse(const Bin& bin, const Slab* slab);
  void offer(Bin& bin, Slab* slab);
  static void lose(Slab* slab);
  bool take_offered(Bin& bin);
  void restore(Slab* slab);
  std::uint32_t settle(Slab* slab);
  bool add_slab(Bin& bin);
  bool take_empty_slab(Bin& bin);
  void count_slab(Bin& bin);
  void start_slab(Bin& bin, std::uint32_t slice, std::uint16_t touched_pages);
  void release_slab(Bin& bin, Slab* slab);
  void exhausted(Bin& bin, Slab* slab);
  void link(Bin& bin, Slab* slab, SlabList list);
  void unlink(Bin& bin, Slab* slab);
  void prefer_fullest(Bin& bin);
  template <typename Visit>
  void for_each_slab(Visit visit);
};

static_assert(offsetof(Heap, bins) == 0);

// The blocks of a class that malloc takes from. Owner thread only.
inline Block*& head_of(Heap& heap, std::uint32_t size_class) {
  return size_class < kThreadCacheClasses ? t_cache.heads[size_class] : heap.bins[size_class].head;
}

// A list of free blocks that cannot be followed: says so and aborts.
[[noreturn, gnu::cold, gnu::noinline]] void bad_link(const Bin& bin, const Block* block);

inline Heap* heap_of(Bin* bin) { return reinterpret_cast<Heap*>(bin - bin->size_class); }

// How many freed blocks of a class a thread keeps while it also allocates, to begin with; fewer where threads are many.
std::int32_t freed_limit(std::uint32_t size_class, bool among_many);

inline Slab* slab_numbered(std::uint32_t number) { return &g_region.slabs[number - 1]; }
inline std::uint32_t number_of(const Slab* slab) { return g_region.index_of(slab) + 1; }

// The slab that holds the slice; valid for slices of slabs only.
inline Slab* slab_of_slice(std::size_t slice) {
  Slab* slab = &g_region.slabs[slice];
  return slab - slab->head_offset;
}

}  // namespace osmem
