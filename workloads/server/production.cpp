// production: how does an allocator do on the sizes and lifetimes of ten production binaries, at a steady demand?
//
// Origin: the distributions that google/fleetbench publishes (profiles.hpp). Each thread holds its share of `megabytes` in blocks whose sizes
// are distributed as the profile's live blocks. A request is `births` allocations, drawn as the profile's births; each takes the place of a
// random live block of its row, so that by Little's law the mean lifetime of each size is the profile's. A row with less than one live block
// in that heap is allocated and freed at once.
#include <memory>

#include "workloads/server/profiles.hpp"
#include "workloads/server/serving.hpp"

namespace workloads::server {
namespace {

struct Row {
  std::uint32_t bytes;
  std::uint32_t first;  // of its slots
  std::uint32_t slots;  // 0: freed at once
};

class Production : public Serving {
 public:
  explicit Production(const Setup& setup) : Serving(setup), births_(setup.count("births")), draws_(1U << 16) {
    const auto profile = kFleet[setup.count("profile")];
    double mean_bytes = 0;
    for (const ProfileRow& row : profile) {
      mean_bytes += row.bytes * static_cast<double>(row.live) * 1e-6;
    }
    const double blocks = static_cast<double>(bytes_each_) / mean_bytes;
    rows_ = MappedArray<Row>(profile.size());
    std::uint32_t first = 0;
    for (std::size_t i = 0; i < profile.size(); ++i) {
      rows_[i] = {profile[i].bytes, first, static_cast<std::uint32_t>(blocks * static_cast<double>(profile[i].live) * 1e-6 + 0.5)};
      first += rows_[i].slots;
    }
    for (std::size_t thread = 0; thread < threads_; ++thread) {
      slots_.emplace_back(std::max<std::size_t>(1, first));
    }
    draw_rows(profile);
  }

  Tally run(int thread_index, Steps& steps) override {
    const auto thread = static_cast<std::size_t>(thread_index);
    Tally tally;
    while (steps.next()) {
      serve(thread, Heap(log_.of(thread), tally));
    }
    return tally;
  }

 private:
  // Which rows are born, in proportion.
  void draw_rows(std::span<const ProfileRow> profile) {
    Random random(seed_);
    double all = 0;
    for (const ProfileRow& row : profile) {
      all += row.births;
    }
    for (std::uint16_t& draw : draws_) {
      double rest = random.real() * all;
      std::size_t row = 0;
      while (row + 1 < profile.size() && rest >= profile[row].births) {
        rest -= profile[row++].births;
      }
      draw = static_cast<std::uint16_t>(row);
    }
  }

  void serve(std::size_t thread, Heap heap) {
    MappedArray<Block>& slots = slots_[thread];
    Random random = random_of(thread);
    for (const Row& row : rows_) {
      for (std::uint32_t i = 0; i < row.slots; ++i) {
        slots[row.first + i] = heap.take(row.bytes);
      }
    }
    mark_phase("filled");
    Arrivals arrivals(interval_ns_, log_.of(thread));
    for (std::uint64_t i = 0; i < requests_each_; ++i) {
      arrivals.begin();
      for (std::size_t birth = 0; birth < births_; ++birth) {
        const std::uint64_t drawn = random.next();
        const Row& row = rows_[draws_[drawn & 0xffff]];
        if (row.slots == 0) {
          Block block = heap.take(row.bytes);
          heap.drop(block);
        } else {
          heap.replace(slots[row.first + static_cast<std::uint32_t>(((drawn >> 32) * row.slots) >> 32)], row.bytes);
        }
      }
      heap.served();
      arrivals.end();
    }
    for (Block& block : slots) {
      heap.drop(block);
    }
  }

  std::size_t births_;
  MappedArray<Row> rows_;
  MappedArray<std::uint16_t> draws_;
  std::vector<MappedArray<Block>> slots_;  // by thread
};

const Registration registration(
    {.name = "production",
     .question = "How does it do on the sizes and lifetimes of ten production binaries?",
     .origin = "distributions published with google/fleetbench (Apache 2.0), put together into at most 40 rows",
     .operation = "a request: `births` times a free and a malloc",
     .kind = Kind::kServer,
     .threading = Threading::kAny,
     .parameters = parameters(512, 30, 8000,
                              {{"profile", 0, "", "which binary", 0, 9,
                                {"fleet0", "fleet1", "fleet2", "fleet3", "fleet4", "fleet5", "fleet6", "fleet7", "fleet8", "fleet9"}},
                               {"births", 32, "blocks", "allocations of a request", 1, 100000}}),
     .smoke_parameters = "megabytes=8,seconds=1,rate=2000,pace=none",
     .profile = "live: megabytes, steady; sizes 1 byte to 4 MiB, half of them below 128; lifetimes by size; no remote frees"},
    [](const Setup& setup) { return std::make_unique<Production>(setup); });

}  // namespace
}  // namespace workloads::server
