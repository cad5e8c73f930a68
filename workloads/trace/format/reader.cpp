#include "workloads/trace/format/reader.hpp"

#include <zstd.h>

#include <algorithm>
#include <cstring>
#include <utility>

namespace trace {
namespace {

// One for each thread: making one costs more than a small block.
ZSTD_DCtx* decompressor() {
  struct Free {
    void operator()(ZSTD_DCtx* context) const { ZSTD_freeDCtx(context); }
  };
  thread_local const std::unique_ptr<ZSTD_DCtx, Free> context(ZSTD_createDCtx());
  return context.get();
}

}  // namespace

Reader::Reader(const std::filesystem::path& path) : Reader(open_file(path), path.string()) {}

Reader::Reader(std::unique_ptr<Source> source, std::string name)
    : source_(std::move(source)), name_(std::move(name)) {
  read_header();
  read_index();
  position_ = header_.header_bytes;
  source_->seek(position_);
  load_block();
}

void Reader::fail(const std::string& what) const {
  throw TraceError(name_ + ": " + (block_ > 0 ? "block " + std::to_string(block_) + ": " : "") +
                   what);
}

void Reader::read_header() {
  const std::size_t got = source_->read(&header_, sizeof header_);
  if (got < sizeof header_.magic || header_.magic != kFileMagic) {
    fail("not a trace (it does not begin with OSMTRACE)");
  }
  if (got < sizeof header_) {
    fail("a trace that ends within its header");
  }
  if (header_.version > kVersion) {
    fail("trace format version " + std::to_string(header_.version) + "; this program reads up to " +
         std::to_string(kVersion) + ": use a newer one");
  }
  if (header_.version == 0 || header_.header_bytes < sizeof header_ || header_.flags != 0) {
    fail("damaged header");
  }
}

std::string Reader::info_value(const std::string& key) const {
  std::size_t at = 0;
  while (at < info_.size()) {
    const std::size_t end = std::min(info_.find('\n', at), info_.size());
    const std::string line = info_.substr(at, end - at);
    if (line.starts_with(key + "=")) {
      return line.substr(key.size() + 1);
    }
    at = end + 1;
  }
  return "";
}

// The index only repeats what the blocks say. One that is missing or damaged is not an error here;
// that its totals are those of the blocks is checked at the end of the events.
void Reader::read_index() {
  const std::uint64_t size = source_->size();
  Footer footer{0, 0};
  if (size < sizeof(FileHeader) + sizeof(BlockHeader) + sizeof footer) {
    return;
  }
  source_->seek(size - sizeof footer);
  if (source_->read(&footer, sizeof footer) != sizeof footer || footer.magic != kFooterMagic ||
      footer.index_offset > size - sizeof footer - sizeof(BlockHeader)) {
    return;
  }
  source_->seek(footer.index_offset);
  BlockHeader header;
  if (source_->read(&header, sizeof header) != sizeof header || header.magic != kBlockMagic ||
      header.type != BlockType::kIndex || header.check != block_check(header)) {
    return;
  }
  SystemVector<std::uint8_t> raw;
  try {
    read_body(header, raw);
    index_ = parse_index(VarintCursor(raw.data(), raw.size()));
  } catch (const TraceError&) {
    index_.reset();  // load_block() meets the same block again, and reports it
  }
}

Totals Reader::parse_index(VarintCursor cursor) const {
  Totals totals;
  totals.events = cursor.next();
  totals.threads = cursor.next();
  totals.duration_us = cursor.next();
  totals.allocations = cursor.next();
  totals.peak_live_bytes = cursor.next();
  totals.peak_live_objects = cursor.next();
  std::uint64_t events = 0;
  for (std::uint64_t left = cursor.next(); left > 0 && cursor.ok(); --left) {
    cursor.next();
    cursor.next();
    events += cursor.next();
  }
  if (!cursor.ok() || !cursor.done() || events != totals.events) {
    fail("the index is damaged");
  }
  return totals;
}

void Reader::read_body(const BlockHeader& header, SystemVector<std::uint8_t>& raw) {
  if (header.raw_bytes > kMaxRawBytes || header.packed_bytes > ZSTD_compressBound(kMaxRawBytes) ||
      header.event_count > kMaxBlockEvents) {
    fail("larger than a block may be");
  }
  packed_.resize(header.packed_bytes);
  if (source_->read(packed_.data(), packed_.size()) != packed_.size()) {
    fail("the file ends within it");
  }
  if (ZSTD_getFrameContentSize(packed_.data(), packed_.size()) != header.raw_bytes) {
    fail("its packed and unpacked sizes disagree");
  }
  raw.resize(header.raw_bytes);
  const std::size_t bytes =
      ZSTD_decompressDCtx(decompressor(), raw.data(), raw.size(), packed_.data(), packed_.size());
  if (ZSTD_isError(bytes) != 0 || bytes != raw.size()) {
    fail(std::string("damaged: ") +
         (ZSTD_isError(bytes) != 0 ? ZSTD_getErrorName(bytes) : "short"));
  }
}

// Loads the next block that has something to say: the program's information, or events. False at
// the end of the trace, proper or not.
bool Reader::load_block() {
  while (!at_end_) {
    BlockHeader header;
    if (source_->read(&header, sizeof header) < sizeof header) {
      truncated_ = "the file ends after block " + std::to_string(block_) + ", without an index";
      at_end_ = true;
      break;
    }
    ++block_;
    if (header.magic != kBlockMagic || header.check != block_check(header)) {
      fail("damaged header of a block");
    }
    position_ += sizeof header + header.packed_bytes;
    if (position_ > source_->size()) {
      truncated_ = "the file ends within block " + std::to_string(block_);
      at_end_ = true;
      break;
    }
    read_body(header, raw_);
    if (take_block(header)) {
      return true;
    }
  }
  return false;
}

bool Reader::take_block(const BlockHeader& header) {
  switch (header.type) {
    case BlockType::kInfo:
      if (block_ != 1) {
        fail("information about the program that is not at the beginning");
      }
      info_.assign(raw_.begin(), raw_.end());
      return true;
    case BlockType::kEvents:
      parse_events(header);
      return true;
    case BlockType::kIndex:
      at_end_ = true;
      if (parse_index(VarintCursor(raw_.data(), raw_.size())) != totals()) {
        fail("the index does not agree with the events");
      }
      check_footer();
      return false;
  }
  fail("a block of an unknown type");
}

// REQUIRES: the index was read.
void Reader::check_footer() {
  Footer footer{0, 0};
  if (source_->read(&footer, sizeof footer) < sizeof footer) {
    truncated_ = "the file ends within its footer";
  } else if (footer.magic != kFooterMagic || position_ + sizeof footer != source_->size()) {
    fail("no footer behind the index, or bytes behind the footer");
  }
}

void Reader::parse_events(const BlockHeader& header) {
  VarintCursor cursor(raw_.data(), raw_.size());
  if (header.event_count == 0 || header.start_time_us < time_us_) {
    fail("without events, or earlier than the block before");
  }
  time_us_ = header.start_time_us;
  block_events_left_ = header.event_count;
  parse_streams(cursor, header.event_count);
  parse_ticks_and_runs(cursor);
  for (Stream& stream : streams_) {
    stream.kinds = cursor.take(stream.events);
  }
  for (Stream& stream : streams_) {
    stream.values = cursor.take(stream.value_bytes);
  }
  for (Stream& stream : streams_) {
    stream.slots = cursor.take(stream.slot_bytes);
  }
  if (!cursor.ok() || !cursor.done()) {
    fail("its columns do not fill it");
  }
}

void Reader::parse_streams(VarintCursor& cursor, std::uint64_t events) {
  streams_.clear();
  std::uint64_t sum = 0;
  const std::uint64_t count = cursor.next();
  if (count == 0 || count > events) {
    fail("an impossible number of streams");
  }
  for (std::uint64_t i = 0; i < count && cursor.ok(); ++i) {
    Stream& stream = streams_.emplace_back();
    const std::uint64_t thread = cursor.next();
    stream.thread = static_cast<std::uint32_t>(std::min<std::uint64_t>(thread, kMaxThreads));
    stream.events = cursor.next();
    stream.value_bytes = cursor.next();
    stream.slot_bytes = cursor.next();
    if (stream.events == 0 || stream.events > events) {
      fail("a stream without events, or with more than its block");
    }
    sum += stream.events;
  }
  if (!cursor.ok() || sum != events) {
    fail("its streams have not as many events as it says");
  }
}

void Reader::parse_ticks_and_runs(VarintCursor& cursor) {
  ticks_left_ = cursor.next();
  ticks_ = cursor;
  for (std::uint64_t i = 0; i < ticks_left_ && cursor.ok(); ++i) {
    cursor.next();
    cursor.next();
  }
  runs_left_ = cursor.next();
  runs_ = cursor;
  for (std::uint64_t i = 0; i < runs_left_ && cursor.ok(); ++i) {
    cursor.next();
    cursor.next();
  }
  if (!cursor.ok() || (runs_left_ == 0 && streams_.size() != 1)) {
    fail("its ticks or runs are damaged");
  }
  run_stream_ = 0;
  run_events_left_ = runs_left_ == 0 ? block_events_left_ : 0;
  tick_pending_ = false;
}

// Applies the ticks that lie at or before the next event.
void Reader::move_clock() {
  for (;;) {
    if (!tick_pending_) {
      if (ticks_left_ == 0) {
        return;
      }
      --ticks_left_;
      tick_countdown_ = ticks_.next();
      tick_delta_us_ = ticks_.next();
      tick_pending_ = true;
    }
    if (tick_countdown_ > 0) {
      return;
    }
    if (tick_delta_us_ > kMaxLiveBytes || time_us_ > kMaxLiveBytes) {
      fail("a time beyond years");
    }
    time_us_ += tick_delta_us_;
    tick_pending_ = false;
  }
}

std::optional<Event> Reader::next() {
  while (block_events_left_ == 0) {
    if (!load_block()) {
      return std::nullopt;
    }
  }
  move_clock();
  while (run_events_left_ == 0) {
    if (runs_left_ == 0) {
      fail("its runs end before its events");
    }
    --runs_left_;
    const std::uint64_t stream = runs_.next();
    run_events_left_ = runs_.next();
    if (stream >= streams_.size() || run_events_left_ == 0) {
      fail("a run of no stream, or of no events");
    }
    run_stream_ = static_cast<std::size_t>(stream);
  }
  Stream& stream = streams_[run_stream_];
  if (stream.events == 0) {
    fail("a run that is longer than its stream");
  }
  --stream.events;
  --run_events_left_;
  --block_events_left_;
  if (tick_pending_) {
    --tick_countdown_;
  }
  Event event = decode(stream);
  apply(event);
  ++totals_.events;
  if (block_events_left_ == 0) {
    end_block();
  }
  return event;
}

void Reader::end_block() {
  move_clock();  // the tick behind the last event says when the block ended
  if (tick_pending_ || run_events_left_ != 0 || runs_left_ != 0) {
    fail("ticks or runs behind its events");
  }
  for (const Stream& stream : streams_) {
    if (!stream.values.done() || !stream.slots.done()) {
      fail("columns that are longer than their events need");
    }
  }
}

Event Reader::decode(Stream& stream) {
  Event event;
  const std::uint64_t kind = stream.kinds.next();
  if (kind < kFirstKind || kind > kLastKind) {
    fail("an event of an unknown kind");
  }
  event.kind = static_cast<Kind>(kind);
  event.thread = stream.thread;
  event.time_us = time_us_;
  if (event.thread >= ended_.size() || ended_[event.thread]) {
    fail("an event of thread " + std::to_string(event.thread) +
         ", which has not started or has ended");
  }
  if (has_slot(event.kind)) {
    decode_slot(stream, event);
  }
  if (allocates(event.kind) || event.kind == Kind::kRealloc) {
    decode_size(stream, event);
  }
  if (!stream.values.ok() || !stream.slots.ok()) {
    fail("a column that is shorter than its events need");
  }
  return event;
}

void Reader::decode_slot(Stream& stream, Event& event) {
  const std::int64_t delta = unzigzag(stream.slots.next());
  constexpr std::int64_t kLimit = std::int64_t{kMaxLiveObjects};
  const std::int64_t slot = delta < -kLimit || delta > kLimit ? -1 : stream.last_slot + delta;
  if (slot < 0 || !slots_.live(static_cast<std::uint64_t>(slot))) {
    fail(std::string("a ") + to_string(event.kind) + " of an object that is not live");
  }
  stream.last_slot = slot;
  event.slot = static_cast<std::uint32_t>(slot);
}

void Reader::decode_size(Stream& stream, Event& event) {
  if (event.kind == Kind::kCalloc) {
    event.count = stream.values.next();
  } else if (event.kind == Kind::kAlignedAlloc || event.kind == Kind::kPosixMemalign) {
    const std::uint64_t alignment = stream.values.next();
    if (alignment > kMaxAlignmentLog2) {
      fail("an alignment above 2^40");
    }
    event.alignment_log2 = static_cast<std::uint32_t>(alignment);
  }
  event.size = stream.values.next();
  std::uint64_t bytes = event.size;
  if ((event.kind == Kind::kCalloc && __builtin_mul_overflow(event.count, event.size, &bytes)) ||
      bytes > kMaxLiveBytes || slots_.live_bytes() + bytes > kMaxLiveBytes) {
    fail("more than 2^47 live bytes");
  }
}

void Reader::apply(Event& event) {
  switch (event.kind) {
    case Kind::kMalloc:
    case Kind::kCalloc:
    case Kind::kAlignedAlloc:
    case Kind::kPosixMemalign:
      if (slots_.live_objects() >= kMaxLiveObjects) {
        fail("more than 2^26 live objects");
      }
      event.slot = slots_.take(event.bytes());
      streams_[run_stream_].last_slot = event.slot;
      ++totals_.allocations;
      break;
    case Kind::kRealloc:
      slots_.resize(event.slot, event.size);
      ++totals_.allocations;
      break;
    case Kind::kFree:
    case Kind::kFreeSized:
      slots_.release(event.slot);
      break;
    case Kind::kThreadStart:
      if (ended_.size() >= kMaxThreads) {
        fail("more than 2^20 threads");
      }
      event.slot = static_cast<std::uint32_t>(ended_.size());
      ended_.push_back(false);
      break;
    case Kind::kThreadEnd:
      ended_[event.thread] = true;
      break;
  }
}

Totals Reader::totals() const {
  Totals totals = totals_;
  totals.threads = ended_.size();
  totals.duration_us = time_us_;
  totals.peak_live_bytes = slots_.peak_bytes();
  totals.peak_live_objects = slots_.peak_objects();
  return totals;
}

}  // namespace trace
