#include "allocator/osmem/hardened/blocks.hpp"

#include <sys/auxv.h>

#include <algorithm>
#include <bit>
#include <cstring>

#include "allocator/osmem/base/lock.hpp"
#include "allocator/osmem/os/os.hpp"
#include "allocator/osmem/pages/large.hpp"
#include "allocator/osmem/slabs/blocks.hpp"

namespace osmem::hardened {
namespace {

constexpr std::size_t kGranuleShift = 4;
constexpr unsigned kFamilyBits = 2;
// The table becomes usable in steps of this size: each covers 8 MiB of the heap.
constexpr std::size_t kStepBytes = std::size_t{64} << 10;

constinit std::uint64_t g_secret = 0;
// All from the secret. The trailers' keys, and a byte, eight times.
constinit std::uint64_t g_keys[4] = {};
constinit std::uint64_t g_pad = 0;
constinit std::atomic<std::uint64_t>* g_live = nullptr;
constinit std::size_t g_live_reserved_bytes = 0;
constinit std::atomic<std::size_t> g_live_usable_bytes{0};
constinit Lock g_live_lock;

std::uint64_t mix(std::uint64_t x) {
  x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9U;
  x = (x ^ (x >> 27)) * 0x94d049bb133111ebU;
  return x ^ (x >> 31);
}

// Both halves of the product: each bit of it depends on all bits of both.
std::uint64_t fold(std::uint64_t a, std::uint64_t b) {
  __extension__ using Wide = unsigned __int128;
  const Wide product = Wide{a} * b;
  return static_cast<std::uint64_t>(product) ^ static_cast<std::uint64_t>(product >> 64);
}

std::uint64_t key_of(std::uintptr_t start) { return fold(start ^ g_keys[0], g_keys[1]); }

// Beside the size and the family, so that these alone cannot be changed; secrets of its own, so that a trailer that was read does not
// tell the check of another size.
std::uint64_t check_of(std::uint64_t key, std::uint64_t told) {
  return fold(told ^ g_keys[2], key ^ g_keys[3]) << (kSizeBits + kFamilyBits);
}

// Pads are written and compared by words. What is pad: [size, room), of which the first and the last 32 bytes; one window
// where these touch.
std::uint64_t load(std::uintptr_t address) {
  std::uint64_t word = 0;
  std::memcpy(&word, reinterpret_cast<const void*>(address), sizeof word);
  return word;
}

void store(std::uintptr_t address, std::uint64_t word) { std::memcpy(reinterpret_cast<void*>(address), &word, sizeof word); }

// Of the word that ends with a pad of 1 to 7 bytes, these bytes: the last ones in memory.
static_assert(std::endian::native == std::endian::little);
std::uint64_t mask_of(std::size_t pad_bytes) { return ~std::uint64_t{0} << (64 - 8 * pad_bytes); }

// From 8 bytes on. The last word overlaps the one before.
void fill(std::uintptr_t from, std::uintptr_t to) {
  for (; from + 8 < to; from += 8) store(from, g_pad);
  store(to - 8, g_pad);
}

bool is_filled(std::uintptr_t from, std::uintptr_t to) {
  std::uint64_t wrong = load(to - 8) ^ g_pad;
  for (; from + 8 < to; from += 8) wrong |= load(from) ^ g_pad;
  return wrong == 0;
}

// Touches no byte from `to` on: a trailer stands there. Of a pad of 1 to 7 bytes the word before `to` begins in the block
// itself (a room has at least 16 bytes, so not before it): these bytes are written back as they were, and only while the
// caller of malloc or realloc has the block for itself.
void write_pad(std::uintptr_t from, std::uintptr_t to) {
  const std::size_t length = to - from;
  if (length == 0) return;
  if (length < 8) return store(to - 8, (load(to - 8) & ~mask_of(length)) | (g_pad & mask_of(length)));
  if (length <= 2 * kMaxPadBytes) return fill(from, to);
  fill(from, from + kMaxPadBytes);
  fill(to - kMaxPadBytes, to);
}

bool is_pad_whole(std::uintptr_t from, std::uintptr_t to) {
  const std::size_t length = to - from;
  if (length == 0) return true;
  if (length < 8) return ((load(to - 8) ^ g_pad) & mask_of(length)) == 0;
  if (length <= 2 * kMaxPadBytes) return is_filled(from, to);
  return is_filled(from, from + kMaxPadBytes) && is_filled(to - kMaxPadBytes, to);
}

bool make_usable(std::size_t bytes) {
  const Guard guard(g_live_lock);
  const std::size_t usable = g_live_usable_bytes.load(std::memory_order_relaxed);  // relaxed: under the lock
  if (bytes <= usable) return true;
  const std::size_t wanted = (bytes + kStepBytes - 1) / kStepBytes * kStepBytes;
  if (wanted > g_live_reserved_bytes) return false;
  if (!os::commit(reinterpret_cast<std::byte*>(g_live) + usable, wanted - usable)) return false;
  g_live_usable_bytes.store(wanted, std::memory_order_release);  // pairs with the loads below
  return true;
}

struct Bit {
  std::size_t word;
  std::uint64_t mask;
};

Bit bit_of(std::uintptr_t block) {
  const std::size_t granule = (block - g_heap_base) >> kGranuleShift;
  return {granule / 64, std::uint64_t{1} << granule % 64};
}

bool is_usable(const Bit& bit) {
  return (bit.word + 1) * 8 <= g_live_usable_bytes.load(std::memory_order_acquire);  // pairs with make_usable()
}

Place find_in_slab(std::uintptr_t address, std::size_t slice) {
  const Slab* slab = &g_region.slabs[slice];
  const std::size_t first_slice = slice - slab->head_offset;
  slab -= slab->head_offset;
  Place place{Kind::kInside, address, slab->block_bytes, 0};
  const auto offset = static_cast<std::uint32_t>(address - g_region.slice_start(first_slice));
  const std::uint32_t index = block_index(slab->size_class, offset);
  if (index * slab->block_bytes != offset || index >= slab->capacity) return place;
  place.kind = Kind::kBlock;
  place.previous = index == 0 ? 0 : address - slab->block_bytes;
  return place;
}

}  // namespace

Place find(const void* ptr) {
  const auto address = reinterpret_cast<std::uintptr_t>(ptr);
  const std::size_t slice = g_region.slice_of(ptr);
  if (g_region.slabs != nullptr && in_heap(ptr, slice)) {
    const Slab& books = g_region.slabs[slice];
    if (is_slab(books.kind)) return find_in_slab(address, slice);
    const std::uintptr_t start = g_region.slice_start(slice) + (std::uintptr_t{books.head_offset} << kPageShift);
    if (books.kind != SliceKind::kRun || address != start) return {Kind::kInside, address, 0, 0};
    return {Kind::kRun, address, std::size_t{books.run_pages()} << kPageShift, 0};
  }
  const std::size_t mapped = large::usable_bytes(ptr);
  return mapped != 0 ? Place{Kind::kMapping, address, mapped, 0} : Place{Kind::kForeign, address, 0, 0};
}

bool start_blocks() {
  // The kernel's 16 random bytes for each program.
  const auto* random = reinterpret_cast<const unsigned char*>(getauxval(AT_RANDOM));
  std::uint64_t seed = os::now_ms() ^ reinterpret_cast<std::uintptr_t>(&random);
  if (random != nullptr) std::memcpy(&seed, random + 8, sizeof seed);
  g_secret = mix(seed);
  std::uint64_t step = g_secret;
  for (std::uint64_t& key : g_keys) key = mix(step += 0x9e3779b97f4a7c15U);
  g_pad = ((g_secret >> 24 & 0xff) | 0x80) * 0x0101010101010101U;
  const std::size_t bytes = (g_region.max_slices << kSliceShift >> kGranuleShift) / 8;
  g_live_reserved_bytes = std::max(bytes / kStepBytes * kStepBytes, kStepBytes);
  g_live = static_cast<std::atomic<std::uint64_t>*>(os::reserve(g_live_reserved_bytes, os::page_bytes()));
  return g_live != nullptr;
}

std::uint64_t secret() { return g_secret; }

bool mark_live(std::uintptr_t block, bool& was_live) {
  const Bit bit = bit_of(block);
  if (!is_usable(bit) && !make_usable((bit.word + 1) * 8)) return false;
  // Release: whoever sees the bit sees the trailer that was written before.
  was_live = (g_live[bit.word].fetch_or(bit.mask, std::memory_order_release) & bit.mask) != 0;
  return true;
}

bool is_live(std::uintptr_t block) {
  const Bit bit = bit_of(block);
  // Acquire pairs with mark_live().
  return is_usable(bit) && (g_live[bit.word].load(std::memory_order_acquire) & bit.mask) != 0;
}

bool end_live(std::uintptr_t block) {
  const Bit bit = bit_of(block);
  if (!is_usable(bit)) return false;
  // Acquire pairs with mark_live(); release: whoever sees the bit gone comes after all use of the block.
  return (g_live[bit.word].fetch_and(~bit.mask, std::memory_order_acq_rel) & bit.mask) != 0;
}

void write_trailer(const Place& place, const Asked& asked) {
  const std::uintptr_t trailer = place.start + place.room_bytes - kTrailerBytes;
  write_pad(place.start + asked.size, trailer);
  const std::uint64_t key = key_of(place.start);
  const std::uint64_t told = asked.size | std::uint64_t{static_cast<unsigned char>(asked.family)} << kSizeBits;
  store(trailer, (told | check_of(key, told)) ^ key);
}

bool read_trailer(const Place& place, Asked& asked) {
  const std::uintptr_t trailer = place.start + place.room_bytes - kTrailerBytes;
  const std::uint64_t key = key_of(place.start);
  const std::uint64_t word = load(trailer) ^ key;
  const std::uint64_t told = word & ((std::uint64_t{1} << (kSizeBits + kFamilyBits)) - 1);
  asked = {told & kMaxBytes, static_cast<Family>(told >> kSizeBits)};
  if (asked.size > place.room_bytes - kTrailerBytes || word != (told | check_of(key, told))) return false;
  return is_pad_whole(place.start + asked.size, trailer);
}

}  // namespace osmem::hardened
