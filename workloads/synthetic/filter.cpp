// filter: can what survives of one size live in little room while the program goes on with another?
//
// Origin: text processing: many strings are read, a part is kept, then come strings of another
// length. Each iteration allocates `count` strings of one length, written whole, and frees three
// quarters of them, drawn at random; the kept quarter lives for eight more iterations. The length
// changes each iteration: 40, 640, 100, 1000, 64, 250, 160, 400.
#include <array>
#include <cstdlib>
#include <memory>
#include <vector>

#include "workloads/memory.hpp"
#include "workloads/random.hpp"
#include "workloads/workload.hpp"

namespace workloads {
namespace {

constexpr std::array<std::size_t, 8> kLengths{40, 640, 100, 1000, 64, 250, 160, 400};

class Filter : public Workload {
 public:
  explicit Filter(const Setup& setup) : order_(setup.count("count")), strings_(order_.size()) {
    for (std::size_t i = 0; i < order_.size(); ++i) {
      order_[i] = static_cast<std::uint32_t>(i);
    }
    Random random(setup.seed());
    random.shuffle(order_);
    for (std::size_t i = 0; i < kLengths.size(); ++i) {
      kept_.emplace_back(order_.size() / 4);
    }
  }

  Tally run(int /*thread_index*/, Steps& steps) override {
    Tally tally;
    for (std::int64_t i = 0; steps.next(); ++i) {
      const std::size_t turn = static_cast<std::size_t>(i) % kLengths.size();
      filter(kept_[turn], kLengths[turn], tally);
      mark_phase("filtered");
    }
    for (std::size_t turn = 0; turn < kLengths.size(); ++turn) {
      drop_all(kept_[turn], kLengths[turn], tally);
    }
    return tally;
  }

 private:
  // Frees what was kept the last time of this length, and keeps a quarter of new strings.
  void filter(MappedArray<void*>& kept, std::size_t length, Tally& tally) {
    for (void*& string : strings_) {
      string = allocate(length);
      touch_whole(string, length, tag_of(tally.operations++));
    }
    drop_all(kept, length, tally);
    for (std::size_t i = 0; i < kept.size(); ++i) {
      kept[i] = strings_[order_[i]];
    }
    for (std::size_t i = kept.size(); i < order_.size(); ++i) {
      drop(strings_[order_[i]], length, tally);
    }
  }

  static void drop_all(MappedArray<void*>& strings, std::size_t length, Tally& tally) {
    for (void*& string : strings) {
      if (string != nullptr) {
        drop(std::exchange(string, nullptr), length, tally);
      }
    }
  }

  static void drop(void* string, std::size_t length, Tally& tally) {
    tally.checksum += read_ends(string, length);
    std::free(string);
  }

  MappedArray<std::uint32_t> order_;  // the first quarter is kept
  MappedArray<void*> strings_;
  std::vector<MappedArray<void*>> kept_;  // by length
};

const Registration registration(
    {.name = "filter",
     .question = "Can what survives of one size live in little room while other sizes go on?",
     .origin = "text processing that keeps a part of what it reads",
     .operation = "a malloc and a free",
     .threading = Threading::kSingle,
     .parameters = {{"count", 20000, "strings", "read in each iteration", 4, 1 << 26}},
     .smoke_iterations = 10,
     .smoke_parameters = "count=1000",
     .profile = "live: a ripple of count strings over a level of 8 x count / 4 kept ones (13 MB, "
                "up to 33 MB); eight "
                "lengths; no remote frees"},
    [](const Setup& setup) { return std::make_unique<Filter>(setup); });

}  // namespace
}  // namespace workloads
