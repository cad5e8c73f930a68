// cpp-containers: the standard library's containers at everyday tasks.
//
// Question: what does an allocator cost ordinary C++: tree nodes, hash nodes, strings past the
// small-string size, vectors that double, deque blocks, control blocks of shared pointers?
//
// Origin: the tasks that most programs are made of: an index of words, a table of sessions that
// come and go, a queue of events, a graph with shared nodes, a merge of sorted runs.
//
// Parameters: sessions held.
//
// An iteration does each task once; the sessions stay from one iteration to the next, all else is
// freed. Each thread has containers of its own.
#include <algorithm>
#include <cstdint>
#include <deque>
#include <list>
#include <map>
#include <memory>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include "workloads/random.hpp"
#include "workloads/realistic/digest.hpp"
#include "workloads/realistic/text.hpp"
#include "workloads/workload.hpp"

namespace workloads {
namespace {

std::string draw_text(Random& random, std::size_t words) {
  std::string text;
  for (std::size_t i = 0; i < words; ++i) {
    if (i > 0) {
      text += ' ';
    }
    text += draw_word(random);
  }
  return text;
}

// An index from phrases to the places where they stand, in order.
std::uint64_t index_words(Random& random, Digest& digest) {
  constexpr std::uint64_t kPhrases = 600;
  std::map<std::string, std::vector<std::uint32_t>> places;
  for (std::uint32_t i = 0; i < kPhrases; ++i) {
    places[draw_text(random, 2 + i % 2)].push_back(i);
  }
  for (const auto& [phrase, found] : places) {
    digest.add(phrase);
    for (const std::uint32_t place : found) {
      digest.add(place);
    }
  }
  return kPhrases;
}

struct Session {
  std::string user;
  std::vector<std::string> pages;
};

// Sessions come, go on, and expire in the order in which they came.
class Sessions {
 public:
  explicit Sessions(std::size_t capacity) : capacity_(capacity) {}

  std::uint64_t serve(Random& random, Digest& digest) {
    constexpr std::uint64_t kRequests = 600;
    for (std::uint64_t i = 0; i < kRequests; ++i) {
      const bool is_new = order_.empty() || random.chance(1, 3);
      const std::uint64_t id = is_new ? random.next() : order_[random.below(order_.size())];
      Session& session = by_id_[id];
      if (is_new) {
        session.user = draw_text(random, 3);
        order_.push_back(id);
      }
      if (session.pages.size() < 16) {
        session.pages.push_back("/" + draw_text(random, 1 + i % 3));
      }
      digest.add(session.user);
      digest.add(session.pages.size());
      if (order_.size() > capacity_) {
        expire(digest);
      }
    }
    return kRequests;
  }

 private:
  void expire(Digest& digest) {
    const auto oldest = by_id_.find(order_.front());
    digest.add(oldest->second.pages.back());
    by_id_.erase(oldest);
    order_.pop_front();
  }

