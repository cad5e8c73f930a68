// large-small: is the room of a large block lost to it once small blocks have been cut from it?
//
// Origin: the fragmentation that fills a heap by one survivor at a time. Each iteration allocates a
// block of 32 MiB, its pages written, and frees it; then 33,500 blocks of 1,000 bytes, which fit
// into that room, their ends written, and frees all of them but one, drawn at random. Survivors are
// freed after `kept` iterations. The least possible peak is that of one iteration; an allocator
// that serves both from the same room needs new room for each.
#include <cstdlib>
#include <memory>

#include "workloads/memory.hpp"
#include "workloads/random.hpp"
#include "workloads/workload.hpp"

namespace workloads {
namespace {

constexpr std::size_t kLargeBytes = std::size_t{32} << 20;
constexpr std::size_t kSmallBytes = 1000;
constexpr std::size_t kSmallBlocks = 33500;

class LargeSmall : public Workload {
 public:
  explicit LargeSmall(const Setup& setup)
      : kept_(setup.count("kept")), blocks_(kSmallBlocks), survivors_(kOtherDraws) {
    Random random(setup.seed());
    for (std::uint32_t& survivor : survivors_) {
      survivor = static_cast<std::uint32_t>(random.below(kSmallBlocks));
    }
  }

  Tally run(int /*thread_index*/, Steps& steps) override {
    Walk survivors(survivors_);
    Tally tally;
    for (std::int64_t i = 0; steps.next(); ++i) {
      use_large(tally);
      void* survivor = use_small(survivors.next(), tally);
      void*& oldest = kept_[static_cast<std::size_t>(i) % kept_.size()];
      drop(std::exchange(oldest, survivor), tally);
    }
    for (void*& survivor : kept_) {
      drop(std::exchange(survivor, nullptr), tally);
    }
    return tally;
  }

 private:
  static void use_large(Tally& tally) {
    void* large = allocate(kLargeBytes);
    touch_pages(large, kLargeBytes, tag_of(tally.operations++));
    tally.checksum += read_each(large, kLargeBytes, kPageBytes);
    std::free(large);
    mark_phase("large-freed");
  }

  // Gives back all but the survivor.
  void* use_small(std::size_t survivor, Tally& tally) {
    for (void*& block : blocks_) {
      block = allocate(kSmallBytes);
      touch_ends(block, kSmallBytes, tag_of(tally.operations++));
    }
    void* kept = std::exchange(blocks_[survivor], nullptr);
    for (void* block : blocks_) {
      drop(block, tally);
    }
    mark_phase("small-freed");
    return kept;
  }

  static void drop(void* block, Tally& tally) {
    if (block == nullptr) {
      return;
    }
    tally.checksum += read_ends(block, kSmallBytes);
    std::free(block);
  }

  MappedArray<void*> kept_;  // a ring of survivors
  MappedArray<void*> blocks_;
  MappedArray<std::uint32_t> survivors_;
};

const Registration registration(
    {.name = "large-small",
     .question = "Is the room of a large block lost once small blocks have been cut from it?",
     .origin = "heaps that one survivor at a time fragments",
     .operation = "a malloc and a free",
     .threading = Threading::kSingle,
     .parameters = {{"kept", 100, "blocks", "survivors kept at a time", 1, 1 << 20}},
     .smoke_iterations = 2,
     .profile = "live, each iteration: 32 MiB, 0, 33.5 MB, 0, besides up to kept x 1,000 bytes; "
                "sizes 32 MiB and 1,000 "
                "bytes; no remote frees"},
    [](const Setup& setup) { return std::make_unique<LargeSmall>(setup); });

}  // namespace
}  // namespace workloads
