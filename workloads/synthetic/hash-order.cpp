// hash-order: does it hurt an allocator to get blocks back in no order at all?
//
// Origin: tables that are walked by hash: neighbours in memory die far apart in time. An iteration,
// on each thread: allocate 1.5 N blocks of `min` to `max` bytes, free N/4 of them, allocate N more,
// free all, each time in the order of a hash of their numbers. N = `n`; the other usual setting is
// n=1024,min=4096,max=131072. Ends are written and read.
#include <algorithm>
#include <cstdlib>
#include <memory>
#include <vector>

#include "workloads/memory.hpp"
#include "workloads/random.hpp"
#include "workloads/workload.hpp"

namespace workloads {
namespace {

class HashOrder : public Workload {
 public:
  explicit HashOrder(const Setup& setup)
      : n_(setup.count("n")),
        sizes_(kOtherDraws),
        first_order_(n_ + n_ / 2),
        last_order_(first_order_.size() - n_ / 4 + n_) {
    const std::size_t low = setup.count("min");
    const std::size_t high = std::max(low, setup.count("max"));
    Random random(setup.seed());
    for (std::uint32_t& size : sizes_) {
      size = static_cast<std::uint32_t>(random.between(low, high));
    }
    shuffle(first_order_, random);
    shuffle(last_order_, random);
    for (int i = 0; i < setup.threads(); ++i) {
      tables_.emplace_back(last_order_.size());
    }
  }

  Tally run(int thread_index, Steps& steps) override {
    const auto index = static_cast<std::size_t>(thread_index);
    Walk sizes(sizes_, index * 2003);
    Tally tally;
    while (steps.next()) {
      cycle(tables_[index], sizes, tally);
    }
    return tally;
  }

 private:
  static void shuffle(MappedArray<std::uint32_t>& order, Random& random) {
    for (std::size_t i = 0; i < order.size(); ++i) {
      order[i] = static_cast<std::uint32_t>(i);
    }
    random.shuffle(order);
  }

  void cycle(MappedArray<Block>& table, Walk<std::uint32_t>& sizes, Tally& tally) const {
    for (std::size_t i = 0; i < first_order_.size(); ++i) {
      put(table[i], sizes.next(), tally);
    }
    const std::size_t freed = n_ / 4;
    for (std::size_t i = 0; i < freed; ++i) {
      drop(table[first_order_[i]], tally);
    }
    for (std::size_t i = 0; i < freed; ++i) {
      put(table[first_order_[i]], sizes.next(), tally);
    }
    for (std::size_t i = first_order_.size(); i < table.size(); ++i) {
      put(table[i], sizes.next(), tally);
    }
    for (const std::uint32_t i : last_order_) {
      drop(table[i], tally);
    }
  }

  static void put(Block& block, std::size_t bytes, Tally& tally) {
    block = {allocate(bytes), bytes};
    touch_ends(block.pointer, bytes, tag_of(tally.operations++));
  }

  static void drop(const Block& block, Tally& tally) {
    tally.checksum += read_ends(block.pointer, block.bytes);
    std::free(block.pointer);
  }

  std::size_t n_;
  MappedArray<std::uint32_t> sizes_;
  MappedArray<std::uint32_t> first_order_;  // its first quarter of n is freed and refilled
  MappedArray<std::uint32_t> last_order_;
  std::vector<MappedArray<Block>> tables_;
};

const Registration registration(
    {.name = "hash-order",
     .question = "Does it hurt to get blocks back in no order at all?",
     .origin = "tables that are walked by hash",
     .operation = "a malloc and a free",
     .threading = Threading::kAny,
     .parameters = {{"n", 32768, "blocks", "N; 2.25 N blocks are live at the top", 4, 1 << 24},
                    {"min", 16, "bytes", "smallest block", 1, 1 << 30},
                    {"max", 128, "bytes", "largest block", 1, 1 << 30}},
     .smoke_iterations = 1,
     .smoke_parameters = "n=2048",
     .profile = "live: a sawtooth from 0 to 2.25 N blocks (5.3 MB) each iteration on each thread; "
                "sizes uniform; "
                "lifetimes random; no remote frees"},
    [](const Setup& setup) { return std::make_unique<HashOrder>(setup); });

}  // namespace
}  // namespace workloads
