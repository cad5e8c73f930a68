// protobuf: trees of messages, built, written, read and changed.
//
// Question: what does an allocator cost a server whose messages are trees of small objects, strings
// and growing arrays, each on the heap?
//
// Origin: Protocol Buffers, the spans that tracing services collect (trace_report.proto).
//
// Parameters: spans of a report, where messages live.
//
// An iteration builds a report, writes it, reads it back, filters it and writes it again. With
// `memory=arena` the library carves its messages out of blocks and frees them together. Maps are
// written in order of their keys: their own order follows addresses. Each thread has messages of
// its own.
#include <google/protobuf/arena.h>
#include <google/protobuf/io/coded_stream.h>
#include <google/protobuf/io/zero_copy_stream_impl_lite.h>

#include <cstdint>
#include <memory>
#include <stdexcept>
#include <string>

#include "trace_report.pb.h"
#include "workloads/random.hpp"
#include "workloads/realistic/digest.hpp"
#include "workloads/realistic/text.hpp"
#include "workloads/workload.hpp"

namespace workloads {
namespace {

using google::protobuf::Arena;
using trace_report::Attribute;
using trace_report::Report;
using trace_report::Span;

std::string draw_name(Random& random) {
  std::string name(draw_word(random));
  return name.append("/").append(draw_word(random)).append(".").append(draw_word(random));
}

void fill(Attribute& attribute, Random& random) {
  attribute.set_key(draw_name(random));
  switch (random.below(4)) {
    case 0:
      attribute.set_number(static_cast<std::int64_t>(random.below(1 << 20)));
      break;
    case 1:
      attribute.set_ratio(random.real());
      break;
    case 2:
      attribute.set_blob(std::string(random.between(1, 200), 'b'));
      break;
    default:
      attribute.set_text(draw_name(random) + draw_name(random));
  }
}

void fill(Span& span, Random& random) {
  span.set_id(random.next());
  span.set_name(draw_name(random));
  span.set_start_ns(random.below(1'000'000'000));
  span.set_end_ns(span.start_ns() + random.below(1'000'000));
  const std::uint64_t attributes = random.between(1, 5);
  for (std::uint64_t i = 0; i < attributes; ++i) {
    fill(*span.add_attributes(), random);
  }
  if (random.chance(1, 3)) {
    auto& event = *span.add_events();
    event.set_time_ns(span.start_ns());
    event.set_name(draw_name(random));
    fill(*event.add_attributes(), random);
  }
  if (random.chance(1, 4)) {
    for (int i = 0; i < 4; ++i) {
      (*span.mutable_counters())[draw_name(random)] = i;
    }
  }
}

// A random tree of `count` spans: `parent` and what is under it.
// NOLINTNEXTLINE(misc-no-recursion): halves at each level
void grow(Span& parent, std::uint64_t count, Random& random) {
  fill(parent, random);
  for (std::uint64_t left = count - 1; left > 0;) {
    const std::uint64_t share = random.between(1, (left + 1) / 2);
    grow(*parent.add_children(), share, random);
    left -= share;
  }
}

void build(Report& report, std::uint64_t spans, Random& random) {
  constexpr std::uint64_t kSpansPerRoot = 25;
  report.set_service(draw_name(random));
  for (std::uint64_t left = spans; left > 0;) {
    const std::uint64_t share = std::min(left, kSpansPerRoot);
    grow(*report.add_roots(), share, random);
    report.add_sizes(static_cast<std::uint32_t>(share));
    left -= share;
  }
}

std::string serialise(const Report& report) {
  std::string bytes;
  {
    google::protobuf::io::StringOutputStream stream(&bytes);
    google::protobuf::io::CodedOutputStream coded(&stream);
    coded.SetSerializationDeterministic(true);
    if (!report.SerializeToCodedStream(&coded)) {
      throw std::runtime_error("protobuf: cannot write");
    }
  }
  return bytes;
}

// Drops events and attributes, renames, repeats the longest of two children; returns how many spans
// there were.
// NOLINTNEXTLINE(misc-no-recursion): as deep as the tree
std::uint64_t filter(Span& span) {
  std::uint64_t count = 1;
  span.clear_events();
  if (span.attributes_size() > 2) {
    span.mutable_attributes()->DeleteSubrange(0, 1);
  }
  span.mutable_name()->append(" (filtered)");
  const Span* longest = nullptr;
  for (Span& child : *span.mutable_children()) {
    count += filter(child);
    const bool is_longer = longest == nullptr || child.end_ns() - child.start_ns() >
                                                     longest->end_ns() - longest->start_ns();
    if (is_longer) {
      longest = &child;
    }
  }
  if (longest != nullptr && span.children_size() == 2) {
    Span copy(*longest);
    span.add_children()->Swap(&copy);
  }
  return count;
}

enum Memory : std::int64_t { kHeap, kArena };

class Protobuf : public Workload {
 public:
  explicit Protobuf(const Setup& setup)
      : seed_(setup.seed()),
        spans_(setup.count("spans")),
        memory_(static_cast<Memory>(setup["memory"])) {}

  Tally run(int thread_index, Steps& steps) override {
    Digest digest;
    Random random(seed_, static_cast<std::uint64_t>(thread_index));
    while (steps.next()) {
      if (memory_ == kArena) {
        Arena arena;
        exchange(*Arena::CreateMessage<Report>(&arena), *Arena::CreateMessage<Report>(&arena),
                 random, digest);
      } else {
        Report sent;
        Report received;
        exchange(sent, received, random, digest);
      }
    }
    return {static_cast<std::uint64_t>(steps.total()) * spans_, digest.value()};
  }

 private:
  void exchange(Report& sent, Report& received, Random& random, Digest& digest) const {
    build(sent, spans_, random);
    const std::string bytes = serialise(sent);
    if (!received.ParseFromString(bytes)) {
      throw std::runtime_error("protobuf: cannot read");
    }
    std::uint64_t spans = 0;
    for (Span& root : *received.mutable_roots()) {
      spans += filter(root);
    }
    if (spans != spans_) {
      throw std::runtime_error("protobuf: spans were lost");
    }
    digest.add(bytes);
    digest.add(serialise(received));
  }

  std::uint64_t seed_;
  std::uint64_t spans_;
  Memory memory_;
};

const Registration registration(
    {.name = "protobuf",
     .question = "What do trees of messages cost: small objects, strings and growing arrays?",
     .origin = "Protocol Buffers: trace reports built, written, read, filtered",
     .operation = "a span",
     .kind = Kind::kRealistic,
     .threading = Threading::kAny,
     .parameters = {{"spans", 500, "spans", "spans of a report", 1, 10000000},
                    {"memory", kHeap, "", "where messages live", 0, 1, {"heap", "arena"}}},
     .smoke_iterations = 3,
     .profile = "a sawtooth, 1.5 MiB for 500 spans; half of the blocks up to 47 bytes; lives of an "
                "iteration"},
    [](const Setup& setup) { return std::make_unique<Protobuf>(setup); });

}  // namespace
}  // namespace workloads
