// Carries out one short trace on each of the three list heaps and writes their state after every
// step, as lines of JSON for scripts/heap_map.py:
//   trace_heap > heap.jsonl && scripts/heap_map.py heap.jsonl --out ladder-heap
// Nothing here allocates but the heaps themselves, so each is one stretch of memory.
#include <cstdio>

#include "allocator/classic/altmem.hpp"
#include "allocator/classic/dump.hpp"
#include "allocator/classic/freelist.hpp"
#include "allocator/classic/osmem_classic.hpp"

namespace {

using classic::Block;
using classic::kKiB;

// `kib` is the size asked for; 0 frees. A name that is in use is resized.
struct Step {
  char name;
  std::size_t kib;
};

constexpr Step kTrace[] = {
    {'a', 24}, {'b', 12}, {'c', 32}, {'d', 12}, {'a', 0},   {'c', 0},  {'e', 20},
    {'b', 0},  {'f', 40}, {'d', 30}, {'e', 0},  {'g', 200}, {'d', 10}, {'h', 70},
};

// A heap on a break of its own: the process has only one, and three heaps would part each other's.
class PrivateBreak : public classic::SystemMemory {
 public:
  char* current_break() { return break_ == nullptr ? (break_ = map(kRoomBytes)) : break_; }
  char* extend_break(std::size_t bytes) {
    char* const old = break_;
    break_ += bytes;
    return old;
  }

 private:
  static constexpr std::size_t kRoomBytes = 1024 * kKiB;  // more than the trace needs
  char* break_ = nullptr;
};

template <class Heap>
void run(const char* allocator, classic::Report& out) {
  Heap heap;
  void* blocks[128] = {};
  char name[2] = {};
  const auto name_of = [&](Block* block) -> const char* {
    for (char c = 'a'; c <= 'z'; ++c) {
      if (blocks[static_cast<int>(c)] == classic::payload_of(block)) {
        name[0] = c;
        return name;
      }
    }
    return nullptr;
  };
  for (const Step& step : kTrace) {
    void*& block = blocks[static_cast<int>(step.name)];
    char label[64];
    if (step.kib == 0) {
      std::snprintf(label, sizeof label, "free(%c)", step.name);
      heap.release(block);
      block = nullptr;
    } else if (block != nullptr) {
      std::snprintf(label, sizeof label, "%c = realloc(%c, %zu KiB)", step.name, step.name,
                    step.kib);
      block = heap.resize(block, step.kib * kKiB);
    } else {
      std::snprintf(label, sizeof label, "%c = malloc(%zu KiB)", step.name, step.kib);
      block = heap.allocate(step.kib * kKiB);
    }
    classic::dump_heap(heap, allocator, label, out, name_of);
  }
}

}  // namespace

int main() {
  classic::Report out(STDOUT_FILENO);
  run<classic::ListHeap<classic::OsmemClassicPolicy<8, PrivateBreak>>>("osmem-classic", out);
  run<classic::ListHeap<classic::AltmemPolicy<8, PrivateBreak>>>("altmem", out);
  run<classic::ListHeap<classic::FreelistPolicy<PrivateBreak>>>("freelist", out);
  if (!out.flush()) {
    std::perror("trace_heap: cannot write the heaps to standard output");
    return 1;
  }
  return 0;
}
