// sparse-calloc: what does a large zeroed block cost of which little is ever used?
//
// Origin: public reports of slow calloc: hash tables, bitmaps and arenas sized for the worst case. An iteration takes a block of `min` to
// `max` KiB (log-uniform) by calloc, reads it at `reads` random places, each of which must be zero, writes to every eighth of these, and frees
// it. An allocator that keeps such mappings and clears them by hand writes all of it.
#include <cmath>
#include <cstdlib>
#include <memory>

#include "workloads/memory.hpp"
#include "workloads/random.hpp"
#include "workloads/workload.hpp"

namespace workloads {
namespace {

constexpr std::uint64_t kReadsAWrite = 8;

class SparseCalloc : public Workload {
 public:
  explicit SparseCalloc(const Setup& setup) : reads_(setup.count("reads")), sizes_(kOtherDraws), places_(kDraws) {
    const double low = static_cast<double>(setup["min"]) * 1024;
    const double high = std::max(low, static_cast<double>(setup["max"]) * 1024);
    Random random(setup.seed());
    for (std::size_t& size : sizes_) {
      size = static_cast<std::size_t>(low * std::pow(high / low, random.real()));
    }
    for (std::uint64_t& place : places_) {
      place = random.next();
    }
  }

  Tally run(int /*thread_index*/, Steps& steps) override {
    Tally tally;
    Walk<std::size_t> sizes(sizes_);
    Walk<std::uint64_t> places(places_);
    while (steps.next()) {
      const std::size_t bytes = sizes.next();
      auto* block = static_cast<unsigned char*>(allocated(std::calloc(1, bytes), bytes));
      std::uint64_t not_zero = 0;
      for (std::uint64_t read = 0; read < reads_; ++read) {
        const std::size_t place = static_cast<std::size_t>(((places.next() >> 32) * bytes) >> 32);
        not_zero += block[place] != 0 && block[place] != 1 ? 1 : 0;
        if (read % kReadsAWrite == 0) {
          block[place] = 1;
        }
      }
      tally.checksum += bytes + (not_zero << 40);
      ++tally.operations;
      std::free(block);
    }
    return tally;
  }

 private:
  std::uint64_t reads_;
  MappedArray<std::size_t> sizes_;
  MappedArray<std::uint64_t> places_;
};

const Registration registration(
    {.name = "sparse-calloc",
     .question = "What does a large zeroed block cost of which little is used?",
     .origin = "public reports of slow calloc",
     .operation = "a calloc, some reads and a free",
     .threading = Threading::kSingle,
     .parameters = {{"min", 2048, "KiB", "smallest block", 1, 1 << 24},
                    {"max", 32768, "KiB", "largest block", 1, 1 << 24},
                    {"reads", 64, "", "places that are read", 1, 1 << 20}},
     .smoke_iterations = 5,
     .profile = "live: one block of 2 to 32 MiB, log-uniform, at a time; lifetimes short; no remote frees"},
    [](const Setup& setup) { return std::make_unique<SparseCalloc>(setup); });

}  // namespace
}  // namespace workloads
