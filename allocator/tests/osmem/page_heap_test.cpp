// Proves that the page heap does what a naive list of intervals does: 10^7 random calls (a tenth
// in short form, others each day), each
// result compared. Checked: no overlap, alignment, what reads as zero, in-place resizing exactly
// when the neighbour is free, best fit inside the chosen chunk, no growth while a run surely fits,
// counts, and the whole map now and then; each place and each zeroed page is foreseen. Does not
// prove thread safety, nor anything about the system's pages: the source of pages is a model here.
// Peaks: demand_test.cpp.
#include "allocator/osmem/pages/page_heap.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <memory>
#include <random>
#include <thread>
#include <utility>
#include <vector>

#include "allocator/tests/level.hpp"
#include "allocator/tests/osmem/page_source_model.hpp"

namespace {

using osmem::Chunk;
using osmem::kPagesPerChunk;
using osmem::PageHeap;
using osmem::PageRange;
using page_source::kChunks;
using page_source::kPages;
using page_source::kSource;
using page_source::source_model;
using page_source::SourceModel;

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr int kSlowdown = 20;
#else
constexpr int kSlowdown = 1;
#endif

// Free and used pages as intervals; free ones never cross a chunk. Deliberately simple.
class IntervalModel {
 public:
  using Intervals = std::map<uint32_t, uint32_t>;  // first page to length

  void add_free(uint32_t first, uint32_t pages) {
    while (pages != 0) {
      const uint32_t room = kPagesPerChunk - first % kPagesPerChunk;
      const uint32_t taken = std::min(room, pages);
      insert_free(first, taken);
      first += taken;
      pages -= taken;
    }
  }

  // The free interval that holds [first, first + pages); end() if none does.
  Intervals::const_iterator holder(uint32_t first, uint32_t pages) const {
    auto at = free_.upper_bound(first);
    if (at == free_.begin()) {
      return free_.end();
    }
    --at;
    return first + pages <= at->first + at->second ? at : free_.end();
  }

  void take(uint32_t first, uint32_t pages) {
    const auto at = holder(first, pages);
    const auto [start, length] = *at;
    free_.erase(at);
    if (first > start) free_.emplace(start, first - start);
    if (first + pages < start + length)
      free_.emplace(first + pages, start + length - first - pages);
  }

  uint32_t longest_free() const {
    uint32_t longest = 0;
    for (const auto& [first, pages] : free_) longest = std::max(longest, pages);
    return longest;
  }

  // The fewest clean pages at the front of any free interval of the chunk that has room, and the length of the shortest such.
  std::pair<uint32_t, uint32_t> best_fit_in_chunk(uint32_t chunk, uint32_t pages, const SourceModel& source) const {
    std::pair<uint32_t, uint32_t> best{UINT32_MAX, UINT32_MAX};
    for (auto at = free_.lower_bound(chunk * kPagesPerChunk);
         at != free_.end() && at->first < (chunk + 1) * kPagesPerChunk; ++at) {
      if (at->second >= pages) best = std::min(best, {source.clean_pages(at->first, pages), at->second});
    }
    return best;
  }

  size_t free_pages() const {
    size_t sum = 0;
    for (const auto& [first, pages] : free_) sum += pages;
    return sum;
  }

  const Intervals& free_intervals() const { return free_; }

 private:
  void insert_free(uint32_t first, uint32_t pages) {
    const auto next = free_.lower_bound(first);
    if (next != free_.end() && next->first == first + pages && next->first % kPagesPerChunk != 0) {
      pages += next->second;
      free_.erase(next);
    }
    auto previous = free_.lower_bound(first);
    if (previous != free_.begin() && first % kPagesPerChunk != 0) {
      --previous;
      if (previous->first + previous->second == first) {
        previous->second += pages;
        return;
      }
    }
    free_.emplace(first, pages);
  }

  Intervals free_;
};

class PageHeapAgainstModel : public testing::TestWithParam<uint32_t> {
 protected:
  static uint32_t seed() {
    return test_level::is_long()
               ? GetParam()
               : static_cast<uint32_t>(test_level::mixed(test_level::seed_of_the_day(), GetParam()));
  }

  struct Run {
    uint32_t first;
    uint32_t pages;
  };

