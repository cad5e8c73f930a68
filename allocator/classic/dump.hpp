// A list heap as lines of JSON, for scripts/heap_map.py. One snapshot is
//   {"record": "heap", "allocator": "altmem", "layout": "list", "header_bytes": 32, "label":
//   "free(b)"}
//   {"record": "block", "offset": 0, "size": 104, "status": "allocated", "name": "a"}     one a
//   block, by address
//   {"record": "mapping", "bytes": 200032, "name": "c"}                                   one a
//   mapping
// Offsets are those of the headers from the first block's; status is free, allocated or fence. A
// file may hold many.
#pragma once

#include "allocator/classic/boundary_tags.hpp"
#include "allocator/classic/report.hpp"

namespace classic {

// `name_of(block)` gives a word for blocks in use, or null; label and names must not need escaping
// in JSON.
template <class Heap, class NameOf>
void dump_heap(const Heap& heap, const char* allocator, const char* label, Report& out,
               NameOf name_of) {
  const auto add_name = [&](Block* block) {
    if (const char* name = is_free(block) ? nullptr : name_of(block); name != nullptr) {
      out.text(", \"name\": \"").text(name).text("\"");
    }
    out.text("}\n");
  };
  out.text("{\"record\": \"heap\", \"allocator\": \"").text(allocator);
  out.text("\", \"layout\": \"list\", \"header_bytes\": ").number(kHeaderBytes);
  out.text(", \"label\": \"").text(label).text("\"}\n");
  const Block* first = nullptr;
  heap.for_each_block([&](Block* block) {
    first = first == nullptr ? block : first;
    const auto offset = reinterpret_cast<char*>(block) - reinterpret_cast<const char*>(first);
    const char* status = is_free(block)                  ? "free"
                         : (block->tags & kIsFence) != 0 ? "fence"
                                                         : "allocated";
    out.text("{\"record\": \"block\", \"offset\": ").number(static_cast<std::uint64_t>(offset));
    out.text(", \"size\": ").number(block->size).text(", \"status\": \"").text(status).text("\"");
    add_name(block);
  });
  heap.for_each_mapping([&](Block* block) {
    out.text("{\"record\": \"mapping\", \"bytes\": ").number(kHeaderBytes + block->size);
    add_name(block);
  });
}

}  // namespace classic
