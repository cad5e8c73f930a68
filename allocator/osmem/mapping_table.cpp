#include "allocator/osmem/mapping_table.hpp"

#include "allocator/osmem/check.hpp"
#include "allocator/osmem/os.hpp"

namespace osmem {

Mapping* MappingTable::find(std::uintptr_t address) {
  if (places_ == 0 || address == 0) return nullptr;
  for (std::size_t i = home_of(address); table_[i].address != 0; i = (i + 1) & (places_ - 1)) {
    if (table_[i].address == address) return &table_[i];
  }
  return nullptr;
}

void MappingTable::place(const Mapping& mapping) {
  std::size_t i = home_of(mapping.address);
  while (table_[i].address != 0 && table_[i].address != mapping.address) i = (i + 1) & (places_ - 1);
  table_[i] = mapping;
}

bool MappingTable::grow() {
  const std::size_t old_places = places_;
  Mapping* old_table = table_;
  const std::size_t page = os::page_bytes();
  const std::size_t new_places = old_places == 0 ? page / sizeof(Mapping) : old_places * 2;
  auto* table = static_cast<Mapping*>(os::map(new_places * sizeof(Mapping), page));
  if (table == nullptr) return false;
  table_ = table;
  places_ = new_places;
  for (std::size_t i = 0; i < old_places; ++i) {
    if (old_table[i].address != 0) place(old_table[i]);
  }
  if (old_table != nullptr) os::unmap(old_table, old_places * sizeof(Mapping));
  return true;
}

bool MappingTable::insert(const Mapping& mapping) {
  if (2 * (count_ + 1) > places_ && !grow()) return false;
  place(mapping);
  ++count_;
  return true;
}

void MappingTable::reinsert(const Mapping& mapping) {
  if (insert(mapping)) return;
  check(count_ + 1 < places_, "mapping table: no place for an entry that was there before");
  place(mapping);
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
    table_[hole] = table_[i];
    hole = i;
  }
  table_[hole] = Mapping{};
  --count_;
}

}  // namespace osmem
