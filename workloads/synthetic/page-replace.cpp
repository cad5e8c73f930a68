// page-replace: how does an allocator do when sizes and lifetimes are random and blocks are whole
// pages?
//
// Origin: as random-replace, for what lies between small blocks and those mapped one by one: I/O
// buffers, stacks, tables. Each thread fills `slots` slots with blocks of `min` to `max` pages of 4
// KiB, uniform, then frees the block of a random slot and refills it, 64 times an iteration. Only
// the ends of each block are written and read, so that the work is the page heap's: search, split,
// coalesce, and giving back.
#include <algorithm>
#include <memory>

#include "workloads/synthetic/replacement.hpp"

namespace workloads {
namespace {

constexpr std::uint64_t kReplacementsPerIteration = 64;

const Registration registration(
    {.name = "page-replace",
     .question = "How does it do when sizes and lifetimes are random and blocks are whole pages?",
     .origin = "random-replace for the page heap: buffers, stacks, tables",
     .operation = "a free and a malloc",
     .threading = Threading::kAny,
     .parameters = {{"slots", 5000, "blocks", "blocks live on each thread", 1, 1 << 24},
                    {"min", 1, "pages", "smallest block", 1, 1 << 18},
                    {"max", 127, "pages", "largest block", 1, 1 << 18}},
     .smoke_iterations = 20,
     .smoke_parameters = "slots=200",
     .profile = "live: level at slots x (min + max) / 2 pages a thread (1.3 GB, of which 40 MB are "
                "touched); sizes "
                "uniform; lifetimes geometric, mean slots replacements; no remote frees"},
    [](const Setup& setup) {
      const std::size_t low = setup.count("min");
      const std::size_t high = std::max(low, setup.count("max"));
      return std::make_unique<Replacement<TouchEnds>>(
          setup, setup.count("slots"), kReplacementsPerIteration,
          [=](Random& random) { return kPageBytes * random.between(low, high); });
    });

}  // namespace
}  // namespace workloads