  PageHeapAgainstModel()
      : random_(seed()),
        source_(seed() + 1),
        chunks_(new Chunk[kChunks]()) {
    source_model = &source_;
    heap_.attach(chunks_.get(), &kSource, &demand_);
  }

  uint32_t random_below(uint32_t limit) { return static_cast<uint32_t>(random_() % limit); }

  uint32_t random_pages() {
    switch (random_below(8)) {
      case 0:
        return 1 + random_below(kPagesPerChunk);
      case 1:
      case 2:
        return 1 + random_below(128);
      case 3:
        return random_below(2) == 0 ? 16 : 64;
      default:
        return 1 + random_below(16);
    }
  }

  void learn_growth() {
    for (; known_ranges_ < source_.given().size(); known_ranges_++) {
      const PageRange& range = source_.given()[known_ranges_];
      model_.add_free(range.first_page, range.pages);
    }
  }

  void allocate() {
    const uint32_t pages = random_pages();
    const uint32_t align = random_below(4) == 0 ? 1u << random_below(11) : 1;
    const int grown_before = source_.grown();
    const PageHeap::Run run = heap_.allocate(pages, align);
    if (source_.grown() != grown_before) {
      // Sure: the longest free run hangs in a higher bin than the request's, and bins are at most a
      // quarter wide.
      ASSERT_LT(model_.longest_free(), pages + align + (pages + align) / 4 + 1)
          << "grew without need";
    }
    learn_growth();
    if (!run.found) {
      ASSERT_LT(model_.longest_free(), pages + align + (pages + align) / 4 + 1)
          << "refused without need";
      return;
    }
    ASSERT_EQ(run.first_page % align, 0u);
    const auto holder = model_.holder(run.first_page, pages);
    ASSERT_NE(holder, model_.free_intervals().end()) << "page " << run.first_page << " is not free";
    if (align == 1) {
      const std::pair fit(source_.clean_pages(run.first_page, pages), holder->second);
      ASSERT_LE(fit, model_.best_fit_in_chunk(run.first_page / kPagesPerChunk, pages, source_));
    }
    const bool zero = source_.reads_as_zero(run.first_page, pages);
    ASSERT_EQ(run.zeroed, zero);
    zeroed_runs_ += run.zeroed ? 1 : 0;
    model_.take(run.first_page, pages);
    source_.write(run.first_page, pages);
    runs_.push_back({run.first_page, pages});
  }

  void free_one() {
    const size_t index = random_below(static_cast<uint32_t>(runs_.size()));
    const Run run = runs_[index];
    if (run.pages > 1) {
      ASSERT_FALSE(heap_.free(run.first + 1)) << "freed from the middle of a run";
    }
    ASSERT_TRUE(heap_.free(run.first));
    ASSERT_FALSE(heap_.free(run.first)) << "freed twice";
    model_.add_free(run.first, run.pages);
    runs_[index] = runs_.back();
    runs_.pop_back();
  }

  void resize_one() {
    Run& run = runs_[random_below(static_cast<uint32_t>(runs_.size()))];
    const uint32_t wanted = random_below(2) == 0 ? random_pages() : run.pages + 1 + random_below(8);
    const bool in_chunk = run.first % kPagesPerChunk + wanted <= kPagesPerChunk;
    const bool fits = wanted <= run.pages ||
                      (in_chunk && model_.holder(run.first + run.pages, wanted - run.pages) !=
                                       model_.free_intervals().end());
    ASSERT_EQ(heap_.resize(run.first, wanted), fits);
    if (!fits) {
      return;
    }
    if (wanted < run.pages) {
      model_.add_free(run.first + wanted, run.pages - wanted);
    } else if (wanted > run.pages) {
      model_.take(run.first + run.pages, wanted - run.pages);
      source_.write(run.first + run.pages, wanted - run.pages);
    }
    run.pages = wanted;
  }

  void purge() {
    const size_t dirty_before = heap_.dirty_pages();
    const uint64_t purged_before = source_.purged_pages();
    const size_t keep = random_below(2) == 0 ? 0 : random_below(2000);
    source_.pass_ms(random_below(1000));
    const size_t most = dirty_before > keep ? dirty_before - keep : 0;
    const size_t purged = heap_.purge(most, random_below(2) == 0 ? 0 : 500, random_below(2) == 0 ? 1 : 16);
    ASSERT_EQ(source_.purged_pages() - purged_before, purged);
    ASSERT_EQ(heap_.dirty_pages(), dirty_before - purged);
  }

