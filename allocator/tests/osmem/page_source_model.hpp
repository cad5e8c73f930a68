// A source of pages for tests of the page heap: it gives, refuses and takes back as the system does, and knows what each page
// would read as. Not thread-safe.
#pragma once

#include <algorithm>
#include <cstdint>
#include <random>
#include <vector>

#include "allocator/osmem/pages/page_heap.hpp"

namespace page_source {

inline constexpr uint32_t kChunks = 40;
inline constexpr uint32_t kPages = kChunks * osmem::kPagesPerChunk;
inline constexpr uint32_t kSlicePages = 16;

// The pages that the heap was given, and what they would read as.
class SourceModel {
 public:
  enum class Temper { kRefusesAtTimes, kWilling };
  explicit SourceModel(uint32_t seed, Temper temper = Temper::kRefusesAtTimes)
      : temper_(temper), random_(seed), dirty_(kPages) {}

  uint32_t random_below(uint32_t limit) { return static_cast<uint32_t>(random_() % limit); }

  osmem::PageRange grow(uint32_t min_pages) {
    if (refuses()) {
      return {};  // the system said no
    }
    grown_++;
    if (!exact_ && random_below(8) == 0) {
      end_ +=
          kSlicePages * (random_below(40));  // somebody else took what lay between, as sbrk allows
    }
    const uint32_t more = exact_ ? 2 * osmem::kPagesPerChunk : random_below(300);
    const uint32_t pages = (min_pages + more + kSlicePages - 1) / kSlicePages * kSlicePages;
    if (end_ + pages > kPages) {
      return {};
    }
    const osmem::PageRange range{end_, pages};
    end_ += pages;
    given_.push_back(range);
    return range;
  }


  // From here on a two chunks more than is asked for at each time, and no gaps.
  void give_exactly() { exact_ = true; }

  bool purge(uint32_t first, uint32_t pages) {
    if (refuses()) {
      return false;
    }
    purge_calls_++;
    purged_pages_ += pages - clean_pages(first, pages);
    emptied_chunks_ += pages == osmem::kPagesPerChunk ? 1 : 0;
    std::fill_n(dirty_.begin() + first, pages, false);
    return true;
  }

  // Which huge pages there are is written into these chunks, as a source does.
  void mark_huge_in(osmem::Chunk* chunks) { chunks_ = chunks; }

  // At the first touch of one the pages are resident, all of them: here at once.
  bool set_huge(uint32_t first, bool huge) {
    if (huge && refuses()) return false;
    const auto bit = static_cast<uint8_t>(1U << (first % osmem::kPagesPerChunk / osmem::kHugePages));
    if (chunks_ != nullptr) {
      auto& bits = chunks_[first / osmem::kPagesPerChunk].huge;
      bits = static_cast<uint8_t>(huge ? bits | bit : bits & ~bit);
    }
    if (huge) std::fill_n(dirty_.begin() + first, osmem::kHugePages, true);
    (huge ? huge_pages_ : small_pages_)++;
    return true;
  }

  void write(uint32_t first, uint32_t pages) { std::fill_n(dirty_.begin() + first, pages, true); }
  uint32_t clean_pages(uint32_t first, uint32_t pages) const {
    return static_cast<uint32_t>(std::count(dirty_.begin() + first, dirty_.begin() + first + pages, false));
  }
  bool reads_as_zero(uint32_t first, uint32_t pages) const { return clean_pages(first, pages) == pages; }
  uint32_t resident_pages() const { return static_cast<uint32_t>(std::count(dirty_.begin(), dirty_.end(), true)); }
  int grown() const { return grown_; }
  uint64_t purged_pages() const { return purged_pages_; }  // that held something
  uint64_t now_ms() const { return now_ms_; }
  void pass_ms(uint64_t ms) { now_ms_ += ms; }
  int purge_calls() const { return purge_calls_; }
  int huge_pages() const { return huge_pages_; }
  int small_pages() const { return small_pages_; }  // places that shall have these again
  int emptied_chunks() const { return emptied_chunks_; }   // purged in one call
  const std::vector<osmem::PageRange>& given() const { return given_; }

 private:
  bool refuses() { return temper_ != Temper::kWilling && random_below(16) == 0; }

  const Temper temper_;
  std::mt19937 random_;
  std::vector<bool> dirty_;
  std::vector<osmem::PageRange> given_;
  uint32_t end_ = 0;
  int grown_ = 0;
  int purge_calls_ = 0;
  uint64_t now_ms_ = 1'000'000;
  uint64_t purged_pages_ = 0;
  int emptied_chunks_ = 0;
  int huge_pages_ = 0;
  int small_pages_ = 0;
  osmem::Chunk* chunks_ = nullptr;
  bool exact_ = false;
};

// The model that the functions of kSource speak for.
inline SourceModel* source_model = nullptr;
inline const osmem::PageSource kSource{
    [](uint32_t min_pages) { return source_model->grow(min_pages); },
    [](uint32_t first, uint32_t pages) { return source_model->purge(first, pages); },
    [] { return source_model->now_ms(); },
    [](uint32_t first, bool huge) { return source_model->set_huge(first, huge); }};

}  // namespace page_source
