// random-replace: how does an allocator do when sizes and lifetimes are random and the live memory
// stays level?
//
// Origin: the steady state of a long-running program in its plainest form, used since the 1990s to
// compare free lists. Each thread fills `slots` slots with blocks of `min` to `max` bytes, uniform,
// then frees the block of a random slot and refills it, 64 times an iteration. The ends of each
// block are written and read back. Half the classes of a segregated allocator are in use at once,
// and best fit has to search among thousands of holes.
#include <algorithm>
#include <memory>

#include "workloads/synthetic/replacement.hpp"

namespace workloads {
namespace {

constexpr std::uint64_t kReplacementsPerIteration = 64;

const Registration registration(
    {.name = "random-replace",
     .question = "How does it do when sizes and lifetimes are random and live memory is level?",
     .origin = "the plainest steady state of a long-running program",
     .operation = "a free and a malloc",
     .threading = Threading::kAny,
     .parameters = {{"slots", 5000, "blocks", "blocks live on each thread", 1, 1 << 26},
                    {"min", 1, "bytes", "smallest block", 1, 1 << 30},
                    {"max", 5000, "bytes", "largest block", 1, 1 << 30}},
     .smoke_iterations = 100,
     .profile = "live: level at slots x (min + max) / 2 bytes a thread (12.5 MB); sizes uniform; "
                "lifetimes geometric, "
                "mean slots replacements; no remote frees"},
    [](const Setup& setup) {
      const std::size_t low = setup.count("min");
      const std::size_t high = std::max(low, setup.count("max"));
      return std::make_unique<Replacement<TouchEnds>>(
          setup, setup.count("slots"), kReplacementsPerIteration,
          [=](Random& random) { return random.between(low, high); });
    });

}  // namespace
}  // namespace workloads
