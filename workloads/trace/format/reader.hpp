// Reads a trace, event by event in total order, from a file that may be damaged or hostile.
//
// Every record is checked before it is given out: an Event's slot, size, thread and alignment are
// within the limits of format.hpp, releases name live objects, and memory stays below one block and
// 12 bytes a live object. What is wrong is a TraceError of one line. A file that ends early gives
// all whole blocks, then truncated() says so. Single-threaded.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "workloads/trace/format/format.hpp"
#include "workloads/trace/format/slots.hpp"
#include "workloads/trace/format/varint.hpp"

namespace trace {

// Where the bytes of a trace come from: a file, or memory in tests.
class Source {
 public:
  virtual ~Source() = default;
  // Reads up to `bytes` bytes at the position and moves on; fewer only at the end.
  virtual std::size_t read(void* out, std::size_t bytes) = 0;
  virtual void seek(std::uint64_t offset) = 0;
  [[nodiscard]] virtual std::uint64_t size() const = 0;
};

std::unique_ptr<Source> open_file(const std::filesystem::path& path);  // throws TraceError
std::unique_ptr<Source> open_memory(std::span<const std::uint8_t> bytes);

class Reader {
 public:
  explicit Reader(const std::filesystem::path& path);
  Reader(std::unique_ptr<Source> source, std::string name);

  // The next event, or none at the end. Throws TraceError.
  std::optional<Event> next();

  // "key=value" lines about the program and its recording.
  [[nodiscard]] const std::string& info() const { return info_; }
  // One value of info(), "" where it is not there.
  [[nodiscard]] std::string info_value(const std::string& key) const;
  [[nodiscard]] const FileHeader& header() const { return header_; }
  // From the index, where the file has one that is sound. Does not need the events to be read.
  [[nodiscard]] const std::optional<Totals>& index() const { return index_; }
  // After next() gave none: what was read.
  [[nodiscard]] Totals totals() const;
  // After next() gave none: why the file has no proper end; "" where it has.
  [[nodiscard]] const std::string& truncated() const { return truncated_; }
  // Live objects after the event last given out.
  [[nodiscard]] const Slots& slots() const { return slots_; }
  [[nodiscard]] std::uint64_t file_bytes() const { return source_->size(); }

 private:
  struct Stream {
    std::uint32_t thread = 0;
    std::uint64_t events = 0;                       // not yet given out
    std::uint64_t value_bytes = 0, slot_bytes = 0;  // of its columns
    std::int64_t last_slot = 0;
    VarintCursor kinds, values, slots;
  };

  void read_header();
  void read_index();
  Totals parse_index(VarintCursor cursor) const;
  bool load_block();
  bool take_block(const BlockHeader& header);
  void read_body(const BlockHeader& header, SystemVector<std::uint8_t>& raw);
  void check_footer();
  void parse_events(const BlockHeader& header);
  void parse_streams(VarintCursor& cursor, std::uint64_t events);
  void parse_ticks_and_runs(VarintCursor& cursor);
  void move_clock();
  void end_block();
  Event decode(Stream& stream);
  void decode_slot(Stream& stream, Event& event);
  void decode_size(Stream& stream, Event& event);
  void apply(Event& event);
  [[noreturn]] void fail(const std::string& what) const;

  std::unique_ptr<Source> source_;
  std::string name_;
  FileHeader header_;
  std::string info_;
  std::optional<Totals> index_;
  std::string truncated_;
  bool at_end_ = false;
  std::uint64_t position_ = 0;  // of the next block in the file
  std::uint64_t block_ = 0;     // number of the block last loaded, for messages
  SystemVector<std::uint8_t> packed_, raw_;

  Slots slots_;
  std::vector<bool> ended_ = {false};  // by thread
  Totals totals_;

  std::vector<Stream> streams_;
  VarintCursor ticks_, runs_;
  std::uint64_t tick_countdown_ = 0;  // events until the next tick applies
  bool tick_pending_ = false;
  std::uint64_t tick_delta_us_ = 0;
  std::uint64_t ticks_left_ = 0;
  std::uint64_t runs_left_ = 0;
  std::uint64_t run_events_left_ = 0;
  std::size_t run_stream_ = 0;
  std::uint64_t block_events_left_ = 0;
  std::uint64_t time_us_ = 0;
};

}  // namespace trace
