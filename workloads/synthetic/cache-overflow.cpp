// cache-overflow: what does a small block cost once the thread's cache is empty, or full?
//
// Origin: the limits of thread caches: 7 blocks a size in the C library, a few hundred elsewhere.
// Each thread allocates `n` blocks of `size` bytes and frees them all, first in first out: at the
// defaults more than any thread cache holds of one size, so that each iteration takes blocks from
// the level below and gives them back. The ends are written and read.
#include <memory>

#include "workloads/synthetic/batches.hpp"

namespace workloads {
namespace {

const Registration registration(
    {.name = "cache-overflow",
     .question = "What does a small block cost once the thread's cache is empty, or full?",
     .origin = "the limits of thread caches",
     .operation = "a malloc and a free",
     .threading = Threading::kAny,
     .parameters = {{"n", 4224, "blocks", "blocks live at a time", 1, 1 << 24},
                    {"size", 8, "bytes", "size of each block; the other usual one is 8192", 1,
                     1 << 24}},
     .smoke_iterations = 5,
     .profile = "live: a sawtooth from 0 to n blocks (34 kB) each iteration on each thread; no "
                "remote frees"},
    [](const Setup& setup) {
      return std::make_unique<Batches<TouchEnds>>(setup, setup.count("n"), setup.count("size"));
    });

}  // namespace
}  // namespace workloads
