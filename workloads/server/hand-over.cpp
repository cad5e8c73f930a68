// hand-over: what do requests cost that begin on one thread, are served on a second and end on a third?
//
// Origin: servers in stages: an acceptor, workers, a sender. A lane is three threads with bounded queues of 256 requests between them. The
// first allocates a request of 64 to 4,096 bytes (log-uniform); the second reads and frees it, and allocates an answer of 128 bytes to 16 KiB;
// the third keeps the last answers, the lane's share of `megabytes`, and frees the oldest. The time of a request runs from when it was due to
// when its answer is kept.
#include <array>
#include <memory>

#include "workloads/server/serving.hpp"
#include "workloads/synthetic/queue.hpp"
#include "workloads/threads.hpp"

namespace workloads::server {
namespace {

constexpr std::size_t kQueued = 256;
constexpr double kLeastAnswer = 128;
constexpr double kMostAnswer = 16384;
enum Stage : std::size_t { kAccept, kServe, kSend, kStages };

struct Passed {
  Block block;
  std::uint64_t start_ns;
};

class HandOver : public Serving {
 public:
  explicit HandOver(const Setup& setup)
      : Serving(setup, static_cast<std::size_t>(setup.threads()) * kStages),
        kept_(std::max<std::size_t>(1, static_cast<std::size_t>(static_cast<double>(bytes_each_) / log_uniform_mean(kLeastAnswer, kMostAnswer)))) {
    for (std::size_t lane = 0; lane < threads_; ++lane) {
      answers_.emplace_back(kept_);
    }
  }

  Tally run(int thread_index, Steps& steps) override {
    const auto lane = static_cast<std::size_t>(thread_index);
    Tally all;
    while (steps.next()) {
      Queue<Passed> to_serve(kQueued, Flow::kAtOnce);
      Queue<Passed> to_send(kQueued, Flow::kAtOnce);
      std::array<Tally, kStages> tallies{};
      Thread server([&] { serve(lane, to_serve, to_send, tallies[kServe]); });
      Thread sender([&] { send(lane, to_send, tallies[kSend]); });
      accept(lane, to_serve, tallies[kAccept]);
      server.join();
      sender.join();
      for (const Tally& tally : tallies) {
        all.operations += tally.operations;
        all.checksum += tally.checksum;
      }
    }
    return all;
  }

 private:
  RequestLog::Share& share(std::size_t lane, Stage stage) { return log_.of(lane * kStages + stage); }

  void accept(std::size_t lane, Queue<Passed>& out, Tally& tally) {
    Heap heap(share(lane, kAccept), tally);
    Random random = random_of(lane);
    const std::uint64_t first_ns = now_ns();
    for (std::uint64_t i = 0; i < requests_each_; ++i) {
      std::uint64_t start_ns = now_ns();
      if (const std::uint64_t due_ns = first_ns + i * interval_ns_; interval_ns_ != 0) {
        if (start_ns < due_ns) {
          sleep_until(due_ns);
          start_ns = now_ns();
        } else {
          start_ns = due_ns;
        }
      }
      const Passed passed{heap.take(log_uniform(random, 64, 4096)), start_ns};
      out.put({&passed, 1});
    }
    out.close();
  }

  void serve(std::size_t lane, Queue<Passed>& in, Queue<Passed>& out, Tally& tally) {
    Heap heap(share(lane, kServe), tally);
    Random random = random_of(threads_ + lane);
    Passed passed{};
    while (in.take({&passed, 1}) > 0) {
      Block answer = heap.take(log_uniform(random, kLeastAnswer, kMostAnswer));
      heap.drop(passed.block);
      passed.block = answer;
      out.put({&passed, 1});
    }
    out.close();
  }

  void send(std::size_t lane, Queue<Passed>& in, Tally& tally) {
    Heap heap(share(lane, kSend), tally);
    MappedArray<Block>& answers = answers_[lane];
    std::size_t next = 0;
    Passed passed{};
    while (in.take({&passed, 1}) > 0) {
      heap.drop(answers[next]);
      answers[next] = passed.block;
      next = next + 1 < kept_ ? next + 1 : 0;
      heap.served();
      share(lane, kSend).served(now_ns() - passed.start_ns);
    }
    for (Block& block : answers) {
      heap.drop(block);
    }
  }

  std::size_t kept_;  // answers of a lane
  std::vector<MappedArray<Block>> answers_;
};

const Registration registration(
    {.name = "hand-over",
     .question = "What do requests cost that begin on one thread, are served on a second and end on a third?",
     .origin = "servers in stages",
     .operation = "a request: two mallocs, two frees, all frees on another thread",
     .kind = Kind::kServer,
     .threading = Threading::kAny,
     .parameters = parameters(512, 30, 12000),
     .smoke_parameters = "megabytes=8,seconds=1,rate=2000,pace=none",
     .threads_note = "threads:N is N lanes of three threads",
     .profile = "live: grows to megabytes and stays; sizes 64 bytes to 16 KiB; first in, first out; every free is remote"},
    [](const Setup& setup) { return std::make_unique<HandOver>(setup); });

}  // namespace
}  // namespace workloads::server
