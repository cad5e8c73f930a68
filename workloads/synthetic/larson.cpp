// larson: does an allocator keep up when the blocks of a thread that has ended are freed by its
// successor?
//
// Origin: Larson and Krishnan's server (1998): a request's data outlives the thread that allocated
// it. Each thread holds `slots` blocks of `min` to `max` bytes, uniform, and replaces a random one,
// 64 times an iteration; after `lifetime` replacements it starts a successor, hands it the slots,
// and exits. With overlap=none the successor waits until its predecessor is gone, so its first
// frees all go to a heap without a thread; with overlap=start it goes to work at once, while the
// predecessor still ends, and inherits blocks of a living thread. At most two of a line are alive.
#include <algorithm>
#include <cstdlib>
#include <memory>
#include <semaphore>
#include <vector>

#include "workloads/synthetic/replacement.hpp"
#include "workloads/threads.hpp"

namespace workloads {
namespace {

constexpr std::uint64_t kReplacementsPerIteration = 64;

// A line of threads, each the successor of the one before. Whoever is alive last owns the fields:
// they pass on with the successor's start and its join of the predecessor.
class Line {
 public:
  Line(Replacer<TouchEnds> replacer, Steps& steps, std::uint64_t lifetime, bool overlaps)
      : replacer_(std::move(replacer)),
        steps_(steps),
        lifetime_(lifetime),
        overlaps_(overlaps) {}

  Tally run() {
    start_thread(&Line::body, this);
    finished_.acquire();
    pthread_join(newest_, nullptr);
    return replacer_.tally();
  }

 private:
  static void* body(void* self) {
    static_cast<Line*>(self)->live();
    return nullptr;
  }

  void live() {
    const bool has_predecessor = generation_++ != 0;
    const pthread_t predecessor = newest_;
    if (!has_predecessor) {
      replacer_.fill();
      mark_phase("filled");
    } else if (!overlaps_) {
      pthread_join(predecessor, nullptr);
    }
    const bool has_successor = live_to_old_age();
    if (has_predecessor && overlaps_) {
      pthread_join(predecessor, nullptr);
    }
    newest_ = pthread_self();
    if (has_successor) {
      start_thread(&Line::body, this);
      return;
    }
    mark_phase("replaced");
    replacer_.drain();
    finished_.release();
  }

  // False if there is no more work, for this thread or the next.
  bool live_to_old_age() {
    for (std::uint64_t lived = 0; lived < lifetime_;) {
      if (left_ == 0 && !begin_iteration()) {
        return false;
      }
      const std::uint64_t count = std::min(left_, lifetime_ - lived);
      replacer_.replace(count);
      left_ -= count;
      lived += count;
    }
    return left_ > 0 || begin_iteration();
  }

  bool begin_iteration() {
    left_ = steps_.next() ? kReplacementsPerIteration : 0;
    return left_ > 0;
  }

  Replacer<TouchEnds> replacer_;
  Steps& steps_;
  std::uint64_t left_ = 0;  // replacements of an iteration that has begun
  std::uint64_t lifetime_;
  bool overlaps_;
  std::uint64_t generation_ = 0;
  pthread_t newest_{};  // the thread that the next one, or run(), has to join
  std::binary_semaphore finished_{0};
};

class Larson : public Workload {
 public:
  explicit Larson(const Setup& setup)
      : slots_(setup.count("slots")),
        lifetime_(setup.count("lifetime")),
        overlaps_(setup["overlap"] == 1) {
    const std::size_t low = setup.count("min");
    const std::size_t high = std::max(low, setup.count("max"));
    draws_ = ReplacementDraws::draw(setup, slots_,
                                    [=](Random& random) { return random.between(low, high); });
    for (int i = 0; i < setup.threads(); ++i) {
      replacers_.emplace_back(draws_, slots_, i);
    }
  }

  Tally run(int thread_index, Steps& steps) override {
    Replacer<TouchEnds>& replacer = replacers_[static_cast<std::size_t>(thread_index)];
    return Line(std::move(replacer), steps, lifetime_, overlaps_).run();
  }

 private:
  std::size_t slots_;
  std::uint64_t lifetime_;
  bool overlaps_;
  ReplacementDraws draws_;
  std::vector<Replacer<TouchEnds>> replacers_;
};

const Registration registration(
    {.name = "larson",
     .question = "Does it keep up when a thread's blocks are freed by its successor?",
     .origin = "the server simulation of Larson and Krishnan, 1998",
     .operation = "a free and a malloc",
     .threading = Threading::kAny,
     .parameters = {{"slots", 5000, "blocks", "blocks live in each line of threads", 1, 1 << 26},
                    {"min", 8, "bytes", "smallest block", 1, 1 << 30},
                    {"max", 1000, "bytes", "largest block", 1, 1 << 30},
                    {"lifetime", 50000, "replacements", "after which a successor takes over", 1,
                     std::int64_t{1} << 40},
                    {"overlap", 0, "", "whether the successor waits for its predecessor's end", 0,
                     1, {"none", "start"}}},
     .smoke_iterations = 500,
     .smoke_parameters = "lifetime=5000",
     .threads_note = "threads:N is N lines of successive threads, one working at a time in each; "
                     "the N threads that "
                     "run() is called on only wait",
     .profile = "live: level at slots x (min + max) / 2 bytes a line (2.5 MB); sizes uniform; "
                "lifetimes geometric, mean "
                "slots replacements; at the defaults about a tenth of the frees go to a dead "
                "thread's blocks"},
    [](const Setup& setup) { return std::make_unique<Larson>(setup); });

}  // namespace
}  // namespace workloads