  void compare_all() {
    heap_.check_invariants();
    IntervalModel::Intervals free;
    std::map<uint32_t, uint32_t> used;
    heap_.for_each_run([&](uint32_t first, uint32_t pages, char kind) {
      if (kind == 'u') {
        used.emplace(first, pages);
        return;
      }
      ASSERT_EQ(kind == 'f', source_.reads_as_zero(first, pages));
      const auto last = free.empty() ? free.end() : std::prev(free.end());
      if (last != free.end() && last->first + last->second == first &&
          first % kPagesPerChunk != 0) {
        last->second += pages;
      } else {
        free.emplace(first, pages);
      }
    });
    ASSERT_EQ(free, model_.free_intervals());
    std::map<uint32_t, uint32_t> expected;
    for (const Run& run : runs_) expected.emplace(run.first, run.pages);
    ASSERT_EQ(used, expected);
    const osmem::PageHeapStats stats = heap_.stats();
    ASSERT_EQ(stats.free_pages, model_.free_pages());
    ASSERT_EQ(stats.longest_run_pages, model_.longest_free());
    ASSERT_EQ(stats.free_runs, model_.free_intervals().size());
  }

  void step() {
    if (runs_.empty() || random_below(1000) < growth_per_mille_) {
      allocate();
    } else if (random_below(4) == 0) {
      resize_one();
    } else {
      free_one();
    }
  }

  std::mt19937_64 random_;
  SourceModel source_;
  std::unique_ptr<Chunk[]> chunks_;
  PageHeap heap_;
  osmem::Demand demand_;
  IntervalModel model_;
  std::vector<Run> runs_;
  size_t known_ranges_ = 0;
  int zeroed_runs_ = 0;
  uint32_t growth_per_mille_ = 500;
};

TEST_P(PageHeapAgainstModel, AgreesOnEveryCall) {
  const int kCalls = 2500000 / kSlowdown / test_level::either(10, 1);
  for (int call = 0; call < kCalls; call++) {
    if (call % 3000 == 0) {
      growth_per_mille_ = 300 + random_below(400);
      purge();
      compare_all();
    }
    step();
    if (HasFatalFailure()) {
      FAIL() << "seed " << seed() << ", call " << call;
    }
  }
  while (!runs_.empty()) {
    free_one();
  }
  compare_all();
  EXPECT_GT(zeroed_runs_, 0);
}

// The child of a fork finds the lock held by a thread that is no more. It starts on fresh chunks,
// and every request is served although the source goes on in the middle of a chunk that was given
// up.
TEST(PageHeapAfterFork, ServesEveryRequestFromFreshChunks) {
  for (const uint32_t pages_before : {1u, 16u, 100u, 900u, 1024u, 3000u}) {
    const auto chunks = std::make_unique<Chunk[]>(kChunks);
    SourceModel source(pages_before, SourceModel::Temper::kWilling);
    source_model = &source;
    PageHeap heap;
    osmem::Demand demand;
    heap.attach(chunks.get(), &kSource, &demand);
    std::vector<uint32_t> old_runs;
    for (uint32_t taken = 0; taken < pages_before; taken += 50) {
      old_runs.push_back(heap.allocate(std::min(50u, pages_before - taken), 1).first_page);
    }
    std::thread([&heap] { heap.lock().lock(); }).join();
    heap.recover_after_fork();
    for (const uint32_t pages : {1u, 16u, 700u, 16u, 1024u, 300u}) {
      const PageHeap::Run run = heap.allocate(pages, std::min(pages, 16u) / 16 * 15 + 1);
      ASSERT_TRUE(run.found) << pages << " pages, after " << pages_before;
      ASSERT_TRUE(heap.free(run.first_page));
    }
    for (const uint32_t first : old_runs) {
      EXPECT_TRUE(heap.free(first)) << "a block from before the fork cannot be freed";
    }
    heap.check_invariants();
  }
}

// Four times 2.5 million calls.
INSTANTIATE_TEST_SUITE_P(Seeds, PageHeapAgainstModel, testing::Values(1u, 2u, 3u, 4u));

}  // namespace
