// A random but legal sequence of events, and files for tests, shared by the trace tests.
#pragma once

#include <unistd.h>

#include <cstdint>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <random>
#include <string>
#include <vector>

#include "workloads/trace/format/reader.hpp"
#include "workloads/trace/format/writer.hpp"

namespace trace_tests {

// A directory of its own for each test process, removed at the end.
class TemporaryDirectory {
 public:
  TemporaryDirectory() {
    std::string name = (std::filesystem::temp_directory_path() / "osmem-trace-XXXXXX").string();
    if (mkdtemp(name.data()) == nullptr) {
      throw std::runtime_error("no temporary directory");
    }
    path_ = name;
  }
  ~TemporaryDirectory() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  TemporaryDirectory(const TemporaryDirectory&) = delete;
  TemporaryDirectory& operator=(const TemporaryDirectory&) = delete;
  [[nodiscard]] std::filesystem::path operator/(const std::string& name) const {
    return path_ / name;
  }

 private:
  std::filesystem::path path_;
};

inline std::vector<std::uint8_t> read_bytes(const std::filesystem::path& path) {
  std::ifstream in(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>()};
}

inline std::vector<trace::Event> read_events(const std::filesystem::path& path) {
  trace::Reader reader(path);
  std::vector<trace::Event> events;
  while (const auto event = reader.next()) {
    events.push_back(*event);
  }
  return events;
}

struct RandomTrace {
  std::uint64_t seed = 1;
  int events = 10'000;
  int threads = 4;
  std::uint32_t block_events = 1u << 15;
};

// Writes events that are drawn at random: every kind, any thread frees what any other allocated.
inline trace::Totals write_random(const std::filesystem::path& path, const RandomTrace& shape) {
  std::mt19937_64 random(shape.seed);
  trace::Writer::Options options;
  options.info = "program=random\ncommand=seed " + std::to_string(shape.seed) + "\n";
  options.block_events = shape.block_events;
  options.level = 3;
  trace::Writer writer(path, options);
  for (int i = 1; i < shape.threads; ++i) {
    writer.thread_start(0);
  }
  std::vector<std::uint32_t> live;
  std::uint64_t time_us = 0;
  for (int i = 0; i < shape.events; ++i) {
    writer.set_time(time_us += random() % 50);
    const auto thread =
        static_cast<std::uint32_t>(random() % static_cast<std::uint64_t>(shape.threads));
    const std::uint64_t size = random() % (std::uint64_t{1} << (random() % 20));
    const std::size_t pick = live.empty() ? 0 : random() % live.size();
    switch (live.empty() ? 0 : random() % 9) {
      case 0:
      case 1:
      case 2:
        live.push_back(writer.malloc(thread, size));
        break;
      case 3:
        live.push_back(writer.calloc(thread, 1 + random() % 8, size));
        break;
      case 4:
        live.push_back(writer.aligned(
            thread, random() % 2 == 0 ? trace::Kind::kAlignedAlloc : trace::Kind::kPosixMemalign,
            4 + static_cast<std::uint32_t>(random() % 9), size));
        break;
      case 5:
        writer.realloc(thread, live[pick], size);
        break;
      default:
        writer.release(thread, random() % 4 == 0 ? trace::Kind::kFreeSized : trace::Kind::kFree,
                       live[pick]);
        live[pick] = live.back();
        live.pop_back();
        break;
    }
  }
  for (int i = 1; i < shape.threads; ++i) {
    writer.thread_end(static_cast<std::uint32_t>(i));
  }
  return writer.finish();
}

}  // namespace trace_tests
