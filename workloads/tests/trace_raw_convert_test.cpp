// Proves: of what a recorded process leaves behind, segments that were copied and not yet begun
// anew count once, a copy without its header counts not at all, and threads are merged so that the
// events at one address keep their order although most events carry no clock. Does not prove: that
// the recorder writes such logs (trace_record_test).
#include <gtest/gtest.h>

#include <cstring>

#include "workloads/tests/trace_events.hpp"
#include "workloads/trace/record/raw_convert.hpp"
#include "workloads/trace/record/raw_log.hpp"

namespace {

using namespace trace::raw;

// A log in the making: segments of one unit each, in the order in which they were taken.
class Log {
 public:
  explicit Log(const trace_tests::TemporaryDirectory& directory)
      : path_(directory / "log-0.raw"), bytes_(kLogHeaderBytes) {
    auto* header = reinterpret_cast<LogHeader*>(bytes_.data());
    header->magic = kLogMagic;
    header->start_clock = 1000;
    header->start_ns = 1000;
  }
  // REQUIRES: fewer words than a unit holds.
  void add(std::uint32_t thread, std::uint32_t sequence, const std::vector<std::uint64_t>& words,
           std::uint32_t magic = kSegmentMagic) {
    const SegmentHeader header{magic, thread, sequence, 1, 1000, 1000};
    const std::size_t at = bytes_.size();
    bytes_.resize(at + kUnitBytes);
    std::memcpy(bytes_.data() + at, &header, sizeof header);
    std::memcpy(bytes_.data() + at + sizeof header, words.data(), words.size() * sizeof words[0]);
  }
  [[nodiscard]] trace::Converted convert(const std::filesystem::path& out) const {
    std::ofstream(path_, std::ios::binary)
        .write(bytes_.data(), static_cast<std::streamsize>(bytes_.size()));
    const auto logs = trace::find_raw_logs(path_.parent_path());
    EXPECT_EQ(logs.size(), 1u);
    return trace::convert_raw_log(logs.at(0), out, {});
  }

 private:
  std::filesystem::path path_;
  std::vector<char> bytes_;
};

std::uint64_t word(Kind kind, std::uint64_t address, std::uint64_t size = 0) {
  return address | static_cast<std::uint64_t>(kind) << kKindShift | size << kSizeShift;
}
std::uint64_t timed(std::uint64_t first) { return first | kTimedBit; }

std::vector<std::uint64_t> sizes_of(const std::filesystem::path& path) {
  std::vector<std::uint64_t> sizes;
  for (const trace::Event& event : trace_tests::read_events(path)) {
    if (event.kind == trace::Kind::kMalloc) {
      sizes.push_back(event.size);
    }
  }
  return sizes;
}

// The process was killed after a segment had been copied, and before it was begun anew: half of it
// is zeroed already.
TEST(RawConvert, ACopiedSegmentCountsOnce) {
  const trace_tests::TemporaryDirectory directory;
  Log log(directory);
  log.add(0, 0, {timed(word(Kind::kMalloc, 0x100, 1)), 1001});
  log.add(0, 1, {0, 0, word(Kind::kMalloc, 0x300, 3)});
  log.add(0, 1, {word(Kind::kMalloc, 0x200, 2), word(Kind::kMalloc, 0x300, 3)});
  const trace::Converted converted = log.convert(directory / "a.trace");
  EXPECT_EQ(sizes_of(directory / "a.trace"), (std::vector<std::uint64_t>{1, 2, 3}));
  EXPECT_EQ(converted.missed, 0u);
}

// The same, killed before the copy had its header: the segment itself is still whole.
TEST(RawConvert, ACopyWithoutHeaderDoesNotCount) {
  const trace_tests::TemporaryDirectory directory;
  Log log(directory);
  log.add(0, 0, {word(Kind::kMalloc, 0x200, 2), word(Kind::kMalloc, 0x300, 3)});
  log.add(0, 0, {word(Kind::kMalloc, 0x200, 2)}, 0);
  static_cast<void>(log.convert(directory / "a.trace"));
  EXPECT_EQ(sizes_of(directory / "a.trace"), (std::vector<std::uint64_t>{2, 3}));
}

// Thread 0 reads the clock once; thread 1 reads it where it meets an address of thread 0.
TEST(RawConvert, UntimedEventsKeepTheOrderAtTheirAddress) {
  const trace_tests::TemporaryDirectory directory;
  Log log(directory);
  log.add(0, 0,
          {timed(word(Kind::kThreadStart, 1)), 1001, word(Kind::kMalloc, 0x100, 1),
           word(Kind::kMalloc, 0x200, 2), timed(word(Kind::kMalloc, 0x100, 5)), 3000,
           word(Kind::kFree, 0x100)});
  log.add(1, 0,
          {timed(word(Kind::kMalloc, 0x900, 9)), 1500, timed(word(Kind::kFree, 0x100)), 2000,
           word(Kind::kFree, 0x900), timed(word(Kind::kFree, 0x200)), 2500});
  const trace::Converted converted = log.convert(directory / "a.trace");
  EXPECT_EQ(converted.unknown + converted.missed, 0u);
  EXPECT_EQ(sizes_of(directory / "a.trace"), (std::vector<std::uint64_t>{1, 2, 9, 5}));
  EXPECT_EQ(converted.totals.threads, 2u);
  EXPECT_EQ(converted.totals.peak_live_objects, 3u);
}

}  // namespace
