// long-churn: does resident memory creep up over time although live memory does not?
//
// Origin: servers that have to be restarted every week. Live memory is held at `megabytes` MiB
// while the sizes in demand change: a phase lasts `phase` allocations, which are of one half to
// twice a middle size, log-uniform; the middle goes through 64, 1024, 128, 4096, 32, 512, 2048 and
// 256 bytes and round again. Each allocation is followed by frees of random blocks while live
// memory is over its level; ends are written and read. An iteration is 64 allocations. Run it for
// minutes (the phases "quarter-1" to "quarter-4" are marked) and compare resident memory in the
// last quarter with the first.
#include <array>
#include <cmath>
#include <cstdlib>
#include <memory>

#include "workloads/memory.hpp"
#include "workloads/random.hpp"
#include "workloads/workload.hpp"

namespace workloads {
namespace {

constexpr std::array<double, 8> kMiddleBytes{64, 1024, 128, 4096, 32, 512, 2048, 256};
constexpr std::size_t kSmallestBytes = 16;
constexpr std::size_t kAllocationsPerIteration = 64;
constexpr std::array<const char*, 4> kQuarters{"quarter-1", "quarter-2", "quarter-3", "quarter-4"};

class LongChurn : public Workload {
 public:
  explicit LongChurn(const Setup& setup)
      : level_bytes_(setup.count("megabytes") * 1048576),
        phase_(setup.count("phase")),
        live_(level_bytes_ / kSmallestBytes + 2),
        victims_(kDraws) {
    Random random(setup.seed());
    for (std::uint32_t& victim : victims_) {
      victim = static_cast<std::uint32_t>(random.next());
    }
    for (std::size_t i = 0; i < kMiddleBytes.size(); ++i) {
      sizes_[i] = MappedArray<std::uint32_t>(kOtherDraws);
      for (std::uint32_t& size : sizes_[i]) {
        size = static_cast<std::uint32_t>(kMiddleBytes[i] * std::exp2(2 * random.real() - 1));
      }
    }
  }

  Tally run(int /*thread_index*/, Steps& steps) override {
    Tally tally;
    Walk victims(victims_);
    const std::uint64_t total = static_cast<std::uint64_t>(steps.total()) * kAllocationsPerIteration;
    std::size_t quarter = 0;
    for (std::uint64_t done = 0; steps.next();) {
      if (done >= quarter * total / 4) {
        mark_phase(kQuarters[quarter++]);
      }
      for (const std::uint64_t end = done + kAllocationsPerIteration; done < end;) {
        const std::uint64_t until = std::min((done / phase_ + 1) * phase_, end);
        const MappedArray<std::uint32_t>& sizes = sizes_[done / phase_ % sizes_.size()];
        done = churn(Walk(sizes, done), done, until, victims, tally);
      }
    }
    mark_phase("end");
    while (count_ > 0) {
      tally.checksum += drop(live_[--count_]);
    }
    live_bytes_ = 0;
    return tally;
  }

 private:
  // Makes the allocations numbered from `number` to `until` - 1. Works on copies of the counts: a
  // local stays in a register over a call of malloc, a member does not.
  std::uint64_t churn(Walk<std::uint32_t> sizes, std::uint64_t number, std::uint64_t until,
                      Walk<std::uint32_t>& all_victims, Tally& tally) {
    Walk<std::uint32_t> victims = all_victims;
    Block* const live = live_.begin();
    std::size_t count = count_;
    std::size_t live_bytes = live_bytes_;
    tally.operations += until - number;
    for (; number < until; ++number) {
      const Block block = put(sizes.next(), number);
      live[count++] = block;
      live_bytes += block.bytes;
      while (live_bytes > level_bytes_) {
        Block& victim = live[(std::uint64_t{victims.next()} * count) >> 32];
        live_bytes -= victim.bytes;
        tally.checksum += drop(victim);
        victim = live[--count];
      }
    }
    all_victims = victims;
    count_ = count;
    live_bytes_ = live_bytes;
    return number;
  }

  static Block put(std::size_t bytes, std::uint64_t number) {
    const Block block{allocate(bytes), bytes};
    touch_ends(block.pointer, bytes, tag_of(number));
    return block;
  }

  // Gives what was read.
  static std::uint64_t drop(const Block& block) {
    const std::uint64_t seen = read_ends(block.pointer, block.bytes);
    std::free(block.pointer);
    return seen;
  }

  std::size_t level_bytes_;
  std::uint64_t phase_;
  MappedArray<Block> live_;  // the first count_
  std::size_t count_ = 0;
  std::size_t live_bytes_ = 0;
  MappedArray<std::uint32_t> victims_;
  std::array<MappedArray<std::uint32_t>, kMiddleBytes.size()> sizes_;  // by phase
};

const Registration registration(
    {.name = "long-churn",
     .question = "Does resident memory creep up over time although live memory does not?",
     .origin = "servers that have to be restarted every week",
     .operation = "a malloc, and frees while over the level",
     .threading = Threading::kSingle,
     .parameters = {{"megabytes", 64, "MiB", "live memory", 1, 1 << 14},
                    {"phase", 200000, "allocations", "after which other sizes are in demand", 1,
                     std::int64_t{1} << 40}},
     .smoke_iterations = 500,
     .smoke_parameters = "megabytes=1,phase=5000",
     .profile = "live: up to megabytes, then level; sizes 16-8,192 bytes in eight bands that "
                "follow each other; lifetimes "
                "geometric; no remote frees"},
    [](const Setup& setup) { return std::make_unique<LongChurn>(setup); });

}  // namespace
}  // namespace workloads
