// The slow paths of the reference floor: carving, mapping, handing chains over, and the rest of the
// interface.
#include <pthread.h>
#include <sys/mman.h>

#include <atomic>
#include <cerrno>
#include <cstring>

#include "allocator/limit/core.hpp"

namespace limit {

constinit thread_local ThreadLists lists{};

namespace {

constexpr size_t kChunkBytes = size_t{1} << 20;
constexpr uint32_t kFreesPerHandover = 256;
// Above this stride a thread hands over after every few frees, so that lists hold 1 MiB at most per
// step.
constexpr size_t kHandoverBytes = size_t{1} << 20;

// The thread's uncarved memory, [carve_next, carve_end).
constinit thread_local char* carve_next = nullptr;
constinit thread_local char* carve_end = nullptr;
constinit thread_local bool end_is_watched = false;

constinit std::atomic<size_t> mapped_total_bytes{0};

void* fail_out_of_memory() noexcept {
  errno = ENOMEM;
  return nullptr;
}

// A stack of chains, one a class. The word holds the first chain's address / 16 in its low 44 bits
// and a count of pops in its high 20: a pop that read a stale link fails its exchange unless
// exactly 2^20 pops came between. Blocks are never unmapped, so the stale read itself is harmless.
class ChainStack {
 public:
  void push(FreeBlock* chain) noexcept {
    uint64_t seen = word_.load(std::memory_order_relaxed);  // the exchange below validates it
    do {
      link_of(chain) = reinterpret_cast<uint64_t>(pointer_in(seen));
      // Release: partner of the acquire in pop, which reads the links of these blocks.
    } while (!word_.compare_exchange_weak(seen, packed(chain, seen >> kAddressBits),
                                          std::memory_order_release, std::memory_order_relaxed));
  }

  // The popped chain's first block gets its class back into its header.
  FreeBlock* pop(size_t size_class) noexcept {
    uint64_t seen = word_.load(std::memory_order_acquire);  // partner of the release in push
    while (FreeBlock* const chain = pointer_in(seen)) {
      // Atomic, as the block's new owner may write it meanwhile; the exchange then fails.
      const uint64_t below = __atomic_load_n(&link_of(chain), __ATOMIC_RELAXED);
      // Acquire, both: as the load above; a failed exchange reads the next chain's word.
      if (word_.compare_exchange_weak(
              seen, packed(reinterpret_cast<FreeBlock*>(below), (seen >> kAddressBits) + 1),
              std::memory_order_acquire, std::memory_order_acquire)) {
        header_of(chain) = size_class;
        return chain;
      }
    }
    return nullptr;
  }

 private:
  static constexpr int kAddressBits = 44;
  static uint64_t& link_of(FreeBlock* chain) noexcept { return header_of(chain); }
  static uint64_t packed(FreeBlock* chain, uint64_t count) noexcept {
    return count << kAddressBits | reinterpret_cast<uint64_t>(chain) / kGranuleBytes;
  }
  static FreeBlock* pointer_in(uint64_t word) noexcept {
    return reinterpret_cast<FreeBlock*>((word << (64 - kAddressBits)) >> (64 - kAddressBits - 4));
  }

