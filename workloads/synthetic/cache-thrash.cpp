// cache-thrash: does an allocator give blocks of one cache line to two threads?
//
// Origin: Berger's Hoard (2000), active false sharing. Each iteration every thread allocates an
// object of `size` bytes, increments every byte `writes` times, and frees it. Where two threads get
// objects of one line, it bounces between their processors, and two threads are slower than one. On
// one thread it is the cost of the writes alone.
#include <memory>

#include "workloads/synthetic/false_sharing.hpp"

namespace workloads {
namespace {

const Registration registration(
    {.name = "cache-thrash",
     .question = "Does it give blocks of one cache line to two threads?",
     .origin = "Berger et al.'s Hoard, 2000: active false sharing",
     .operation = "a malloc, writes to every byte, and a free",
     .threading = Threading::kAny,
     .parameters = {{"size", 8, "bytes", "size of each object", 1, 1 << 20},
                    {"writes", 1000, "writes", "increments of each byte", 1, 1 << 24}},
     .smoke_iterations = 200,
     .profile = "live: one object a thread; no remote frees"},
    [](const Setup& setup) { return std::make_unique<FalseSharing>(setup); });

}  // namespace
}  // namespace workloads
