// Live mappings by address: open addressing with linear probing, kept at most half full, in memory of its own.
// Not thread-safe: the caller holds a lock. All operations O(1) on average.
#pragma once

#include <cstddef>
#include <cstdint>

namespace osmem {

struct Mapping {
  std::uintptr_t address = 0;   // 0: an empty place
  std::size_t capacity_bytes = 0;
  std::size_t usable_bytes = 0;
  std::size_t growth_count = 0;  // times it was extended
};

class MappingTable {
 public:
  constexpr MappingTable() = default;

  // Null if there is none. Valid until the next insert or erase.
  Mapping* find(std::uintptr_t address);

  // False, and nothing happens, if there is no memory for a larger table.
  bool insert(const Mapping& mapping);

  void erase(Mapping* mapping);

  // Puts an entry back that was erased a moment ago. Never fails: a table half full when the entry left has room for
  // many such, one for each thread at work.
  void reinsert(const Mapping& mapping);

  [[nodiscard]] std::size_t size() const { return count_; }

  template <typename Visit>
  void for_each(Visit visit) const {
    for (std::size_t i = 0; i < places_; ++i) {
      if (table_[i].address != 0) visit(table_[i]);
    }
  }

 private:
  [[nodiscard]] std::size_t home_of(std::uintptr_t address) const {
    return ((address >> 12) * 0x9e3779b97f4a7c15ULL >> 20) & (places_ - 1);
  }
  bool grow();
  void place(const Mapping& mapping);

  Mapping* table_ = nullptr;
  std::size_t places_ = 0;  // a power of two
  std::size_t count_ = 0;
};

}  // namespace osmem
