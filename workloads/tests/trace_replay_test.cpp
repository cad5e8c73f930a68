// Proves: a replay makes the recorded calls, no more and no fewer, and gives every object back;
// eight threads that pass objects about keep the recorded order time after time (the objects'
// tags and counts of their cells would show otherwise); replays from memory and from a file give
// the same; replay's own cost is known. Does not prove: that what was recorded is what the program
// did (trace_record_test).
#include <gtest/gtest.h>

#include "allocator/tests/level.hpp"
#include "workloads/tests/trace_events.hpp"
#include "workloads/trace/replay/replay.hpp"

namespace {

using trace::Kind;
using trace::Replay;
using trace::Touch;
using trace_tests::TemporaryDirectory;

constexpr std::uint64_t kResident = 512u << 20;

trace::ReplayProgram load(const std::filesystem::path& path,
                          std::uint64_t resident_bytes = kResident) {
  trace::Reader reader(path);
  return trace::ReplayProgram(reader, resident_bytes);
}

std::vector<trace::Op> ops_of(const trace::ReplayProgram& program, std::uint32_t thread) {
  std::vector<trace::Op> ops;
  std::vector<trace::Op> buffer(trace::ReplayProgram::kMaxChunkOps);
  for (const trace::OpChunk& chunk : program.chunks(thread)) {
    const trace::Op* first = program.load(chunk, buffer.data());
    ops.insert(ops.end(), first, first + chunk.count);
  }
  return ops;
}

// One thread allocates, another frees, the first allocates again: the two crossings are waited for,
// nothing else is.
TEST(ReplayProgram, WaitsOnlyWhereAnObjectOrItsCellCrossesThreads) {
  const TemporaryDirectory directory;
  trace::Writer writer(directory / "a.trace", {});
  const std::uint32_t thread = writer.thread_start(0);
  const std::uint32_t own = writer.malloc(0, 8);
  writer.release(0, Kind::kFree, own);
  const std::uint32_t passed = writer.malloc(0, 100);
  writer.release(thread, Kind::kFree, passed);
  writer.malloc(0, 50);
  writer.thread_end(thread);
  writer.finish();
  const trace::ReplayProgram program = load(directory / "a.trace");

  const std::vector<trace::Op> main_ops = ops_of(program, 0);
  std::vector<trace::OpKind> kinds;
  for (const trace::Op& op : main_ops) {
    kinds.push_back(op.kind());
  }
  using trace::OpKind;
  EXPECT_EQ(kinds, (std::vector<OpKind>{OpKind::kStartThread, OpKind::kMalloc, OpKind::kFree,
                                        OpKind::kMalloc, OpKind::kWait, OpKind::kMalloc}));
  EXPECT_EQ(main_ops[4].detail, 4u);  // malloc, free, malloc, and the free of the other thread
  const std::vector<trace::Op> other_ops = ops_of(program, 1);
  ASSERT_EQ(other_ops.size(), 2u);
  EXPECT_EQ(other_ops[0].kind(), OpKind::kWait);
  EXPECT_EQ(other_ops[0].detail, 3u);
  EXPECT_EQ(other_ops[1].kind(), OpKind::kFree);
  EXPECT_EQ(other_ops[1].size(), 100u);
  EXPECT_EQ(program.waits(), 2u);
  EXPECT_EQ(program.left_over(), 1u);
}

workloads::Tally play(Replay& replay, std::int64_t times) {
  workloads::Steps steps(times);
  return replay.run(0, steps);
}

TEST(Replay, MakesEachCallOnceAndFreesWhatIsLeft) {
  const TemporaryDirectory directory;
  trace_tests::write_random(directory / "a.trace", {9, test_level::either(1000, 5000), 1});
  for (const Touch touch : {Touch::kNone, Touch::kFirst, Touch::kPage, Touch::kWhole}) {
    Replay replay(directory / "a.trace", touch, kResident);
    const workloads::Tally tally = play(replay, 3);
    EXPECT_EQ(tally.operations, 3 * (replay.program().calls() + replay.program().left_over()));
    EXPECT_EQ(tally.checksum != 0, touch != Touch::kNone);
  }
}

// Every tag that a free reads was written for that object: the sum is that of one thread after the
// other, in the recorded order, whatever the scheduler did.
TEST(Replay, EightThreadsKeepTheRecordedOrderEachTime) {
  const TemporaryDirectory directory;
  trace_tests::write_random(directory / "a.trace", {77, 4'000, 8});
  Replay replay(directory / "a.trace", Touch::kFirst, kResident);
  ASSERT_GT(replay.program().waits(), 1000u);
  const workloads::Tally first = play(replay, 1);
  EXPECT_EQ(first.operations, replay.program().calls() + replay.program().left_over());
  std::uint64_t expected = 0;  // the tags, as the program says they must be read
  for (std::uint32_t thread = 0; thread < replay.program().threads(); ++thread) {
    for (const trace::Op& op : ops_of(replay.program(), thread)) {
      const bool frees =
          op.kind() == trace::OpKind::kFree || op.kind() == trace::OpKind::kFreeSized;
      expected += frees && op.size() >= 4 ? op.cell * 2654435761u + 1 : 0u;
    }
  }
  EXPECT_EQ(first.checksum, expected);
  test_level::Budget turns("turns of eight threads", {30, 2, 10}, {100, 100, 1800});
  while (turns.goes_on()) {
    const workloads::Tally again = play(replay, 1);
    ASSERT_EQ(again.checksum, first.checksum) << "turn " << turns.begun();
    ASSERT_EQ(again.operations, first.operations) << "turn " << turns.begun();
  }
}

// With almost no memory for operations nearly all of them come from the file.
TEST(Replay, LargerThanItsMemoryGivesTheSame) {
  const TemporaryDirectory directory;
  trace_tests::write_random(directory / "a.trace", {5, test_level::either(20'000, 60'000), 3});
  Replay resident(directory / "a.trace", Touch::kFirst, kResident);
  Replay streamed(directory / "a.trace", Touch::kFirst, 1 << 16);
  EXPECT_FALSE(resident.program().streamed());
  EXPECT_TRUE(streamed.program().streamed());
  const workloads::Tally a = play(resident, 2);
  const workloads::Tally b = play(streamed, 2);
  EXPECT_EQ(a.operations, b.operations);
  EXPECT_EQ(a.checksum, b.checksum);
}

// Threads that start threads and end, more than are alive at once.
TEST(Replay, ThreadsStartAndEndWhereTheyDid) {
  const TemporaryDirectory directory;
  trace::Writer writer(directory / "a.trace", {});
  std::uint32_t parent = 0;
  for (int i = 0; i < 300; ++i) {
    const std::uint32_t child = writer.thread_start(parent);
    const std::uint32_t object = writer.malloc(parent, 64);
    if (parent != 0) {
      writer.thread_end(parent);
    }
    writer.release(child, Kind::kFree, object);
    parent = child;
  }
  writer.thread_end(parent);
  writer.finish();
  Replay replay(directory / "a.trace", Touch::kPage, kResident);
  EXPECT_EQ(play(replay, 5).operations, 5 * 600u);
}

TEST(Replay, KnowsItsOwnCost) {
  const TemporaryDirectory directory;
  trace_tests::write_random(directory / "a.trace", {9, 100'000, 2});
  const Replay replay(directory / "a.trace", Touch::kPage, kResident);
  EXPECT_GT(replay.own_ns_per_operation(), 0);
  EXPECT_GT(replay.own_seconds(1), 0);
  EXPECT_DOUBLE_EQ(replay.own_seconds(4), 4 * replay.own_seconds(1));
  RecordProperty("own_ns_per_operation", std::to_string(replay.own_ns_per_operation()));
  std::printf("an operation of the empty replay: %.2f ns\n", replay.own_ns_per_operation());
}

}  // namespace
