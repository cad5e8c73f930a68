#include "allocator/tests/osmem/shadow.hpp"

#include <algorithm>
#include <array>
#include <atomic>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <iterator>
#include <memory>
#include <new>
#include <thread>
#include <utility>

#include "allocator/osmem/api/osmem.h"
#include "allocator/osmem/api/osmem.hpp"

namespace shadow {
namespace {

constexpr uint64_t kOperationsPerPhase = 20000;
constexpr size_t kFullFillLimitBytes = size_t{256} << 10;

uint64_t mix(uint64_t value) {
  value = (value ^ (value >> 30)) * 0xbf58476d1ce4e5b9u;
  value = (value ^ (value >> 27)) * 0x94d049bb133111ebu;
  return value ^ (value >> 31);
}

uint64_t word_at(uint64_t pattern, size_t offset) {
  return (pattern ^ offset) * 0x9e3779b97f4a7c15u;
}

// Calls visit(offset, length) for each word that carries the pattern: all, or both ends and every
// stride.
template <typename Visit>
void for_each_word(size_t bytes, bool fully, Visit visit) {
  constexpr size_t kEnds = 64;
  const size_t stride = fully ? 8 : std::max<size_t>(512, bytes / 32 / 8 * 8);
  size_t offset = 0;
  while (offset < bytes) {
    visit(offset, std::min<size_t>(8, bytes - offset));
    const bool near_end = offset < kEnds || offset + kEnds + 8 >= bytes;
    const size_t next = near_end ? offset + 8 : std::min(offset + stride, (bytes - kEnds) / 8 * 8);
    offset = next;
  }
}

}  // namespace

Block Exchange::swap(size_t index, const Block& block) {
  Place& place = places_[index % kPlaces];
  const std::lock_guard lock(place.mutex);
  return std::exchange(place.block, block);
}

Driver::Driver(const Options& options, Exchange& exchange)
    : options_(options),
      exchange_(exchange),
      state_(mix(options.seed)),
      slots_(options.slot_count) {}

uint64_t Driver::random() {
  state_ += 0x9e3779b97f4a7c15u;
  return mix(state_);
}

// Most requests are small, as in programs; every layer of the heap is reached, up to mappings of 16
// MiB.
size_t Driver::random_size() {
  struct Share {
    size_t per_mille;
    size_t limit_bytes;
  };
  static constexpr Share kShares[] = {{400, 129},
                                      {700, 1025},
                                      {900, 8193},
                                      {970, 32769},
                                      {992, 140000},
                                      {998, size_t{1} << 20},
                                      {1000, size_t{16} << 20}};
  const size_t draw = random_below(1000);
  const size_t limit =
      std::find_if(std::begin(kShares), std::end(kShares), [draw](const Share& share) {
        return draw < share.per_mille;
      })->limit_bytes;
  return random_below(usable_bytes_ < options_.live_limit_bytes ? limit
                                                                : std::min<size_t>(limit, 1025));
}

size_t Driver::random_alignment() {
  const size_t largest_log2 = random_below(256) == 0 ? 21 : 13;
  return size_t{1} << random_below(largest_log2 + 1);
}

void Driver::run(uint64_t operations) {
  for (uint64_t i = 0; i < operations; i++) {
    step();
  }
}

void Driver::step() {
  if (++operation_ % kOperationsPerPhase == 0) {
    change_phase();
  }
  if (random_below(20000) == 0) {
    trim_or_ask();
  }
  Block& block = slots_[random_below(active_slots_)];
  if (block.data == nullptr) {
    allocate(block);
  } else {
    operate_on(block);
  }
}

// The heap's population rises and falls, so that slabs and chunks empty and memory is given back.
void Driver::change_phase() {
  active_slots_ = 16 + random_below(slots_.size() - 15);
  for (size_t i = active_slots_; i < slots_.size(); i++) {
    release(slots_[i]);
  }
}

void Driver::operate_on(Block& block) {
  switch (random_below(8)) {
    case 0:
    case 1:
      resize(block);
      break;
    case 2:
      exchange(block);
      break;
    case 3:
      check(block);
      break;
    default:
      release(block);
  }
}

void Driver::allocate(Block& block) {
  const size_t size = random_size();
  errno = 0;
  switch (random_below(8)) {
    case 0: {
      const size_t parts = 1 + random_below(8);
      auto* const data = static_cast<unsigned char*>(os_calloc(parts, size / parts));
      if (data != nullptr) {
        check_zero(data, size / parts * parts);
      }
      return adopt(block, data, size / parts * parts, 1);
    }
    case 1: {
      const size_t alignment = random_alignment();
      return adopt(block, os_aligned_alloc(alignment, size), size, alignment);
    }
    case 2: {
      static constexpr std::array<unsigned char, 20000> kZeros{};
      std::array<unsigned char, 256> few;
      few.fill(static_cast<unsigned char>(size));
      const void* const source = size > few.size() ? kZeros.data() : few.data();
      const size_t copied = std::min(size, kZeros.size());
      void* const data = os_memdup(source, copied);
      if (data != nullptr && memcmp(data, source, copied) != 0) {
        fail("memdup's copy differs", data, copied);
      }
      return adopt(block, data, copied, 1);
    }
    case 3: {
      const size_t alignment = random_alignment();
      return adopt(block, allocate_for_container(size, alignment), size, alignment);
    }
    case 4:
      return adopt(block, os_realloc(nullptr, size), size, 1);
    default:
      adopt(block, os_malloc(size), size, 1);
  }
}

// As a container of std::pmr does; osmem says by an exception that there is no memory.
void* Driver::allocate_for_container(size_t size, size_t alignment) {
  try {
    return osmem::resource()->allocate(size, alignment);
  } catch (const std::bad_alloc&) {
    return nullptr;
  }
}

void Driver::resize(Block& block) {
  const size_t size = random_below(4) == 0 ? block.size_bytes + random_below(4096) : random_size();
  check(block);
  Block old = block;
  leave_interval(block);
  errno = 0;
  auto* const data = static_cast<unsigned char*>(os_realloc(block.data, size));
  if (size == 0) {
    if (data != nullptr) {
      fail("realloc to 0 gave a block", data, 0);
    }
    forget(block);
    return;
  }
  if (data == nullptr) {
    note_failed_request();
    enter_interval(block);
    return check(block);
  }
  old.data = data;
  check_contents(old, std::min(old.usable_bytes, size));
  forget(block);
  adopt(block, data, size, 1);
}

void Driver::release(Block& block) {
  if (block.data == nullptr) {
    return;
  }
  check(block);
  leave_interval(block);
  errno = 4321;
  switch (random_below(8)) {
    case 0:
    case 1:
      os_free_sized(block.data, block.size_bytes);
      break;
    case 2:
      osmem::resource()->deallocate(block.data, block.size_bytes, block.alignment);
      break;
    default:
      os_free(block.data);
  }
  if (errno != 4321) {
    fail("free changed errno", block.data, block.size_bytes);
  }
  forget(block);
}

// Intervals are known to one driver only, so an exact model keeps its blocks to itself.
void Driver::exchange(Block& block) {
  if (options_.overlap == OverlapCheck::kExact) {
    return release(block);
  }
  usable_bytes_ -= block.usable_bytes;
  block = exchange_.swap(random_below(Exchange::kPlaces), block);
  usable_bytes_ += block.usable_bytes;
}

void Driver::trim_or_ask() {
  struct os_stats stats;
  if (!os_stats(&stats) && options_.out_of_memory == OutOfMemory::kIsFailure) {
    fail("os_stats failed", nullptr, 0);
  }
  os_trim(random_below(2) * (size_t{1} << 20));
  if (options_.dump_fd >= 0 && random_below(4) == 0 && !os_heap_dump(options_.dump_fd)) {
    fail("os_heap_dump failed", nullptr, 0);
  }
}

void Driver::adopt(Block& block, void* data, size_t size, size_t alignment) {
  if (data == nullptr) {
    return note_failed_request();
  }
  if (errno != 0) {
    fail("a request that succeeded changed errno", data, static_cast<size_t>(errno));
  }
  const size_t usable = os_usable_size(data);
  const size_t least_alignment = std::max<size_t>(alignment, size >= 16 ? 16 : 8);
  if (usable < size) {
    fail("usable size below the request", data, size);
  }
  if (reinterpret_cast<uintptr_t>(data) % least_alignment != 0) {
    fail("misaligned block", data, size);
  }
  const bool fully = usable <= 128 || (usable <= kFullFillLimitBytes && random_below(16) == 0);
  block = {static_cast<unsigned char*>(data), size, usable, alignment, random(), fully};
  usable_bytes_ += usable;
  enter_interval(block);
  fill(block);
}

void Driver::forget(Block& block) {
  usable_bytes_ -= block.usable_bytes;
  block = Block{};
}

void Driver::fill(Block& block) {
  for_each_word(block.usable_bytes, block.is_filled_fully, [&](size_t offset, size_t length) {
    const uint64_t word = word_at(block.pattern, offset);
    memcpy(block.data + offset, &word, length);
  });
}

void Driver::check(const Block& block) {
  check_contents(block, block.usable_bytes);
  if (os_usable_size(block.data) != block.usable_bytes) {
    fail("usable size changed", block.data, block.size_bytes);
  }
}

// The first `limit_bytes` of the pattern must be intact.
void Driver::check_contents(const Block& block, size_t limit_bytes) {
  for_each_word(block.usable_bytes, block.is_filled_fully, [&](size_t offset, size_t length) {
    const uint64_t word = word_at(block.pattern, offset);
    if (offset + length <= limit_bytes && memcmp(block.data + offset, &word, length) != 0) {
      fail("contents changed", block.data + offset, block.size_bytes);
    }
  });
}

void Driver::check_zero(const unsigned char* data, size_t size) {
  const bool fully = size <= 32768 || random_below(16) == 0;
  for_each_word(size, fully, [&](size_t offset, size_t length) {
    uint64_t word = 0;
    memcpy(&word, data + offset, length);
    if (word != 0) {
      fail("calloc's memory is not zero", data + offset, size);
    }
  });
}

void Driver::note_failed_request() {
  if (options_.out_of_memory == OutOfMemory::kIsFailure) {
    fail("a request failed", nullptr, 0);
  }
  if (errno != ENOMEM) {
    fail("a failed request left another errno than ENOMEM", nullptr, static_cast<size_t>(errno));
  }
  failed_requests_++;
}

void Driver::enter_interval(const Block& block) {
  if (options_.overlap != OverlapCheck::kExact) {
    return;
  }
  const auto begin = reinterpret_cast<uintptr_t>(block.data);
  const uintptr_t end = begin + std::max<size_t>(block.usable_bytes, 1);
  const auto next = intervals_.lower_bound(begin);
  const bool hits_next = next != intervals_.end() && next->first < end;
  const bool hits_previous = next != intervals_.begin() && std::prev(next)->second > begin;
  if (hits_next || hits_previous) {
    fail("a block overlaps a live one", block.data, block.size_bytes);
  }
  intervals_.emplace(begin, end);
}

void Driver::leave_interval(const Block& block) {
  if (options_.overlap == OverlapCheck::kExact) {
    intervals_.erase(reinterpret_cast<uintptr_t>(block.data));
  }
}

void Driver::fail(const char* what, const void* address, size_t size) const {
  fprintf(stderr, "shadow: %s: address %p, size %zu, seed %llu, operation %llu\n", what, address,
          size, static_cast<unsigned long long>(options_.seed),
          static_cast<unsigned long long>(operation_));
  abort();
}

void Driver::free_all() {
  for (Block& block : slots_) {
    release(block);
  }
  if (options_.overlap == OverlapCheck::kByContents) {
    for (size_t i = 0; i < Exchange::kPlaces; i++) {
      Block block = exchange_.swap(i, Block{});
      usable_bytes_ += block.usable_bytes;
      release(block);
    }
  }
}

void run_load(const Load& load) {
  Exchange exchange;
  std::vector<std::unique_ptr<Driver>> drivers;
  for (unsigned i = 0; i < load.thread_count; i++) {
    Options options = load.options;
    options.seed = mix(load.options.seed + i);
    drivers.push_back(std::make_unique<Driver>(options, exchange));
  }
  std::atomic<uint64_t> done{0};
  const uint64_t share = load.operations / load.thread_count;
  const auto generations = [&](Driver& driver, bool reports) {
    for (uint64_t at = 0; at < share; at += load.generation_operations) {
      const uint64_t count = std::min(load.generation_operations, share - at);
      std::thread([&driver, count] { driver.run(count); }).join();
      done.fetch_add(count, std::memory_order_relaxed);  // a figure for the reader, orders nothing
      if (reports) {
        load.report(done.load(std::memory_order_relaxed));  // as above
      }
    }
    std::thread([&driver] { driver.free_all(); }).join();  // a thread that only frees
  };
  std::vector<std::thread> threads;
  for (unsigned i = 0; i < load.thread_count; i++) {
    threads.emplace_back(generations, std::ref(*drivers[i]), i == 0 && load.report != nullptr);
  }
  for (std::thread& thread : threads) {
    thread.join();
  }
  drivers.front()->free_all();  // what others exchanged after the first drain
}

}  // namespace shadow
