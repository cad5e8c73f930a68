// threadtest: does allocation scale when threads have nothing to do with each other?
//
// Origin: Berger's Hoard (2000). `objects` objects of `size` bytes in all are divided among the
// threads; each iteration every thread allocates its share and frees it. Ideal scaling halves the
// time with twice the threads, as the total work of an iteration is the same. The ends are written
// and read.
#include <algorithm>
#include <memory>

#include "workloads/synthetic/batches.hpp"

namespace workloads {
namespace {

const Registration registration(
    {.name = "threadtest",
     .question = "Does allocation scale when threads have nothing to do with each other?",
     .origin = "Berger et al.'s Hoard, 2000",
     .operation = "a malloc and a free",
     .threading = Threading::kAny,
     .parameters = {{"objects", 30000, "blocks", "blocks live at a time, on all threads together",
                     1, 1 << 26},
                    {"size", 8, "bytes", "size of each block", 1, 1 << 24}},
     .smoke_iterations = 2,
     .profile = "live: a sawtooth from 0 to objects blocks (240 kB) each iteration; first in, "
                "first out; no remote frees"},
    [](const Setup& setup) {
      const auto share = setup.count("objects") / static_cast<std::size_t>(setup.threads());
      return std::make_unique<Batches<TouchEnds>>(setup, std::max<std::size_t>(1, share),
                                                  setup.count("size"));
    });

}  // namespace
}  // namespace workloads
