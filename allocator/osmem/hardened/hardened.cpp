#include "allocator/osmem/hardened/hardened.hpp"

#include <pthread.h>
#include <sys/auxv.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "allocator/interpose/foreign.hpp"
#include "allocator/osmem/api/alloc.hpp"
#include "allocator/osmem/api/foreign_blocks.hpp"
#include "allocator/osmem/api/options.hpp"
#include "allocator/osmem/api/process.hpp"
#include "allocator/osmem/base/check.hpp"
#include "allocator/osmem/base/lock.hpp"
#include "allocator/osmem/base/writer.hpp"
#include "allocator/osmem/hardened/blocks.hpp"
#include "allocator/osmem/hardened/faults.hpp"
#include "allocator/osmem/hardened/quarantine.hpp"
#include "allocator/osmem/os/os.hpp"
#include "allocator/osmem/slabs/blocks.hpp"
#include "allocator/osmem/threads/thread_heap.hpp"

namespace osmem::hardened {
namespace {

constinit Lock g_start_lock;
constinit std::atomic<bool> g_ready{false};

bool is_word(const char* text, std::size_t length, const char* word) {
  return std::strlen(word) == length && std::memcmp(text, word, length) == 0;
}

bool read_quarantine(const char* text, std::size_t length) {
  constexpr const char kName[] = "quarantine=";
  constexpr std::size_t kNameLength = sizeof kName - 1;
  if (length <= kNameLength || std::memcmp(text, kName, kNameLength) != 0) return false;
  std::size_t bytes = 0;
  std::size_t i = kNameLength;
  for (; i < length && text[i] >= '0' && text[i] <= '9' && bytes < kMaxBytes; ++i) {
    bytes = bytes * 10 + static_cast<std::size_t>(text[i] - '0');
  }
  if (i == kNameLength) return false;
  const char unit = i < length ? text[i++] : '\0';
  if (i != length || (unit != '\0' && unit != 'K' && unit != 'M')) return false;
  g_policy.quarantine_bytes = unit == 'K' ? bytes << 10 : unit == 'M' ? bytes << 20 : bytes;
  return true;
}

bool read_word(const char* text, std::size_t length) {
  if (is_word(text, length, "canary")) return g_policy.canary = true;
  if (is_word(text, length, "zero")) return g_policy.zero = true;
  if (is_word(text, length, "guard")) return g_policy.guard = true;
  if (is_word(text, length, "foreign")) return g_policy.foreign = true;
  if (is_word(text, length, "mix")) return g_policy.mix = true;
  return is_word(text, length, "none") || read_quarantine(text, length);
}

// OSMEM_HARDEN=canary,quarantine=1M,zero,guard,foreign,mix: exactly these.
void read_policy() {
  const char* value = getauxval(AT_SECURE) != 0 ? nullptr : value_of("OSMEM_HARDEN");
  if (value == nullptr) return;
  g_policy = {.canary = false, .zero = false, .guard = false, .foreign = false, .mix = false, .quarantine_bytes = 0};
  for (const char* word = value; *word != '\0';) {
    const char* end = strchrnul(word, ',');
    if (!read_word(word, static_cast<std::size_t>(end - word))) {
      Writer(STDERR_FILENO).text("osmem: OSMEM_HARDEN=").text(value)
          .text(" is not a list of canary, quarantine=BYTES, zero, guard, foreign, mix, none; all that is usual stays on\n");
      g_policy = {};
      return;
    }
    word = *end == ',' ? end + 1 : end;
  }
}

void in_forked_child() {
  g_start_lock.recover_after_fork();
  recover_quarantine_after_fork();
}

bool start_locked() {
  if (!ensure_started() || !start_blocks()) return false;
  read_policy();
  start_quarantine();
  g_ready.store(true, std::memory_order_release);  // pairs with ensure_ready()
  return true;
}

bool ensure_ready() {
  if (g_ready.load(std::memory_order_acquire)) [[likely]] return true;  // acquire pairs with start_locked()
  const Guard guard(g_start_lock);
  return g_ready.load(std::memory_order_relaxed) || start_locked();  // relaxed: under the lock
}

[[gnu::constructor]] void at_load() {
  pthread_atfork(nullptr, nullptr, in_forked_child);
  if (ensure_ready() && g_policy.guard) watch_faults();  // if not, a later call tries again, without guards
}

[[gnu::destructor]] void at_exit() { look_at_quarantine(); }

enum class Contents { kNone, kKept };

// Makes a block of the layers below one of ours; null if there is no memory for its live bit.
void* adopt(void* block, const Asked& asked, Contents contents = Contents::kNone) {
  if (block == nullptr) return nullptr;
  const Place place = find(block);
  check(place.room_bytes >= asked.size + kTrailerBytes && place.kind != Kind::kInside,
        "malloc: a list of free blocks has been overwritten; it led to", block);
  // Its link would tell where other blocks lie. A room has 16 bytes at least, so a short block's trailer may lie over it.
  if (contents == Contents::kNone && place.kind != Kind::kMapping) static_cast<Block*>(block)->next = nullptr;
  write_trailer(place, asked);
  if (place.kind == Kind::kMapping) return block;
  bool was_live = false;
  if (!mark_live(place.start, was_live)) {
    fast_free(block);
    return out_of_memory();
  }
  check(!was_live, "malloc: a list of free blocks has been overwritten; it led to a live block", block);
  return block;
}

// The block that malloc is about to pop names the one behind it: that must be a free block, or none.
void look_at_link(std::uint32_t size_class) {
  const Heap* heap = t_cache.heap;
  if (!g_policy.canary || heap == nullptr) return;
  const Bin& bin = heap->bins[size_class];
  const Block* first = size_class < kThreadCacheClasses ? t_cache.heads[size_class] : nullptr;
  if (first == nullptr) first = bin.freed != nullptr ? bin.freed : bin.head;
  if (first == nullptr || first->next == nullptr) return;
  const Place next = find(first->next);
  if (next.kind == Kind::kBlock && !is_live(next.start)) return;
  die("malloc: the link in a free block has been overwritten, by a write behind a block or after its free", first);
}

// A pointer that is none of ours: a block of the C library's, or wrong.
bool may_be_c_library(const void* ptr) { return g_policy.foreign || foreign::may_be_block(ptr); }

// Of a block whose trailer was damaged.
constexpr Family kUnknownFamily{3};

// Looks at a block that a call names. False, and said so: it is not a live block, or was overwritten.
bool is_sound(const Place& place, const char* call, Asked& asked) {
  const void* ptr = reinterpret_cast<const void*>(place.start);
  if (place.kind == Kind::kForeign) return wrong_call({call, "not a block of this allocator", ptr}), false;
  if (place.kind == Kind::kInside) return wrong_call({call, "no block starts there: inside one, or freed before", ptr}), false;
  if (place.kind != Kind::kMapping && !is_live(place.start)) {
    return wrong_call({call, "freed before, or never handed out", ptr, place.room_bytes - kTrailerBytes}), false;
  }
  if (read_trailer(place, asked)) return true;
  if (g_policy.canary) return wrong_call({call, "written behind its end", ptr, place.room_bytes - kTrailerBytes}), false;
  // Nobody asked to be told. What stands there is not to be believed: nothing is emptied or copied beyond the room.
  asked = {std::min(asked.size, place.room_bytes - kTrailerBytes), kUnknownFamily};
  return true;
}

// Whether the block goes back to those it came from, if that is to be looked at.
bool is_of_family(const Asked& asked, Family family, const char* call, const void* ptr) {
  if (!g_policy.mix || asked.family == family || asked.family == kUnknownFamily) return true;
  const char* what = asked.family == Family::kC     ? "came from malloc or its like, to which free belongs"
                     : asked.family == Family::kNew ? "came from new, to which delete belongs"
                                                    : "came from new[], to which delete[] belongs";
  wrong_call({call, what, ptr, asked.size});
  return false;
}

// A neighbour belongs to another thread, perhaps, which ends it or resizes it in place while it is looked at: a pad is compared
// that has just become the block's own. Damage lasts; so many looks in a row that each meet a change do not happen.
constexpr int kLooksAtNeighbour = 16;

// The block before in the slab: what was written before this one's start was written behind its end.
void look_at_previous(const Place& place, const char* call) {
  if (!g_policy.canary || place.previous == 0) return;
  const Place previous{Kind::kBlock, place.previous, place.room_bytes, 0};
  Asked asked;
  for (int look = 0; look < kLooksAtNeighbour; ++look) {
    if (!is_live(place.previous) || read_trailer(previous, asked)) return;
  }
  // The last of the looks may have met the block's end.
  if (!is_live(place.previous)) return;
  wrong_call({call, "written before its start, or behind the end of the block before", reinterpret_cast<void*>(place.start)});
}

void end_block(const Place& place, std::size_t size) {
  void* block = reinterpret_cast<void*>(place.start);
  if (place.kind == Kind::kMapping) {
    // Emptied by giving the pages back: the next owner gets zeroes.
    if (g_policy.zero) os::purge(block, place.room_bytes & ~(os::page_bytes() - 1));
    if (g_policy.guard) note_freed_mapping(place.start, place.room_bytes);
    return fast_free(block);
  }
  if (g_policy.zero) std::memset(block, 0, size);
  put_in_quarantine(place, size);
}

}  // namespace

void* allocate(std::size_t size, Family family) {
  if (size > kMaxBytes || !ensure_ready()) return out_of_memory();
  if (size + kTrailerBytes <= kMaxSmallBytes) look_at_link(class_of(size + kTrailerBytes));
  return adopt(fast_malloc(size + kTrailerBytes), {size, family});
}

void* allocate_zeroed(std::size_t count, std::size_t size) {
  std::size_t bytes = 0;
  if (__builtin_mul_overflow(count, size, &bytes) || bytes > kMaxBytes || !ensure_ready()) return out_of_memory();
  return adopt(osmem::allocate_zeroed(1, bytes + kTrailerBytes), {bytes});
}

void* allocate_aligned(std::size_t alignment, std::size_t size, Family family) {
  if (size > kMaxBytes || !ensure_ready()) return out_of_memory();
  return adopt(osmem::allocate_aligned(alignment, size + kTrailerBytes), {size, family});
}

void release(void* ptr, const Release& told) {
  if (ptr == nullptr) return;
  const int saved_errno = errno;
  const Place place = find(ptr);
  Asked asked;
  if (place.kind == Kind::kForeign && may_be_c_library(ptr) && interpose_foreign_free != nullptr) {
    interpose_foreign_free(ptr);
  } else if (is_sound(place, told.call, asked)) {
    const std::size_t size = asked.size;
    look_at_previous(place, told.call);
    if (!is_of_family(asked, told.family, told.call, ptr)) {
      // Said so.
    } else if (told.size != SIZE_MAX && told.size != size) {
      wrong_call({told.call, "its size is not the one that was told", ptr, size});
    } else if ((place.start & (told.alignment - 1)) != 0) {
      wrong_call({told.call, "its alignment is less than was told", ptr, size});
    } else if (place.kind != Kind::kMapping && !end_live(place.start)) {
      wrong_call({told.call, "freed at the same time by another thread", ptr, size});
    } else {
      end_block(place, size);
    }
  }
  errno = saved_errno;
}

void* reallocate(void* ptr, std::size_t size) {
  if (ptr == nullptr) return allocate(size);
  if (size == 0) return release(ptr, {.call = "realloc"}), nullptr;
  const Place place = find(ptr);
  if (place.kind == Kind::kForeign && may_be_c_library(ptr) && interpose_foreign_realloc != nullptr) {
    return interpose_foreign_realloc(ptr, size);
  }
  Asked old;
  if (!is_sound(place, "realloc", old) || !is_of_family(old, Family::kC, "realloc", ptr) || size > kMaxBytes) return out_of_memory();
  if (place.kind == Kind::kMapping) return adopt(osmem::reallocate(ptr, size + kTrailerBytes), {size}, Contents::kKept);
  if (size + kTrailerBytes <= place.room_bytes && size + kTrailerBytes > place.room_bytes / 2) {
    write_trailer(place, {size});
    return ptr;
  }
  void* moved = allocate(size);
  if (moved == nullptr) return nullptr;
  std::memcpy(moved, ptr, old.size < size ? old.size : size);
  release(ptr, {.call = "realloc"});
  return moved;
}

void claim(void* ptr, Family family) {
  const Place place = find(ptr);
  Asked asked;
  if (place.kind != Kind::kForeign && is_sound(place, "new", asked)) write_trailer(place, {asked.size, family});
}

std::size_t usable_size(const void* ptr) {
  if (ptr == nullptr) return 0;
  const Place place = find(ptr);
  if (place.kind == Kind::kForeign && may_be_c_library(ptr) && interpose_foreign_usable_size != nullptr) {
    return interpose_foreign_usable_size(const_cast<void*>(ptr));
  }
  Asked asked;
  return is_sound(place, "malloc_usable_size", asked) ? asked.size : 0;
}

std::size_t trim(std::size_t keep_bytes) {
  empty_quarantine();
  return osmem::trim(keep_bytes);
}

}  // namespace osmem::hardened
