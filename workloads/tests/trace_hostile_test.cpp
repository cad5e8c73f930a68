// Proves: a trace that is cut off gives its whole blocks; one that is damaged, lies about its
// sizes, or comes from a newer version is refused with one line; a reader survives a million
// mutations of a trace (OSMEM_TRACE_MUTATIONS sets another number), those that fix up the checks
// included, within the memory that format.hpp promises. Does not prove: what a coverage-guided
// fuzzer might still find (trace_fuzz does that under clang).
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <zstd.h>

#include <algorithm>
#include <cstring>

#include "allocator/tests/level.hpp"
#include "workloads/tests/trace_events.hpp"
#include "workloads/trace/format/varint.hpp"

namespace {

using testing::HasSubstr;
using trace::BlockHeader;
using trace::put_varint;
using Bytes = std::vector<std::uint8_t>;

// Reads all events; what went wrong, or "" (with why the file had no end).
std::string read_all(const Bytes& bytes, std::uint64_t* events = nullptr) {
  try {
    trace::Reader reader(trace::open_memory(bytes), "test");
    std::uint64_t count = 0;
    while (reader.next()) {
      ++count;
    }
    if (events != nullptr) {
      *events = count;
    }
    return reader.truncated();
  } catch (const trace::TraceError& error) {
    EXPECT_EQ(std::string(error.what()).find('\n'), std::string::npos);
    return error.what();
  }
}

Bytes pack(const Bytes& raw) {
  Bytes packed(ZSTD_compressBound(raw.size()));
  packed.resize(ZSTD_compress(packed.data(), packed.size(), raw.data(), raw.size(), 1));
  return packed;
}

void append_block(Bytes& file, trace::BlockType type, const Bytes& raw, std::uint32_t events) {
  const Bytes packed = pack(raw);
  BlockHeader header;
  header.type = type;
  header.packed_bytes = static_cast<std::uint32_t>(packed.size());
  header.raw_bytes = static_cast<std::uint32_t>(raw.size());
  header.event_count = events;
  header.check = trace::block_check(header);
  const auto* bytes = reinterpret_cast<const std::uint8_t*>(&header);
  file.insert(file.end(), bytes, bytes + sizeof header);
  file.insert(file.end(), packed.begin(), packed.end());
}

// A file whose one events block has these columns, in thread 0.
Bytes file_with(const Bytes& kinds, const Bytes& values, const Bytes& slots) {
  Bytes file(32);
  const trace::FileHeader header;
  std::memcpy(file.data(), &header, sizeof header);
  append_block(file, trace::BlockType::kInfo, {'a', '=', '\n'}, 0);
  Bytes raw;
  for (const std::uint64_t number :
       {std::uint64_t{1}, std::uint64_t{0}, std::uint64_t{kinds.size()},
        std::uint64_t{values.size()}, std::uint64_t{slots.size()}, std::uint64_t{0},
        std::uint64_t{0}}) {
    put_varint(raw, number);
  }
  for (const Bytes* column : {&kinds, &values, &slots}) {
    raw.insert(raw.end(), column->begin(), column->end());
  }
  append_block(file, trace::BlockType::kEvents, raw, static_cast<std::uint32_t>(kinds.size()));
  return file;
}

Bytes varints(std::initializer_list<std::uint64_t> values) {
  Bytes bytes;
  for (const std::uint64_t value : values) {
    put_varint(bytes, value);
  }
  return bytes;
}

Bytes sound_file(int events = 5000) {
  const trace_tests::TemporaryDirectory directory;
  trace_tests::write_random(directory / "a.trace", {11, events, 4, 1000});
  return trace_tests::read_bytes(directory / "a.trace");
}

TEST(HostileTrace, HelperWritesWhatTheReaderTakes) {
  std::uint64_t events = 0;
  EXPECT_THAT(read_all(file_with({1, 6}, {100}, {0}), &events), HasSubstr("without an index"));
  EXPECT_EQ(events, 2u);
}

TEST(HostileTrace, CutOffFileGivesItsWholeBlocks) {
  const Bytes whole = sound_file();
  std::uint64_t before = 0;
  std::size_t readable = 0;
  for (std::size_t bytes = 64; bytes < whole.size(); bytes += 97) {
    std::uint64_t events = 0;
    const std::string message =
        read_all(Bytes(whole.begin(), whole.begin() + static_cast<std::ptrdiff_t>(bytes)), &events);
    ASSERT_THAT(message, HasSubstr("the file ends")) << bytes;
    ASSERT_GE(events, before);
    before = events;
    readable += events > 0;
  }
  EXPECT_GE(before, 5000u);
  EXPECT_GT(readable, 10u);
}

TEST(HostileTrace, NoTrace) {
  EXPECT_THAT(read_all({}), HasSubstr("not a trace"));
  EXPECT_THAT(read_all(Bytes(1000, 'x')), HasSubstr("not a trace"));
  EXPECT_THROW(trace::Reader(std::filesystem::path("/no/such.trace")), trace::TraceError);
  EXPECT_THROW(trace::Reader(std::filesystem::path("/")), trace::TraceError);
}

TEST(HostileTrace, NewerVersionIsNamed) {
  Bytes file = sound_file();
  file[8] = 2;
  EXPECT_THAT(read_all(file), HasSubstr("version 2"));
}

// zstd leaves a bit of its frame header unused: a flip there changes nothing, and nothing may be
// lost by it.
TEST(HostileTrace, AFlippedBitAnywhereBehindTheHeaderIsSeenOrHarmless) {
  const Bytes whole = sound_file(2000);
  std::uint64_t all = 0;
  ASSERT_EQ(read_all(whole, &all), "");
  int harmless = 0;
  for (std::size_t at = 32; at < whole.size(); at += 3) {
    Bytes file = whole;
    file[at] ^= static_cast<std::uint8_t>(1u << (at % 8));
    std::uint64_t events = 0;
    if (read_all(file, &events).empty()) {
      ++harmless;
      ASSERT_EQ(events, all) << "byte " << at;
    }
  }
  EXPECT_LE(harmless, 5);
}

TEST(HostileTrace, HugeSizesAreRefused) {
  EXPECT_THAT(read_all(file_with({1}, varints({1ull << 60}), {})), HasSubstr("2^47"));
  EXPECT_THAT(read_all(file_with({2}, varints({1ull << 33, 1ull << 33}), {})), HasSubstr("2^47"));
  EXPECT_THAT(read_all(file_with({1, 1}, varints({1ull << 46, (1ull << 46) + 1}), {})),
              HasSubstr("2^47"));
  EXPECT_THAT(read_all(file_with({4}, varints({41, 8}), {})), HasSubstr("alignment"));
}

TEST(HostileTrace, ObjectsThatAreNotLiveAreRefused) {
  EXPECT_THAT(read_all(file_with({6}, {}, {0})), HasSubstr("not live"));
  EXPECT_THAT(read_all(file_with({1, 6, 6}, {8}, {0, 0})), HasSubstr("not live"));
  EXPECT_THAT(read_all(file_with({1, 3}, varints({8, 8}), varints({trace::zigzag(1)}))),
              HasSubstr("not live"));
  EXPECT_THAT(read_all(file_with({1, 6}, {8}, varints({trace::zigzag(-1)}))),
              HasSubstr("not live"));
  EXPECT_THAT(read_all(file_with({1, 6}, {8}, varints({trace::zigzag(INT64_MIN)}))),
              HasSubstr("not live"));
}

TEST(HostileTrace, ThreadsThatNeverStartedOrEndedAreRefused) {
  EXPECT_THAT(read_all(file_with({9, 1}, {8}, {})), HasSubstr("has ended"));
  Bytes file = file_with({1}, {8}, {});
  file.resize(32);
  append_block(file, trace::BlockType::kInfo, {}, 0);
  Bytes raw = varints({1, 1'000'000'000, 1, 1, 0, 0, 0, 1, 8});
  append_block(file, trace::BlockType::kEvents, raw, 1);
  EXPECT_THAT(read_all(file), HasSubstr("has not started"));
}

TEST(HostileTrace, ABillionThreadsAreRefused) {
  Bytes file = file_with({1}, {8}, {});
  for (int i = 0; i < 20; ++i) {
    Bytes raw = varints({1, 0, 65536, 0, 0, 0, 0});
    raw.insert(raw.end(), 65536, 8);
    append_block(file, trace::BlockType::kEvents, raw, 65536);
  }
  EXPECT_THAT(read_all(file), HasSubstr("2^20 threads"));
}

TEST(HostileTrace, UnknownKindsAndColumnsThatDoNotFitAreRefused) {
  EXPECT_THAT(read_all(file_with({0}, {}, {})), HasSubstr("unknown kind"));
  EXPECT_THAT(read_all(file_with({10}, {}, {})), HasSubstr("unknown kind"));
  EXPECT_THAT(read_all(file_with({1}, {}, {})), HasSubstr("shorter"));
  EXPECT_THAT(read_all(file_with({1}, {8, 8}, {})), HasSubstr("longer"));
  EXPECT_THAT(read_all(file_with({1}, Bytes(11, 0x80), {})), HasSubstr("shorter"));
}

// 64 MiB that pack into a few kilobytes: refused by the header, before anything is unpacked.
TEST(HostileTrace, ZipBombIsRefused) {
  Bytes file = file_with({1}, {8}, {});
  append_block(file, trace::BlockType::kEvents, Bytes(64u << 20, 1), 1000);
  EXPECT_THAT(read_all(file), HasSubstr("larger than a block may be"));
  Bytes lying = file_with({1}, {8}, {});
  append_block(lying, trace::BlockType::kEvents, Bytes(64u << 20, 1), 1000);
  BlockHeader header;
  const std::size_t at = file_with({1}, {8}, {}).size();
  std::memcpy(&header, lying.data() + at, sizeof header);
  header.raw_bytes = 1000;
  header.check = trace::block_check(header);
  std::memcpy(lying.data() + at, &header, sizeof header);
  EXPECT_THAT(read_all(lying), HasSubstr("disagree"));
}

// Where the blocks of a sound file begin.
std::vector<std::size_t> block_offsets(const Bytes& file) {
  std::vector<std::size_t> offsets;
  for (std::size_t at = 32; at + sizeof(BlockHeader) + sizeof(trace::Footer) <= file.size();) {
    BlockHeader header;
    std::memcpy(&header, file.data() + at, sizeof header);
    offsets.push_back(at);
    at += sizeof header + header.packed_bytes;
  }
  return offsets;
}

// A zstd frame that stores its content as it is: a frame header with a four-byte content size, and
// one raw block.
Bytes store(const Bytes& raw) {
  Bytes frame = {0x28, 0xb5, 0x2f, 0xfd, 0xa0};
  const auto size = static_cast<std::uint32_t>(raw.size());
  for (int i = 0; i < 4; ++i) {
    frame.push_back(static_cast<std::uint8_t>(size >> (8 * i)));
  }
  const std::uint32_t block = size << 3 | 1;  // the last one, of type 0
  for (int i = 0; i < 3; ++i) {
    frame.push_back(static_cast<std::uint8_t>(block >> (8 * i)));
  }
  frame.insert(frame.end(), raw.begin(), raw.end());
  return frame;
}

struct Block {
  BlockHeader header;
  Bytes raw;
};

std::vector<Block> blocks_of(const Bytes& file) {
  std::vector<Block> blocks;
  for (const std::size_t at : block_offsets(file)) {
    Block& block = blocks.emplace_back();
    std::memcpy(&block.header, file.data() + at, sizeof block.header);
    block.raw.resize(block.header.raw_bytes);
    ZSTD_decompress(block.raw.data(), block.raw.size(), file.data() + at + sizeof block.header,
                    block.header.packed_bytes);
  }
  return blocks;
}

// A mutation that keeps the frames and checks right, so that it reaches the parser behind them.
Bytes mutate_content(const Bytes& whole, std::vector<Block> blocks, std::mt19937_64& random) {
  Block& victim = blocks[random() % blocks.size()];
  for (std::uint64_t n = 1 + random() % 3; n > 0 && !victim.raw.empty(); --n) {
    victim.raw[random() % victim.raw.size()] = static_cast<std::uint8_t>(random());
  }
  victim.header.event_count += random() % 8 == 0 ? 1 : 0;
  Bytes file(whole.begin(), whole.begin() + 32);
  for (Block& block : blocks) {
    const Bytes frame = store(block.raw);
    block.header.packed_bytes = static_cast<std::uint32_t>(frame.size());
    block.header.check = trace::block_check(block.header);
    const auto* bytes = reinterpret_cast<const std::uint8_t*>(&block.header);
    file.insert(file.end(), bytes, bytes + sizeof block.header);
    file.insert(file.end(), frame.begin(), frame.end());
  }
  file.insert(file.end(), whole.end() - static_cast<std::ptrdiff_t>(sizeof(trace::Footer)),
              whole.end());
  return file;
}

Bytes mutate_bytes(const Bytes& whole, std::mt19937_64& random) {
  Bytes file = whole;
  for (std::uint64_t n = 1 + random() % 4; n > 0; --n) {
    file[random() % file.size()] = static_cast<std::uint8_t>(random());
  }
  if (random() % 4 == 0) {
    file.resize(random() % file.size());
  }
  return file;
}

TEST(HostileTrace, SurvivesMutations) {
  const char* setting = std::getenv("OSMEM_TRACE_MUTATIONS");
  const long runs = setting != nullptr ? std::strtol(setting, nullptr, 10) : test_level::either(30'000L, 1'000'000L);
  const std::uint64_t seed = test_level::seed_of_the_day();
  RecordProperty("seed", std::to_string(seed));
  const trace_tests::TemporaryDirectory directory;
  trace_tests::write_random(directory / "a.trace", {5, 40, 3, 24});
  const Bytes whole = trace_tests::read_bytes(directory / "a.trace");
  const std::vector<Block> blocks = blocks_of(whole);
  std::mt19937_64 random(seed);
  ASSERT_GE(blocks.size(), 4u);
  long refused = 0;
  for (long i = 0; i < runs; ++i) {
    const Bytes file =
        i % 2 == 0 ? mutate_content(whole, blocks, random) : mutate_bytes(whole, random);
    refused += !read_all(file).empty();
  }
  EXPECT_GT(refused, runs / 2);
  EXPECT_LE(refused, runs);
}

}  // namespace
