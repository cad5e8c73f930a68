// tides: does memory follow a demand that falls to a third and returns?
//
// Origin: services by day and night. Each thread holds sessions of three blocks of 256 bytes to 8 KiB (log-uniform). A request makes eight
// blocks of 32 to 2,048 bytes that live as long as it, and a new session in the place of a random one. The run has `cycles` of four parts:
// high, ebb, low, flood. In the ebb requests end more sessions than they begin, and come less often, until a third of both is left; in the
// flood the other way round. How many sessions there are depends on the number of the request only, never on time.
#include <array>
#include <memory>

#include "workloads/server/serving.hpp"

namespace workloads::server {
namespace {

constexpr std::size_t kBlocks = 3;       // of a session
constexpr std::size_t kTransient = 8;    // of a request
constexpr double kLowBytes = 256;
constexpr double kHighBytes = 8192;
constexpr double kLeast = 1.0 / 3;       // of the demand

using Session = std::array<Block, kBlocks>;

class Tides : public Serving {
 public:
  explicit Tides(const Setup& setup)
      : Serving(setup),
        cycles_(setup["cycles"]),
        most_(std::max<std::size_t>(8, static_cast<std::size_t>(static_cast<double>(bytes_each_) / (kBlocks * log_uniform_mean(kLowBytes, kHighBytes))))) {
    for (std::size_t thread = 0; thread < threads_; ++thread) {
      sessions_.emplace_back(most_);
    }
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
  // The share of the full demand when `done` of the requests are over.
  [[nodiscard]] double demand(double done) const {
    const double place = done * static_cast<double>(cycles_);
    const double part = (place - std::floor(place)) * 4;  // high, ebb, low, flood
    const double fallen = part < 1 ? 0 : part < 2 ? part - 1 : part < 3 ? 1 : 4 - part;
    return 1 - (1 - kLeast) * fallen;
  }

  static void begin_session(Heap& heap, Random& random, Session& session) {
    for (Block& block : session) {
      heap.replace(block, log_uniform(random, kLowBytes, kHighBytes));
    }
  }

  static void end_session(Heap& heap, Session& session) {
    for (Block& block : session) {
      heap.drop(block);
    }
  }

  // Ends random sessions or begins new ones until there are `wanted`.
  static void follow(Heap& heap, Random& random, MappedArray<Session>& sessions, std::size_t& live, std::size_t wanted) {
    while (live > wanted) {
      std::swap(sessions[random.below(live)], sessions[live - 1]);
      end_session(heap, sessions[--live]);
    }
    while (live < wanted) {
      begin_session(heap, random, sessions[live++]);
    }
  }

  void serve(std::size_t thread, Heap heap) {
    MappedArray<Session>& sessions = sessions_[thread];
    Random random = random_of(thread);
    std::size_t live = 0;
    follow(heap, random, sessions, live, most_);
    mark_phase("filled");
    Arrivals arrivals(interval_ns_, log_.of(thread));
    for (std::uint64_t i = 0; i < requests_each_; ++i) {
      const double share = demand(static_cast<double>(i) / static_cast<double>(requests_each_));
      arrivals.begin(1 / share);
      std::array<Block, kTransient> transient{};
      for (Block& block : transient) {
        block = heap.take(log_uniform(random, 32, 2048));
      }
      begin_session(heap, random, sessions[random.below(live)]);
      follow(heap, random, sessions, live, std::max<std::size_t>(1, static_cast<std::size_t>(static_cast<double>(most_) * share)));
      for (Block& block : transient) {
        heap.drop(block);
      }
      heap.served();
      arrivals.end();
    }
    follow(heap, random, sessions, live, 0);
  }

  std::int64_t cycles_;
  std::size_t most_;  // sessions of a thread
  std::vector<MappedArray<Session>> sessions_;
};

const Registration registration(
    {.name = "tides",
     .question = "Does memory follow a demand that falls to a third and returns?",
     .origin = "services by day and night",
     .operation = "a request: 11 mallocs and frees, more in ebb and flood",
     .kind = Kind::kServer,
     .threading = Threading::kAny,
     .parameters = parameters(512, 40, 8000, {{"cycles", 5, "", "ebbs and floods", 1, 1000}}),
     .smoke_parameters = "megabytes=4,seconds=1,rate=2000,pace=none,cycles=2",
     .profile = "live: megabytes, a third of it, and back, cycles times; sizes 32 bytes to 8 KiB; lifetimes random; no remote frees"},
    [](const Setup& setup) { return std::make_unique<Tides>(setup); });

}  // namespace
}  // namespace workloads::server
