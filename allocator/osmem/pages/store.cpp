#include "allocator/osmem/pages/store.hpp"

#include <algorithm>
#include <atomic>

#include "allocator/osmem/os/os.hpp"
#include "allocator/osmem/pages/large.hpp"

namespace osmem {

constinit PageHeap g_page_heap;
constinit Demand g_demand;
constinit Price g_price;

namespace store {
namespace {

// Somebody makes room: others go on, for a page too many does no harm.
constinit std::atomic<bool> g_making_room{false};

void set_slack() { g_demand.set_slack(g_price.slack_share(), g_price.least_slack_pages()); }

}  // namespace

void set_policy(std::size_t memory_per_cpu, std::size_t limit_bytes) {
  g_price.set_memory_per_cpu(memory_per_cpu);
  set_slack();
  if (limit_bytes != SIZE_MAX) g_demand.set_limit(std::max<std::size_t>(limit_bytes / kPageBytes, 8));
}

void note_fault(std::uint64_t ns) {
  g_price.note_fault(ns / (os::page_bytes() / kPageBytes));
  set_slack();
}

std::size_t give_back(std::size_t most_pages, std::uint64_t age_ms, std::uint32_t least_pages) {
  const std::size_t pages = large::give_back(most_pages, age_ms);
  return pages >= most_pages ? pages : pages + g_page_heap.purge(most_pages - pages, age_ms, least_pages);
}

void make_room() {
  const std::size_t excess = g_demand.excess();
  // Relaxed: the flag guards no data.
  if (excess == 0 || g_making_room.exchange(true, std::memory_order_relaxed)) return;
  struct Step {
    std::uint64_t age_ms;
    std::uint32_t least_pages;
  };
  // Short ranges go at once near a limit only. Otherwise they wait until they are old: pages that lie between blocks in use are wanted again
  // soonest, and to give back one costs as much as to give back many.
  const std::uint32_t least_pages = g_demand.is_near_limit() ? 1 : kLeastExcessPages;
  const Step steps[] = {{g_price.age_ms() / 2, kCheapPurgePages}, {0, kCheapPurgePages}, {0, least_pages}};
  std::size_t gone = 0;
  for (const Step& step : steps) {
    if (gone < excess) gone += give_back(excess - gone, step.age_ms, step.least_pages);
  }
  if (gone < excess) g_demand.refuse();
  g_making_room.store(false, std::memory_order_relaxed);  // relaxed: as above
}

void give_back_aged(std::uint64_t now_ms) {
  const std::uint64_t age_ms = g_price.age_ms();
  g_demand.roll(now_ms, age_ms);
  if (g_demand.supply() == 0) return;
  give_back(SIZE_MAX, age_ms, kCheapPurgePages);
  give_back(SIZE_MAX, kShortRangeAges * age_ms, 1);
}

void recover_after_fork() { g_making_room.store(false, std::memory_order_relaxed); }  // relaxed: one thread is left

}  // namespace store
}  // namespace osmem