  std::size_t capacity_;
  std::unordered_map<std::uint64_t, Session> by_id_;
  std::deque<std::uint64_t> order_;
};

struct Event {
  virtual ~Event() = default;
  [[nodiscard]] virtual std::uint64_t handle() const = 0;
};
struct Timer : Event {
  explicit Timer(std::uint64_t when) : deadline(when) {}
  [[nodiscard]] std::uint64_t handle() const override { return deadline / 2; }
  std::uint64_t deadline;
};
struct Message : Event {
  explicit Message(std::string received) : text(std::move(received)) {}
  [[nodiscard]] std::uint64_t handle() const override { return text.size(); }
  std::string text;
};

// A queue that swells and drains.
std::uint64_t pump_events(Random& random, Digest& digest) {
  constexpr std::uint64_t kEvents = 800;
  std::deque<std::unique_ptr<Event>> queue;
  for (std::uint64_t i = 0; i < kEvents; ++i) {
    if (random.chance(1, 3)) {
      queue.push_back(std::make_unique<Timer>(random.below(1000)));
    } else {
      queue.push_back(std::make_unique<Message>(draw_text(random, 1 + i % 5)));
    }
    if (queue.size() > 100 && random.chance(2, 3)) {
      digest.add(queue.front()->handle());
      queue.pop_front();
    }
  }
  for (; !queue.empty(); queue.pop_front()) {
    digest.add(queue.front()->handle());
  }
  return kEvents;
}

struct Node {
  std::string name;
  std::vector<std::shared_ptr<const Node>> parts;
};

// A parts list in layers, in which each node is shared by several above it.
std::uint64_t build_graph(Random& random, Digest& digest) {
  constexpr std::size_t kLayers = 12;
  constexpr std::size_t kWidth = 30;
  std::vector<std::shared_ptr<const Node>> below;
  for (std::size_t layer = 0; layer < kLayers; ++layer) {
    std::vector<std::shared_ptr<const Node>> nodes;
    for (std::size_t i = 0; i < kWidth; ++i) {
      auto node = std::make_shared<Node>();
      node->name = draw_text(random, 1 + i % 4);
      for (int part = 0; part < 3 && layer > 0; ++part) {
        node->parts.push_back(below[random.below(below.size())]);
      }
      nodes.push_back(std::move(node));
    }
    below = std::move(nodes);  // drops what nothing above shares
  }
  for (const auto& node : below) {
    for (const Node* at = node.get(); !at->parts.empty(); at = at->parts.front().get()) {
      digest.add(at->name);
    }
  }
  return kLayers * kWidth;
}

// Rows in vectors of vectors that grow by one, sorted, and merged as lists.
std::uint64_t merge_runs(Random& random, Digest& digest) {
  constexpr std::size_t kRuns = 8;
  constexpr std::size_t kRows = 60;
  std::vector<std::vector<std::string>> runs;
  for (std::size_t run = 0; run < kRuns; ++run) {
    runs.emplace_back();
    for (std::size_t row = 0; row < kRows; ++row) {
      runs.back().push_back(draw_text(random, 3));
    }
    std::sort(runs.back().begin(), runs.back().end());
  }
  std::list<std::string> merged;
  for (const auto& run : runs) {
    std::list<std::string> rows(run.begin(), run.end());
    merged.merge(rows);
  }
  merged.unique();
  for (const std::string& row : merged) {
    digest.add(row);
  }
  return kRuns * kRows;
}

class CppContainers : public Workload {
 public:
  explicit CppContainers(const Setup& setup)
      : seed_(setup.seed()), sessions_(setup.count("sessions")) {}

  Tally run(int thread_index, Steps& steps) override {
    Digest digest;
    Tally tally;
    Random random(seed_, static_cast<std::uint64_t>(thread_index));
    Sessions sessions(sessions_);
    while (steps.next()) {
      tally.operations += index_words(random, digest);
      tally.operations += sessions.serve(random, digest);
      tally.operations += pump_events(random, digest);
      tally.operations += build_graph(random, digest);
      tally.operations += merge_runs(random, digest);
    }
    tally.checksum = digest.value();
    return tally;
  }

 private:
  std::uint64_t seed_;
  std::size_t sessions_;
};

const Registration registration(
    {.name = "cpp-containers",
     .question = "What does ordinary C++ cost: nodes, strings, growing vectors, shared pointers?",
     .origin = "the standard containers at an index, sessions, events, a graph and a merge",
     .operation = "an item put into a container",
     .kind = Kind::kRealistic,
     .threading = Threading::kAny,
     .parameters = {{"sessions", 2000, "sessions", "sessions held", 1, 10000000}},
     .smoke_iterations = 5,
     .profile = "level once the sessions are there; half of the blocks up to 47 bytes, 99 of 100 "
                "up to 271; lives from a call to many iterations"},
    [](const Setup& setup) { return std::make_unique<CppContainers>(setup); });

}  // namespace
}  // namespace workloads
