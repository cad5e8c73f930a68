// inverse-square: how does an allocator do when small blocks are far more frequent than large ones?
//
// Origin: glibc's thread benchmark, whose sizes follow the observation that in real programs the
// number of blocks falls with about the square of their size. Each thread holds `slots` blocks of
// `min` to `max` bytes with a probability proportional to size^-2, and replaces a random one, 64
// times an iteration. Each block is written whole.
#include <algorithm>
#include <memory>

#include "workloads/synthetic/replacement.hpp"

namespace workloads {
namespace {

constexpr std::uint64_t kReplacementsPerIteration = 64;

const Registration registration(
    {.name = "inverse-square",
     .question = "How does it do when small blocks are far more frequent than large ones?",
     .origin = "the size distribution of glibc's thread benchmark",
     .operation = "a free and a malloc",
     .threading = Threading::kAny,
     .parameters = {{"slots", 1024, "blocks", "blocks live on each thread", 1, 1 << 26},
                    {"min", 4, "bytes", "smallest block", 1, 1 << 30},
                    {"max", 32768, "bytes", "largest block", 1, 1 << 30}},
     .smoke_iterations = 100,
     .profile = "live: level at slots blocks a thread (40 to 60 kB); sizes p ~ size^-2; "
                "lifetimes geometric, "
                "mean slots replacements; no remote frees"},
    [](const Setup& setup) {
      const auto low = static_cast<double>(setup["min"]);
      const auto high = std::max(low, static_cast<double>(setup["max"]));
      return std::make_unique<Replacement<TouchWhole>>(
          setup, setup.count("slots"), kReplacementsPerIteration,
          [=](Random& random) { return random.power_law(low, high, 2.0); });
    });

}  // namespace
}  // namespace workloads
