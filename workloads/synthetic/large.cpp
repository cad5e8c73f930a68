// large: does an allocator keep large blocks for their next use, or pay the system for every one of
// them?
//
// Origin: image, matrix and video buffers. Pattern "replace": `slots` slots of `min` to `max` KiB,
// uniform, a random one replaced each iteration, its new block set to zero as a buffer is. Patterns
// "pair" and "batch": one block, or `n` blocks and then n frees, of `size` KiB, touched each 4 KiB.
// An allocator that unmaps on free and maps on malloc pays two system calls and a page fault for
// each 4 KiB; one that caches holds memory that it may never use again.
#include <algorithm>
#include <memory>

#include "workloads/synthetic/batches.hpp"
#include "workloads/synthetic/replacement.hpp"

namespace workloads {
namespace {

enum class Pattern { kReplace, kPair, kBatch };

struct Zeroed {
  static void write(const Block& block, std::uint8_t /*tag*/) {
    touch_whole(block.pointer, block.bytes, 0);
  }
  static std::uint64_t read(const Block& block) { return read_ends(block.pointer, block.bytes); }
};

std::unique_ptr<Workload> make(const Setup& setup) {
  const std::size_t size = setup.count("size") * 1024;
  switch (static_cast<Pattern>(setup["pattern"])) {
    case Pattern::kPair:
      return std::make_unique<Batches<TouchPages>>(setup, 1, size);
    case Pattern::kBatch:
      return std::make_unique<Batches<TouchPages>>(setup, setup.count("n"), size);
    case Pattern::kReplace:
      break;
  }
  const std::size_t low = setup.count("min") * 1024;
  const std::size_t high = std::max(low, setup.count("max") * 1024);
  return std::make_unique<Replacement<Zeroed>>(
      setup, setup.count("slots"), 1, [=](Random& random) { return random.between(low, high); });
}

const Registration registration(
    {.name = "large",
     .question = "Does it keep large blocks for their next use, or pay the system for each?",
     .origin = "image, matrix and video buffers",
     .operation = "a malloc and a free of a large block, touched",
     .threading = Threading::kAny,
     .parameters =
         {{"pattern", 0, "", "order of mallocs and frees", 0, 2, {"replace", "pair", "batch"}},
          {"slots", 20, "blocks", "replace: blocks live on each thread", 1, 1 << 16},
          {"min", 5120, "KiB", "replace: smallest block", 1, 1 << 20},
          {"max", 25600, "KiB", "replace: largest block", 1, 1 << 20},
          {"size", 800, "KiB", "pair and batch: size of each block", 1, 1 << 20},
          {"n", 128, "blocks", "batch: blocks live at a time", 1, 1 << 16}},
     .smoke_iterations = 10,
     .smoke_parameters = "slots=4,min=256,max=2048",
     .profile = "live: level at slots x (min + max) / 2 a thread (300 MiB); pair: one block; "
                "batch: a sawtooth to n "
                "blocks (100 MiB); no remote frees"},
    make);

}  // namespace
}  // namespace workloads
