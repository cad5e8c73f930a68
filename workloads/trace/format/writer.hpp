// Writes a trace, event by event in total order. Single-threaded; memory is one block and one entry
// a live object.
//
#pragma once

#include <cstdint>
#include <cstdio>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "workloads/trace/format/format.hpp"
#include "workloads/trace/format/slots.hpp"

namespace trace {

class Writer {
 public:
  struct Options {
    std::string info;  // "key=value" lines about the program and its recording
    std::uint64_t created_s = 0;
    std::uint64_t max_bytes =
        ~0ull;       // the file does not grow past this; full() says that it would have
    int level = 12;  // of zstd
    std::uint32_t block_events = 1u << 15;
  };

  // Creates or overwrites the file. Throws TraceError.
  Writer(const std::filesystem::path& path, Options options);
  ~Writer();
  Writer(const Writer&) = delete;
  Writer& operator=(const Writer&) = delete;

  // Moves the clock on; a time before the last one is taken as the last one.
  void set_time(std::uint64_t time_us);
  // Appends a call that gave a new object, and returns its slot.
  std::uint32_t malloc(std::uint32_t thread, std::uint64_t size);
  std::uint32_t calloc(std::uint32_t thread, std::uint64_t count, std::uint64_t size);
  std::uint32_t aligned(std::uint32_t thread, Kind kind, std::uint32_t alignment_log2,
                        std::uint64_t size);
  void realloc(std::uint32_t thread, std::uint32_t slot, std::uint64_t size);
  void release(std::uint32_t thread, Kind kind, std::uint32_t slot);
  // Returns the number of the new thread.
  std::uint32_t thread_start(std::uint32_t creator);
  void thread_end(std::uint32_t thread);
  // Appends any event; its slot must be the one that the format gives, which is checked.
  void add(const Event& event);

  // True once max_bytes is reached: later events are not written.
  [[nodiscard]] bool full() const { return full_; }
  [[nodiscard]] const Slots& slots() const { return slots_; }
  // Writes what is pending, the index and the footer. Nothing may follow. Throws TraceError.
  Totals finish();

 private:
  struct Stream {
    std::uint32_t thread = 0;
    std::uint32_t last_slot =
        0;  // slot numbers are written relative to the one before in the stream
    std::vector<std::uint8_t> kinds, values, slots;
  };
  struct Run {
    std::uint32_t stream;
    std::uint32_t events;
  };
  struct Tick {
    std::uint32_t events;  // since the tick before
    std::uint64_t delta_us;
  };
  struct IndexEntry {
    std::uint64_t offset;
    std::uint64_t start_time_us;
    std::uint32_t events;
  };

  Stream& stream_for(std::uint32_t thread, Kind kind);
  void check_allocation(std::uint64_t bytes) const;
  void tick();
  void flush_events();
  std::vector<std::uint8_t> encode_block() const;
  std::vector<std::uint8_t> encode_index() const;
  void write_block(BlockType type, const std::vector<std::uint8_t>& raw, std::uint32_t events,
                   std::uint64_t start_time_us);
  void write_bytes(const void* data, std::size_t bytes);
  [[noreturn]] void fail(const std::string& what) const;

  struct CloseFile {
    void operator()(std::FILE* file) const { std::fclose(file); }
  };
  std::filesystem::path path_;
  Options options_;
  std::unique_ptr<std::FILE, CloseFile> file_;
  std::uint64_t offset_ = 0;
  bool full_ = false;

  Slots slots_;
  Totals totals_;            // of all events so far
  Totals written_;           // of those in blocks that are in the file
  std::vector<bool> ended_;  // by thread

  std::vector<Stream> streams_;  // of the open block
  std::vector<std::uint32_t>
      stream_index_;  // by thread: index in streams_ + 1, 0 where it has none
  std::vector<Run> runs_;
  std::vector<Tick> ticks_;
  std::uint32_t block_events_ = 0;
  std::uint32_t events_since_tick_ = 0;
  std::size_t block_bytes_ = 0;
  std::uint64_t block_start_us_ = 0;
  std::uint64_t tick_time_us_ = 0;  // of the last tick
  std::uint64_t time_us_ = 0;
  std::vector<IndexEntry> index_;
};

}  // namespace trace
