// mleak: does an allocator leak, or pile up heaps, when threads that allocate end at once?
//
// Origin: leak tests of allocators; a program that starts a thread for every request. Each
// iteration starts a thread that allocates `blocks` zeroed blocks of 16 to 1,024 bytes by calloc,
// checks that they are zero, exchanges each into a random one of `slots` shared slots, frees what
// comes out (a block of a thread that is gone), and ends. The last thread empties the slots. Live
// memory is level once the slots are full: resident memory that grows then is lost.
#include <cstdlib>
#include <memory>

#include "workloads/memory.hpp"
#include "workloads/random.hpp"
#include "workloads/synthetic/shared_slots.hpp"
#include "workloads/threads.hpp"
#include "workloads/workload.hpp"

namespace workloads {
namespace {

constexpr std::uint64_t kSmallestBytes = 16;
constexpr std::uint64_t kLargestBytes = 1024;

class Mleak : public Workload {
 public:
  explicit Mleak(const Setup& setup)
      : blocks_(setup.count("blocks")),
        shared_(setup.count("slots"), setup.threads()),
        slots_(kDraws),
        sizes_(kOtherDraws) {
    Random random(setup.seed());
    for (std::uint32_t& slot : slots_) {
      slot = static_cast<std::uint32_t>(random.below(shared_.size()));
    }
    for (std::uint32_t& size : sizes_) {
      size = static_cast<std::uint32_t>(random.between(kSmallestBytes, kLargestBytes));
    }
  }

  Tally run(int thread_index, Steps& steps) override {
    const auto index = static_cast<std::size_t>(thread_index);
    Walk slots(slots_, index * 1009);
    Walk sizes(sizes_, index * 2003);
    Tally tally;
    while (steps.next()) {
      Thread mortal([&] {
        for (std::size_t j = 0; j < blocks_; ++j) {
          swap(slots.next(), sizes.next(), tally);
        }
      });
      mortal.join();
    }
    shared_.leave([&](void* block) { drop_sealed(block, tally.checksum); });
    return tally;
  }

 private:
  void swap(std::size_t slot, std::size_t bytes, Tally& tally) {
    void* block = allocated(std::calloc(1, bytes), bytes);
    tally.checksum += read_whole(block, bytes);  // nothing, or calloc has failed its contract
    seal(block, bytes, tag_of(tally.operations++));
    drop_sealed(shared_.exchange(slot, block), tally.checksum);
  }

  std::size_t blocks_;
  SharedSlots shared_;
  MappedArray<std::uint32_t> slots_;
  MappedArray<std::uint32_t> sizes_;
};

const Registration registration(
    {.name = "mleak",
     .question = "Does it leak, or pile up heaps, when threads that allocate end at once?",
     .origin = "leak tests of allocators; a thread for every request",
     .operation = "a calloc, and the free of an older block",
     .threading = Threading::kAny,
     .parameters = {{"blocks", 100, "blocks", "allocated in a thread's life", 1, 1 << 20},
                    {"slots", 1000, "slots", "blocks live in all", 1, 1 << 24}},
     .smoke_iterations = 30,
     .threads_note =
         "threads:N is N threads alive at a time; those that run() is called on only wait",
     .profile = "live: level at slots x 520 bytes (0.5 MB) in all; sizes uniform 16-1,024; nearly "
                "every free is of a "
                "dead thread's block"},
    [](const Setup& setup) { return std::make_unique<Mleak>(setup); });

}  // namespace
}  // namespace workloads
