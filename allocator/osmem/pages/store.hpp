// L1: the free pages of the process, in the page heap and in mappings that were freed: one store, one queue by age.
//
// A free page goes back when it has been free for as long as its loss would cost (price.hpp), or before, the oldest first, where there
// are more of them than the demand asks for (demand.hpp). Long ranges go first and short ones wait for neighbours, because what
// counts is calls. Nothing here may be called with a lock held: system calls are made, on pages that nobody else can get meanwhile.
//
//   blocks freed ->  page heap: dirty pages, a stamp of time for each 64  \__ make_room(): beyond the demand, oldest first
//                    large: extents, each with its time                   /   give_back_aged(): older than the age
//
// Thread-safe.
#pragma once

#include <cstddef>
#include <cstdint>

#include "allocator/osmem/pages/demand.hpp"
#include "allocator/osmem/pages/page_heap.hpp"
#include "allocator/osmem/pages/price.hpp"

namespace osmem {

[[gnu::visibility("hidden")]] extern constinit PageHeap g_page_heap;
[[gnu::visibility("hidden")]] extern constinit Demand g_demand;
[[gnu::visibility("hidden")]] extern constinit Price g_price;

namespace store {

// At start: the price of memory in bytes a CPU, and a limit on what is resident in bytes, SIZE_MAX for none.
void set_policy(std::size_t memory_per_cpu, std::size_t limit_bytes);

// A first touch of a page of the system's took so long: what free pages are worth follows.
void note_fault(std::uint64_t ns);

// Gives back free pages that are older than `age_ms`, `most_pages` of them or some more; ranges of the page heap that are shorter than
// `least_pages` stay. Returns how many went.
std::size_t give_back(std::size_t most_pages, std::uint64_t age_ms, std::uint32_t least_pages);

// Gives back what is beyond the demand.
void make_room();
inline void keep_within_bounds() {
  if (g_demand.excess() != 0) [[unlikely]] make_room();
}

// Moves the window of demand on, and gives back what is older than the age.
void give_back_aged(std::uint64_t now_ms);

// Whether so much is free that somebody should look at the clock.
inline bool has_supply() { return g_demand.supply() > kUnlookedPages; }

void recover_after_fork();

}  // namespace store
}  // namespace osmem
