// Writes inputs for trace_fuzz into a folder: small traces of several shapes, whole, and the
// content of each of their events blocks (trace_fuzz.cpp says how an input is read).
#include <zstd.h>

#include <cstdio>
#include <cstring>

#include "workloads/tests/trace_events.hpp"

namespace {

using Bytes = std::vector<std::uint8_t>;

void write(const std::filesystem::path& path, const Bytes& head, const Bytes& rest) {
  std::ofstream out(path, std::ios::binary);
  for (const Bytes* part : {&head, &rest}) {
    out.write(reinterpret_cast<const char*>(part->data()),
              static_cast<std::streamsize>(part->size()));
  }
}

// The number of inputs written.
int write_blocks(const std::filesystem::path& folder, const std::string& name, const Bytes& file) {
  int blocks = 0;
  std::size_t at = sizeof(trace::FileHeader);
  while (at + sizeof(trace::BlockHeader) + sizeof(trace::Footer) <= file.size()) {
    trace::BlockHeader header;
    std::memcpy(&header, file.data() + at, sizeof header);
    Bytes raw(header.raw_bytes);
    ZSTD_decompress(raw.data(), raw.size(), file.data() + at + sizeof header, header.packed_bytes);
    if (header.type == trace::BlockType::kEvents) {
      write(folder / (name + "-" + std::to_string(blocks++)),
            {1, static_cast<std::uint8_t>(header.event_count - 1)}, raw);
    }
    at += sizeof header + header.packed_bytes;
  }
  return blocks;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 2) {
    std::fputs("usage: trace_fuzz_seeds FOLDER\n", stderr);
    return 2;
  }
  const std::filesystem::path folder = argv[1];
  const trace_tests::TemporaryDirectory scratch;
  int blocks = 0;
  for (const trace_tests::RandomTrace& shape :
       {trace_tests::RandomTrace{1, 12, 1, 64}, {2, 40, 1, 64}, {3, 40, 3, 24}, {4, 60, 6, 64}}) {
    const std::string name = "random-" + std::to_string(shape.seed);
    trace_tests::write_random(scratch / name, shape);
    const Bytes file = trace_tests::read_bytes(scratch / name);
    write(folder / name, {0}, file);
    blocks += write_blocks(folder, name, file);
  }
  std::printf("%d blocks\n", blocks);
  return blocks >= 4 ? 0 : 1;
}
