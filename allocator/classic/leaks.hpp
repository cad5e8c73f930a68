// The leak report: every block of a list heap that is in use.
#pragma once

#include "allocator/classic/block.hpp"
#include "allocator/classic/report.hpp"

namespace classic {

// Writes one line a block in use and then their number and total to `file`; nothing if there is
// none. Returns the number of blocks. REQUIRES: nobody changes the heap meanwhile
// (LockedHeap::inspect).
template <class Heap>
std::size_t report_leaks(const Heap& heap, const char* name, int file) {
  Report report(file);
  std::size_t count = 0;
  std::size_t bytes = 0;
  const auto visit = [&](Block* block) {
    if (is_free(block)) {
      return;
    }
    ++count;
    bytes += block->size;
    report.text(name)
        .text(": not freed: ")
        .number(block->size)
        .text(" bytes at ")
        .address(payload_of(block));
    report.text(block->status == Status::kMapped ? " (mapping)\n" : "\n");
  };
  heap.for_each_block(visit);
  heap.for_each_mapping(visit);
  if (count > 0) {
    report.text(name).text(": not freed in all: ").number(count);
    report.text(count == 1 ? " block, " : " blocks, ").number(bytes).text(" bytes\n");
  }
  return count;
}

}  // namespace classic
