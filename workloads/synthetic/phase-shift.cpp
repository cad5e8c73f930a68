// phase-shift: can memory that was used for one size be used for another, and does it come back to
// the system?
//
// Origin: programs that load, then work, then export: each phase lives on other sizes. A cycle (an
// iteration), for M = `megabytes` MiB: M in blocks of 2 MiB, all freed; 2 M in blocks of 512 bytes,
// a random half freed; on top of the other half 2 M in blocks of 2 MiB; all freed. Large blocks
// have one byte of each page written, small ones their ends. The least possible peak is 3 M; what
// is above is memory that one phase could not take over from another.
#include <cstdlib>
#include <memory>

#include "workloads/memory.hpp"
#include "workloads/random.hpp"
#include "workloads/workload.hpp"

namespace workloads {
namespace {

constexpr std::size_t kLargeBytes = std::size_t{2} << 20;
constexpr std::size_t kSmallBytes = 512;
constexpr std::size_t kMebibyte = std::size_t{1} << 20;

class PhaseShift : public Workload {
 public:
  explicit PhaseShift(const Setup& setup)
      : first_count_(setup.count("megabytes") * kMebibyte / kLargeBytes),
        large_(2 * first_count_),
        small_(2 * setup.count("megabytes") * kMebibyte / kSmallBytes),
        free_order_(small_.size()) {
    for (std::size_t i = 0; i < free_order_.size(); ++i) {
      free_order_[i] = static_cast<std::uint32_t>(i);
    }
    Random random(setup.seed());
    random.shuffle(free_order_);
  }

  Tally run(int /*thread_index*/, Steps& steps) override {
    Tally tally;
    while (steps.next()) {
      cycle(tally);
    }
    return tally;
  }

 private:
  void cycle(Tally& tally) {
    allocate_large(first_count_, tally);
    mark_phase("large");
    free_large(first_count_, tally);
    mark_phase("large-freed");
    for (void*& block : small_) {
      block = allocate(kSmallBytes);
      touch_ends(block, kSmallBytes, tag_of(tally.operations++));
    }
    mark_phase("small");
    free_small(0, small_.size() / 2, tally);
    mark_phase("small-half-freed");
    allocate_large(large_.size(), tally);
    mark_phase("large-again");
    free_large(large_.size(), tally);
    free_small(small_.size() / 2, small_.size(), tally);
    mark_phase("all-freed");
  }

  void allocate_large(std::size_t count, Tally& tally) {
    for (std::size_t i = 0; i < count; ++i) {
      large_[i] = allocate(kLargeBytes);
      touch_pages(large_[i], kLargeBytes, tag_of(tally.operations++));
    }
  }

  void free_large(std::size_t count, Tally& tally) {
    for (std::size_t i = 0; i < count; ++i) {
      tally.checksum += read_each(large_[i], kLargeBytes, kPageBytes);
      std::free(large_[i]);
    }
  }

  void free_small(std::size_t from, std::size_t to, Tally& tally) {
    for (std::size_t i = from; i < to; ++i) {
      void* block = small_[free_order_[i]];
      tally.checksum += read_ends(block, kSmallBytes);
      std::free(block);
    }
  }

  std::size_t first_count_;
  MappedArray<void*> large_;
  MappedArray<void*> small_;
  MappedArray<std::uint32_t> free_order_;
};

const Registration registration(
    {.name = "phase-shift",
     .question =
         "Can memory that was used for one size be used for another, and does it come back?",
     .origin = "programs whose phases live on other sizes",
     .operation = "a malloc and a free",
     .threading = Threading::kSingle,
     .parameters = {{"megabytes", 512, "MiB", "M, size of the first phase; the peak is 3 M", 2,
                     1 << 20}},
     .smoke_iterations = 1,
     .smoke_parameters = "megabytes=8",
     .profile = "live, each iteration: 0 to M, 0, 2 M, M, 3 M, 0; blocks of 2 MiB and 512 bytes; "
                "no remote frees"},
    [](const Setup& setup) { return std::make_unique<PhaseShift>(setup); });

}  // namespace
}  // namespace workloads
