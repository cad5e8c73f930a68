#include "allocator/osmem/pages/mapping_table.hpp"

#include <bit>

#include "allocator/osmem/base/check.hpp"
#include "allocator/osmem/base/fork_order.hpp"
#include "allocator/osmem/os/os.hpp"

namespace osmem {

Mapping* MappingTable::find(std::uintptr_t address) {
  if (places_ == 0 || address == 0) return nullptr;
  for (std::size_t i = home_of(address); table_[i].address != 0; i = (i + 1) & (places_ - 1)) {
    if (table_[i].address == address) return &table_[i];
  }
  return nullptr;
}

// The address says that the rest is valid, so it comes last.
void MappingTable::write(Mapping& target, const Mapping& mapping) {
  target.address = kBeingWritten;
  order_writes();
  target.capacity_bytes = mapping.capacity_bytes;
  target.usable_bytes = mapping.usable_bytes;
  target.growth_count = mapping.growth_count;
  target.fresh_from_bytes = mapping.fresh_from_bytes;
  target.zeroed = mapping.zeroed;
  target.huge = mapping.huge;
  order_writes();
  target.address = mapping.address;
  order_writes();
}

void MappingTable::place(Mapping* table, std::size_t places, const Mapping& mapping) {
  std::size_t i = home_in(places, mapping.address);
  while (table[i].address != 0 && table[i].address != mapping.address) i = (i + 1) & (places - 1);
  write(table[i], mapping);
}

bool MappingTable::grow() {
  const std::size_t old_places = places_;
  Mapping* old_table = table_;
  const std::size_t page = os::page_bytes();
  const std::size_t new_places = old_places == 0 ? std::bit_floor(page / sizeof(Mapping)) : old_places * 2;
  auto* table = static_cast<Mapping*>(os::map(new_places * sizeof(Mapping), page));
  if (table == nullptr) return false;
  for (std::size_t i = 0; i < old_places; ++i) {
    if (old_table[i].address != 0) place(table, new_places, old_table[i]);
  }
  next_places_ = new_places;
  order_writes();
  next_table_ = table;  // from here on repair() completes the step
  order_writes();
  table_ = table;
  places_ = new_places;
  order_writes();
  next_table_ = nullptr;
  if (old_table != nullptr) os::unmap(old_table, old_places * sizeof(Mapping));
  return true;
}

void MappingTable::repair() {
  if (next_table_ != nullptr) {
    table_ = next_table_;
    places_ = next_places_;
    next_table_ = nullptr;
  }
  count_ = 0;
  for (std::size_t i = 0; i < places_; ++i) {
    Mapping& mapping = table_[i];
    // What erase() had begun: at most one such place. It may move another entry here, which is then looked at.
    while (mapping.address == kBeingWritten || (mapping.address != 0 && find(mapping.address) != &mapping)) {
      erase(&mapping);
    }
  }
  for_each([this](const Mapping&) { ++count_; });
}

bool MappingTable::insert(const Mapping& mapping) {
  if (2 * (count_ + 1) > places_ && !grow()) return false;
  place(table_, places_, mapping);
  ++count_;
  return true;
}

void MappingTable::reinsert(const Mapping& mapping) {
  if (insert(mapping)) return;
  check(count_ + 1 < places_, "mapping table: no place for an entry that was there before");
  place(table_, places_, mapping);
  ++count_;
}

// Later entries of the same stretch move up, so that no search is cut short.
void MappingTable::erase(Mapping* mapping) {
  auto hole = static_cast<std::size_t>(mapping - table_);
  for (std::size_t i = (hole + 1) & (places_ - 1); table_[i].address != 0; i = (i + 1) & (places_ - 1)) {
    const std::size_t home = home_of(table_[i].address);
    // Movable unless its home lies cyclically in (hole, i].
    const bool stays = hole <= i ? (hole < home && home <= i) : (hole < home || home <= i);
    if (stays) continue;
    write(table_[hole], table_[i]);
    hole = i;
  }
  table_[hole].address = 0;
  --count_;
}

}  // namespace osmem
