// Proves: the bytes of a small trace are those that FORMAT.md says, one by one; what is written is
// read back, event by event, over many blocks and threads; max_bytes ends a file that is whole.
// Does not prove: that damaged files are refused (trace_hostile_test), or that a recording is
// faithful (trace_record_test).
#include <gtest/gtest.h>
#include <zstd.h>

#include <cstring>

#include "workloads/tests/trace_events.hpp"

namespace {

using trace::Event;
using trace::Kind;
using trace_tests::read_bytes;

std::vector<std::uint8_t> unpack(const std::uint8_t* frame, std::uint32_t packed,
                                 std::uint32_t raw) {
  std::vector<std::uint8_t> content(raw);
  EXPECT_EQ(ZSTD_decompress(content.data(), raw, frame, packed), raw);
  return content;
}

// Two threads and every kind of event.
trace::Totals write_golden(const std::filesystem::path& path) {
  trace::Writer::Options options;
  options.info = "program=golden\n";
  options.created_s = 0x0102030405060708;
  trace::Writer writer(path, options);
  const std::uint32_t a = writer.malloc(0, 300);   // slot 0
  const std::uint32_t b = writer.calloc(0, 3, 8);  // slot 1
  const std::uint32_t thread = writer.thread_start(0);
  writer.set_time(2500);
  const std::uint32_t c = writer.aligned(thread, Kind::kAlignedAlloc, 6, 1);  // slot 2
  writer.release(thread, Kind::kFree, a);
  const std::uint32_t d = writer.aligned(0, Kind::kPosixMemalign, 12, 128);  // slot 0 again
  writer.realloc(0, b, 0);
  writer.release(0, Kind::kFreeSized, d);
  writer.release(thread, Kind::kFree, c);
  writer.thread_end(thread);
  return writer.finish();
}

TEST(TraceFormat, BytesAreThoseOfTheDocument) {
  const trace_tests::TemporaryDirectory directory;
  write_golden(directory / "golden.trace");
  const std::vector<std::uint8_t> file = read_bytes(directory / "golden.trace");

  const std::vector<std::uint8_t> header = {
      'O', 'S', 'M', 'T', 'R', 'A', 'C', 'E',
      1,   0,   32,  0,   0,   0,   0,   0,  // magic, version, header bytes, flags
      8,   7,   6,   5,   4,   3,   2,   1,
      0,   0,   0,   0,   0,   0,   0,   0,  // created, reserved
  };
  ASSERT_GE(file.size(), header.size());
  EXPECT_EQ(std::vector<std::uint8_t>(file.begin(), file.begin() + 32), header);

  const std::vector<std::vector<std::uint8_t>> contents = {
      {'p', 'r', 'o', 'g', 'r', 'a', 'm', '=', 'g', 'o', 'l', 'd', 'e', 'n', '\n'},
      {
          2,                    // streams
          0,    6, 8,    2,     // thread 0: events, bytes of values, bytes of slots
          1,    4, 2,    2,     // thread 1
          1,    3, 0xc4, 0x13,  // one tick: after 3 events, 2,500 us
          4,    0, 3,    1,    2,  0,    3, 1, 2,  // four runs: stream, events
          1,    2, 8,    5,    3,  7,              // kinds of thread 0
          4,    6, 6,    9,                        // kinds of thread 1
          0xac, 2, 3,    8,    12, 0x80, 1, 0,     // 300; 3 x 8; 2^12, 128; 0
          6,    1,                                 // 2^6, 1
          2,    1,                                 // slot 1 after 0 is +1; slot 0 after 1 is -1
          3,    4,                                 // slot 0 after 2 is -2; slot 2 after 0 is +2
      },
      {
          10, 2, 0xc4, 0x13, 5, 0xc5, 2,
          3,            // events, threads, us, allocations, peak bytes 325, peak objects
          1, 0, 0, 10,  // one block; its offset is filled in below
      },
  };
  std::size_t at = 32;
  std::size_t events_offset = 0;
  for (std::size_t i = 0; i < contents.size(); ++i) {
    trace::BlockHeader block;
    ASSERT_LE(at + sizeof block, file.size());
    std::memcpy(&block, file.data() + at, sizeof block);
    EXPECT_EQ(std::memcmp(file.data() + at, "TBLK", 4), 0);
    EXPECT_EQ(file[at + 4], i + 1);
    EXPECT_EQ(block.event_count, i == 1 ? 10u : 0u);
    EXPECT_EQ(block.check, trace::block_check(block));
    std::vector<std::uint8_t> expected = contents[i];
    if (i == 1) {
      events_offset = at;
    } else if (i == 2) {
      ASSERT_LT(events_offset, 128u);
      expected[9] = static_cast<std::uint8_t>(events_offset);
    }
    const std::uint8_t* frame = file.data() + at + sizeof block;
    EXPECT_EQ(unpack(frame, block.packed_bytes, block.raw_bytes), expected) << "block " << i;
    EXPECT_NE(frame[4] & 4, 0) << "the frame has no content checksum";
    if (i == 2) {
      trace::Footer footer;
      ASSERT_EQ(file.size(), at + sizeof block + block.packed_bytes + sizeof footer);
      std::memcpy(&footer, file.data() + file.size() - sizeof footer, sizeof footer);
      EXPECT_EQ(footer.index_offset, at);
      EXPECT_EQ(std::memcmp(file.data() + file.size() - 8, "OSMTEND1", 8), 0);
    }
    at += sizeof block + block.packed_bytes;
  }
}

TEST(TraceFormat, GoldenTraceIsReadBack) {
  const trace_tests::TemporaryDirectory directory;
  const trace::Totals written = write_golden(directory / "golden.trace");
  const std::filesystem::path path = directory / "golden.trace";
  trace::Reader reader(path);
  EXPECT_EQ(reader.info_value("program"), "golden");
  EXPECT_EQ(reader.info_value("command"), "");
  std::vector<Event> events;
  while (const auto event = reader.next()) {
    events.push_back(*event);
  }
  const std::vector<Event> expected = {
      {Kind::kMalloc, 0, 0, 0, 300, 0, 0},    {Kind::kCalloc, 0, 1, 0, 8, 3, 0},
      {Kind::kThreadStart, 0, 1, 0, 0, 0, 0}, {Kind::kAlignedAlloc, 1, 2, 6, 1, 0, 2500},
      {Kind::kFree, 1, 0, 0, 0, 0, 2500},     {Kind::kPosixMemalign, 0, 0, 12, 128, 0, 2500},
      {Kind::kRealloc, 0, 1, 0, 0, 0, 2500},  {Kind::kFreeSized, 0, 0, 0, 0, 0, 2500},
      {Kind::kFree, 1, 2, 0, 0, 0, 2500},     {Kind::kThreadEnd, 1, 0, 0, 0, 0, 2500},
  };
  EXPECT_EQ(events, expected);
  EXPECT_EQ(reader.totals(), written);
  EXPECT_EQ(reader.index(), written);
  EXPECT_EQ(reader.truncated(), "");
  EXPECT_EQ(written.peak_live_bytes, 325u);
}

// The calls alone: time is coarse, and coarser in a larger block.
std::vector<Event> without_times(std::vector<Event> events) {
  for (Event& event : events) {
    event.time_us = 0;
  }
  return events;
}

// Copying a trace event by event gives the same events again, whatever the blocks.
TEST(TraceFormat, RandomEventsSurviveAnyBlockSize) {
  const trace_tests::TemporaryDirectory directory;
  for (const std::uint32_t block_events : {1u, 7u, 1000u, 65536u}) {
    SCOPED_TRACE(block_events);
    const trace::Totals totals =
        trace_tests::write_random(directory / "a.trace", {42, 20'000, 5, block_events});
    const std::vector<Event> events = trace_tests::read_events(directory / "a.trace");
    ASSERT_EQ(events.size(), totals.events);
    EXPECT_LE(events.back().time_us, totals.duration_us);
    trace::Writer copy(directory / "b.trace", {});
    for (const Event& event : events) {
      copy.add(event);
    }
    const trace::Totals copied = copy.finish();
    EXPECT_EQ(copied.peak_live_bytes, totals.peak_live_bytes);
    EXPECT_EQ(copied.threads, totals.threads);
    // Not EXPECT_EQ: it would print all events.
    EXPECT_TRUE(without_times(trace_tests::read_events(directory / "b.trace")) ==
                without_times(events));
  }
}

TEST(TraceFormat, MaxBytesEndsAWholeFile) {
  const trace_tests::TemporaryDirectory directory;
  trace::Writer::Options options;
  options.max_bytes = 20'000;
  options.block_events = 1000;
  trace::Writer writer(directory / "a.trace", options);
  std::mt19937_64 random(7);
  int calls = 0;
  while (!writer.full()) {
    ASSERT_LT(++calls, 1'000'000);
    writer.malloc(0, random() % 100'000);
  }
  const trace::Totals totals = writer.finish();
  EXPECT_LE(std::filesystem::file_size(directory / "a.trace"), options.max_bytes);
  EXPECT_EQ(trace_tests::read_events(directory / "a.trace").size(), totals.events);
  EXPECT_GT(totals.events, 1000u);
}

// The densest that FORMAT.md promises for: eight threads at random.
TEST(TraceFormat, AnEventTakesAboutThreeBytesAtWorst) {
  const trace_tests::TemporaryDirectory directory;
  const trace::Totals totals = trace_tests::write_random(directory / "a.trace", {3, 200'000, 8});
  const double bytes = static_cast<double>(std::filesystem::file_size(directory / "a.trace"));
  RecordProperty("bytes_per_event", std::to_string(bytes / static_cast<double>(totals.events)));
  EXPECT_LT(bytes / static_cast<double>(totals.events), 5.0);
}

}  // namespace
