// A libFuzzer target over the reader of traces, built with clang (see trace_tests.cmake).
//
// The first byte of an input says what the rest is: even, a whole file; odd, a byte for the number
// of events and the content of an events block, which is put into a file whose headers and frame
// are right, so that the fuzzer need not guess checks to reach the parser behind them.
// trace_fuzz_seeds.cpp writes inputs to begin with.
#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <vector>

#include "workloads/trace/format/reader.hpp"

namespace {

using Bytes = std::vector<std::uint8_t>;

template <typename T>
void append(Bytes& out, const T& value) {
  const auto* bytes = reinterpret_cast<const std::uint8_t*>(&value);
  out.insert(out.end(), bytes, bytes + sizeof value);
}

// A zstd frame with one raw block.
Bytes store(const Bytes& raw) {
  Bytes frame = {0x28, 0xb5, 0x2f, 0xfd, 0xa0};
  append(frame, static_cast<std::uint32_t>(raw.size()));
  const std::uint32_t block = static_cast<std::uint32_t>(raw.size()) << 3 | 1;
  for (int i = 0; i < 3; ++i) {
    frame.push_back(static_cast<std::uint8_t>(block >> (8 * i)));
  }
  frame.insert(frame.end(), raw.begin(), raw.end());
  return frame;
}

void append_block(Bytes& file, trace::BlockType type, const Bytes& raw, std::uint32_t events) {
  const Bytes frame = store(raw);
  trace::BlockHeader header;
  header.type = type;
  header.packed_bytes = static_cast<std::uint32_t>(frame.size());
  header.raw_bytes = static_cast<std::uint32_t>(raw.size());
  header.event_count = events;
  header.check = trace::block_check(header);
  append(file, header);
  file.insert(file.end(), frame.begin(), frame.end());
}

// REQUIRES: two bytes or more.
Bytes file_around(const Bytes& input) {
  Bytes file;
  append(file, trace::FileHeader{});
  append_block(file, trace::BlockType::kInfo, {'a', '=', 'b', '\n'}, 0);
  const Bytes raw(input.begin() + 2, input.end());
  append_block(file, trace::BlockType::kEvents, raw, 1u + input[1] % 64u);
  return file;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  constexpr std::size_t kMaxBlock = 60'000;  // what the block of store() can say
  if (size < 2 || (data[0] % 2 == 1 && size > kMaxBlock)) {
    return 0;
  }
  const Bytes input(data, data + size);
  const Bytes file = data[0] % 2 == 1 ? file_around(input) : Bytes(input.begin() + 1, input.end());
  try {
    trace::Reader reader(trace::open_memory(file), "fuzz");
    while (const auto event = reader.next()) {
      if (event->bytes() > trace::kMaxLiveBytes ||
          event->alignment_log2 > trace::kMaxAlignmentLog2) {
        std::abort();  // an event beyond the limits that the reader promises
      }
    }
  } catch (const trace::TraceError&) {
    return 0;
  }
  return 0;
}