  std::atomic<uint64_t> word_{0};
};

constinit ChainStack shared[kClasses];

void hand_over(size_t size_class) noexcept {
  if (FreeBlock* const chain = lists.heads[size_class]) {
    lists.heads[size_class] = nullptr;
    shared[size_class].push(chain);
  }
}

// Runs at a thread's end and again if a later destructor frees: pthreads repeats while values are
// set.
void hand_over_all(void*) noexcept {
  for (size_t size_class = 1; size_class < kLocalClasses; size_class++) {
    hand_over(size_class);
  }
  lists.frees_until_handover = 0;
  end_is_watched = false;
}

constinit pthread_once_t end_key_once = PTHREAD_ONCE_INIT;
constexpr pthread_key_t kNoKey = ~pthread_key_t{0};
constinit pthread_key_t end_key = 0;

// pthread_setspecific may allocate: the flag is set before, so the nested call does not come here
// again. Without a key (all of a process's are taken) threads keep their lists until the process
// ends.
void watch_thread_end() noexcept {
  if (end_is_watched) {
    return;
  }
  end_is_watched = true;
  pthread_once(&end_key_once, [] {
    if (pthread_key_create(&end_key, hand_over_all) != 0) {
      end_key = kNoKey;
    }
  });
  if (end_key != kNoKey) {
    pthread_setspecific(end_key, &lists);
  }
}

void* map(size_t bytes) noexcept {
  void* const memory =
      mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (memory == MAP_FAILED) {
    return fail_out_of_memory();
  }
  mapped_total_bytes.fetch_add(bytes, std::memory_order_relaxed);  // a statistic only
  return memory;
}

// A fresh block; all its bytes are zero.
void* carve(size_t size_class) noexcept {
  const size_t stride = stride_of(size_class);
  if (static_cast<size_t>(carve_end - carve_next) < stride) {
    char* const chunk = static_cast<char*>(map(kChunkBytes));
    if (chunk == nullptr) {
      return nullptr;
    }
    carve_next = chunk + kHeaderBytes;
    carve_end = chunk + kChunkBytes;
  }
  void* const block = carve_next + kHeaderBytes;
  carve_next += stride;
  header_of(block) = size_class;
  return block;
}

void* map_large(size_t size_class) noexcept {
  char* const mapping = static_cast<char*>(map(stride_of(size_class) + kHeaderBytes));
  if (mapping == nullptr) {
    return nullptr;
  }
  void* const block = mapping + kGranuleBytes;
  header_of(block) = size_class;
  return block;
}

struct Found {
  void* block;
  bool is_zero;
};

Found take(size_t size) noexcept {
  constexpr size_t kLargestRequest = stride_of(kClasses - 1) - kHeaderBytes;
  if (size > kLargestRequest) {
    return {fail_out_of_memory(), false};
  }
  const size_t stride = size + kHeaderBytes;
  const size_t size_class =
      size <= kSmallLargest ? (stride + kGranuleBytes - 1) / kGranuleBytes : large_class_of(stride);
  if (size_class >= kLocalClasses) {
    FreeBlock* const reused = shared[size_class].pop(size_class);
    return reused != nullptr ? Found{reused, false} : Found{map_large(size_class), true};
  }
  FreeBlock*& head = lists.heads[size_class];
  if (head == nullptr) {
    watch_thread_end();
    head = shared[size_class].pop(size_class);
  }
  if (FreeBlock* const reused = head) {
    head = reused->next;
    return {reused, false};
  }
  return {carve(size_class), true};
}

void* start_of(void* block) noexcept {
  const uint64_t header = header_of(block);
  return header < kMovedBase ? block : static_cast<char*>(block) - (header - kMovedBase);
}

}  // namespace

void* malloc_slow(size_t size) noexcept { return take(size).block; }

// Large blocks go to the shared stack as chains of one; small ones to the list of this thread,
// which is handed over when enough frees have come, so that a thread that only frees does not
// hoard.
void free_slow(void* given) noexcept {
  const int saved_errno = errno;
  auto* const block = static_cast<FreeBlock*>(start_of(given));
  const size_t size_class = header_of(block);
  if (size_class >= kLocalClasses) {
    block->next = nullptr;
    shared[size_class].push(block);
  } else {
    watch_thread_end();
    block->next = lists.heads[size_class];
    lists.heads[size_class] = block;
    if (lists.frees_until_handover == 0) {
      hand_over(size_class);
      const size_t affordable = kHandoverBytes / stride_of(size_class);
      lists.frees_until_handover =
          affordable < kFreesPerHandover ? static_cast<uint32_t>(affordable) : kFreesPerHandover;
    }
  }
  errno = saved_errno;
}

}  // namespace limit

void* Core::calloc(size_t count, size_t size) noexcept {
  size_t bytes = 0;
  if (__builtin_mul_overflow(count, size, &bytes)) {
    return limit::fail_out_of_memory();
  }
  const limit::Found found = limit::take(bytes);
  if (found.block != nullptr && !found.is_zero) {
    memset(found.block, 0, bytes);
  }
  return found.block;
}

size_t Core::usable_size(const void* block) noexcept {
  if (block == nullptr) {
    return 0;
  }
  void* const start = limit::start_of(const_cast<void*>(block));
  const auto skipped =
      static_cast<size_t>(static_cast<const char*>(block) - static_cast<char*>(start));
  return limit::stride_of(limit::header_of(start)) - limit::kHeaderBytes - skipped;
}

void* Core::realloc(void* block, size_t size) noexcept {
  if (block == nullptr) {
    return malloc(size);
  }
  if (size == 0) {
    free(block);
    return nullptr;
  }
  const size_t old_size = usable_size(block);
  if (size <= old_size && size >= old_size / 2) {
    return block;
  }
  void* const moved = malloc(size);
  if (moved != nullptr) {
    memcpy(moved, block, old_size < size ? old_size : size);
    free(block);
  }
  return moved;
}

void* Core::aligned_alloc(size_t alignment, size_t size) noexcept {
  if (alignment <= limit::kGranuleBytes) {
    return malloc(size);
  }
  size_t padded = 0;
  if (__builtin_add_overflow(size, alignment, &padded)) {
    return limit::fail_out_of_memory();
  }
  char* const start = static_cast<char*>(malloc(padded));
  if (start == nullptr) {
    return nullptr;
  }
  const size_t skipped = -reinterpret_cast<size_t>(start) & (alignment - 1);
  if (skipped != 0) {
    limit::header_of(start + skipped) = limit::kMovedBase + skipped;
  }
  return start + skipped;
}

void Core::stats(interpose::Numbers& out) noexcept {
  out.heap_bytes = limit::mapped_total_bytes.load(std::memory_order_relaxed);  // a statistic only
}
