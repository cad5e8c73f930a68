// Live mappings by address: open addressing with linear probing, kept at most half full, in memory of its own.
// Not thread-safe: the caller holds a lock. All operations O(1) on average. A fork may come in the middle of any of them
// (fork_order.hpp): until repair() a place may then be marked as being written, or one entry stand in two places.
#pragma once

#include <cstddef>
#include <cstdint>

namespace osmem {

struct Mapping {
  std::uintptr_t address = 0;   // 0: an empty place; kBeingWritten: neither empty nor anybody's, in a table only
  std::size_t capacity_bytes = 0;
  std::size_t usable_bytes = 0;
  std::uint32_t growth_count = 0;   // times it was extended
  std::size_t fresh_from_bytes = 0; // what lies behind was zero when it was handed out; before, a former block's contents may be left
  bool zeroed = false;              // as it was asked for
  bool huge = false;                // may have huge pages
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

  // In the child of a fork that came while another thread was changing the table: finishes the change, or takes it back.
  void repair();

  [[nodiscard]] std::size_t size() const { return count_; }

  template <typename Visit>
  void for_each(Visit visit) const {
    for (std::size_t i = 0; i < places_; ++i) {
      if (table_[i].address != 0) visit(table_[i]);
    }
  }

 private:
  [[nodiscard]] std::size_t home_of(std::uintptr_t address) const { return home_in(places_, address); }
  static constexpr std::uintptr_t kBeingWritten = 1;

  bool grow();
  static void write(Mapping& target, const Mapping& mapping);
  static void place(Mapping* table, std::size_t places, const Mapping& mapping);
  [[nodiscard]] static std::size_t home_in(std::size_t places, std::uintptr_t address) {
    return ((address >> 12) * 0x9e3779b97f4a7c15ULL >> 20) & (places - 1);
  }

  Mapping* table_ = nullptr;
  std::size_t places_ = 0;  // a power of two
  std::size_t count_ = 0;
  // While a larger table takes over:
  Mapping* next_table_ = nullptr;
  std::size_t next_places_ = 0;
};

}  // namespace osmem
