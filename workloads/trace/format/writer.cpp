#include "workloads/trace/format/writer.hpp"

#include <zstd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>

#include "workloads/trace/format/varint.hpp"

namespace trace {
namespace {

// A tick costs two or three bytes; these keep it far below a hundredth of the file.
constexpr std::uint64_t kTickUs = 1000;
constexpr std::uint32_t kTickEvents = 4096;

}  // namespace

Writer::Writer(const std::filesystem::path& path, Options options)
    : path_(path), options_(std::move(options)), file_(std::fopen(path.c_str(), "wbe")) {
  if (file_ == nullptr) {
    fail(std::string("cannot create it: ") + std::strerror(errno));
  }
  if (options_.info.size() > kMaxRawBytes) {
    fail("more than 4 MiB of information about the program");
  }
  FileHeader header;
  header.created_s = options_.created_s;
  write_bytes(&header, sizeof header);
  ended_.push_back(false);
  const std::vector<std::uint8_t> info(options_.info.begin(), options_.info.end());
  write_block(BlockType::kInfo, info, 0, 0);
}

Writer::~Writer() = default;

void Writer::fail(const std::string& what) const { throw TraceError(path_.string() + ": " + what); }

void Writer::write_bytes(const void* data, std::size_t bytes) {
  if (std::fwrite(data, 1, bytes, file_.get()) != bytes) {
    fail(std::string("cannot write: ") + std::strerror(errno));
  }
  offset_ += bytes;
}

void Writer::write_block(BlockType type, const std::vector<std::uint8_t>& raw, std::uint32_t events,
                         std::uint64_t start_time_us) {
  struct FreeContext {
    void operator()(ZSTD_CCtx* context) const { ZSTD_freeCCtx(context); }
  };
  const std::unique_ptr<ZSTD_CCtx, FreeContext> context(ZSTD_createCCtx());
  ZSTD_CCtx_setParameter(context.get(), ZSTD_c_compressionLevel, options_.level);
  ZSTD_CCtx_setParameter(context.get(), ZSTD_c_checksumFlag, 1);
  std::vector<std::uint8_t> packed(ZSTD_compressBound(raw.size()));
  const std::size_t bytes =
      ZSTD_compress2(context.get(), packed.data(), packed.size(), raw.data(), raw.size());
  if (ZSTD_isError(bytes) != 0) {
    fail(std::string("zstd: ") + ZSTD_getErrorName(bytes));
  }
  BlockHeader header;
  header.type = type;
  header.packed_bytes = static_cast<std::uint32_t>(bytes);
  header.raw_bytes = static_cast<std::uint32_t>(raw.size());
  header.event_count = events;
  header.start_time_us = start_time_us;
  header.check = block_check(header);
  // Room for the index stays: a file that is full still ends with one.
  const std::uint64_t index_bytes = 64 * (index_.size() + 4);
  if (type == BlockType::kEvents &&
      offset_ + sizeof header + bytes + index_bytes > options_.max_bytes) {
    full_ = true;
    return;
  }
  if (type == BlockType::kEvents) {
    index_.push_back({offset_, start_time_us, events});
  }
  write_bytes(&header, sizeof header);
  write_bytes(packed.data(), bytes);
}

Writer::Stream& Writer::stream_for(std::uint32_t thread, Kind kind) {
  if (thread >= ended_.size() || ended_[thread]) {
    fail("an event of a thread that has not started or has ended");
  }
  if (block_events_ >= options_.block_events || block_bytes_ > kMaxRawBytes / 4) {
    flush_events();
  }
  tick();
  if (thread >= stream_index_.size()) {
    stream_index_.resize(thread + 1, 0);
  }
  if (stream_index_[thread] == 0) {
    streams_.emplace_back().thread = thread;
    stream_index_[thread] = static_cast<std::uint32_t>(streams_.size());
  }
  const std::uint32_t index = stream_index_[thread] - 1;
  if (runs_.empty() || runs_.back().stream != index) {
    runs_.push_back({index, 0});
    block_bytes_ += 4;
  }
  ++runs_.back().events;
  ++block_events_;
  ++events_since_tick_;
  block_bytes_ += 8;
  ++totals_.events;
  Stream& stream = streams_[index];
  stream.kinds.push_back(static_cast<std::uint8_t>(kind));
  return stream;
}

void Writer::set_time(std::uint64_t time_us) { time_us_ = std::max(time_us_, time_us); }

void Writer::tick() {
  if (block_events_ == 0) {
    block_start_us_ = tick_time_us_ = time_us_;
    return;
  }
  const std::uint64_t delta_us = time_us_ - tick_time_us_;
  if (delta_us >= kTickUs || (events_since_tick_ >= kTickEvents && delta_us > 0)) {
    ticks_.push_back({events_since_tick_, delta_us});
    tick_time_us_ = time_us_;
    events_since_tick_ = 0;
    block_bytes_ += 4;
  }
}

void Writer::check_allocation(std::uint64_t bytes) const {
  if (bytes > kMaxLiveBytes || slots_.live_bytes() + bytes > kMaxLiveBytes) {
    fail("more than 2^47 live bytes");
  }
  if (slots_.live_objects() >= kMaxLiveObjects) {
    fail("more than 2^26 live objects");
  }
}

std::uint32_t Writer::malloc(std::uint32_t thread, std::uint64_t size) {
  check_allocation(size);
  Stream& stream = stream_for(thread, Kind::kMalloc);
  put_varint(stream.values, size);
  ++totals_.allocations;
  return stream.last_slot = slots_.take(size);
}

std::uint32_t Writer::calloc(std::uint32_t thread, std::uint64_t count, std::uint64_t size) {
  std::uint64_t bytes = 0;
  if (__builtin_mul_overflow(count, size, &bytes)) {
    fail("a calloc of more than 2^64 bytes");
  }
  check_allocation(bytes);
  Stream& stream = stream_for(thread, Kind::kCalloc);
  put_varint(stream.values, count);
  put_varint(stream.values, size);
  ++totals_.allocations;
  return stream.last_slot = slots_.take(bytes);
}

std::uint32_t Writer::aligned(std::uint32_t thread, Kind kind, std::uint32_t alignment_log2,
                              std::uint64_t size) {
  check_allocation(size);
  if (alignment_log2 > kMaxAlignmentLog2) {
    fail("an alignment above 2^40");
  }
  Stream& stream = stream_for(thread, kind);
  put_varint(stream.values, alignment_log2);
  put_varint(stream.values, size);
  ++totals_.allocations;
  return stream.last_slot = slots_.take(size);
}

void Writer::realloc(std::uint32_t thread, std::uint32_t slot, std::uint64_t size) {
  if (!slots_.live(slot)) {
    fail("a realloc of an object that is not live");
  }
  check_allocation(size);
  Stream& stream = stream_for(thread, Kind::kRealloc);
  put_varint(stream.slots, zigzag(std::int64_t{slot} - std::int64_t{stream.last_slot}));
  put_varint(stream.values, size);
  ++totals_.allocations;
  stream.last_slot = slot;
  slots_.resize(slot, size);
}

void Writer::release(std::uint32_t thread, Kind kind, std::uint32_t slot) {
  if (!slots_.live(slot)) {
    fail("a free of an object that is not live");
  }
  Stream& stream = stream_for(thread, kind);
  put_varint(stream.slots, zigzag(std::int64_t{slot} - std::int64_t{stream.last_slot}));
  stream.last_slot = slot;
  slots_.release(slot);
}

std::uint32_t Writer::thread_start(std::uint32_t creator) {
  if (ended_.size() >= kMaxThreads) {
    fail("more than 2^20 threads");
  }
  stream_for(creator, Kind::kThreadStart);
  ended_.push_back(false);
  return static_cast<std::uint32_t>(ended_.size() - 1);
}

void Writer::thread_end(std::uint32_t thread) {
  stream_for(thread, Kind::kThreadEnd);
  ended_[thread] = true;
}

void Writer::add(const Event& event) {
  set_time(event.time_us);
  std::uint32_t slot = event.slot;
  switch (event.kind) {
    case Kind::kMalloc:
      slot = malloc(event.thread, event.size);
      break;
    case Kind::kCalloc:
      slot = calloc(event.thread, event.count, event.size);
      break;
    case Kind::kAlignedAlloc:
    case Kind::kPosixMemalign:
      slot = aligned(event.thread, event.kind, event.alignment_log2, event.size);
      break;
    case Kind::kRealloc:
      realloc(event.thread, event.slot, event.size);
      break;
    case Kind::kFree:
    case Kind::kFreeSized:
      release(event.thread, event.kind, event.slot);
      break;
    case Kind::kThreadStart:
      slot = thread_start(event.thread);
      break;
    case Kind::kThreadEnd:
      thread_end(event.thread);
      break;
  }
  if (slot != event.slot) {
    fail("events that are not in the order in which they were read");
  }
}

std::vector<std::uint8_t> Writer::encode_block() const {
  std::vector<std::uint8_t> raw;
  put_varint(raw, streams_.size());
  for (const Stream& stream : streams_) {
    put_varint(raw, stream.thread);
    put_varint(raw, stream.kinds.size());
    put_varint(raw, stream.values.size());
    put_varint(raw, stream.slots.size());
  }
  put_varint(raw, ticks_.size());
  for (const Tick& tick : ticks_) {
    put_varint(raw, tick.events);
    put_varint(raw, tick.delta_us);
  }
  put_varint(raw, streams_.size() == 1 ? 0 : runs_.size());
  if (streams_.size() > 1) {
    for (const Run& run : runs_) {
      put_varint(raw, run.stream);
      put_varint(raw, run.events);
    }
  }
  for (const auto column : {&Stream::kinds, &Stream::values, &Stream::slots}) {
    for (const Stream& stream : streams_) {
      raw.insert(raw.end(), (stream.*column).begin(), (stream.*column).end());
    }
  }
  return raw;
}

void Writer::flush_events() {
  if (block_events_ > 0 && time_us_ > tick_time_us_) {
    ticks_.push_back({events_since_tick_, time_us_ - tick_time_us_});
    tick_time_us_ = time_us_;
  }
  if (block_events_ > 0 && !full_) {
    write_block(BlockType::kEvents, encode_block(), block_events_, block_start_us_);
  }
  if (!full_) {
    totals_.threads = ended_.size();
    totals_.duration_us = tick_time_us_;
    totals_.peak_live_bytes = slots_.peak_bytes();
    totals_.peak_live_objects = slots_.peak_objects();
    written_ = totals_;
  }
  for (const Stream& stream : streams_) {
    stream_index_[stream.thread] = 0;
  }
  streams_.clear();
  runs_.clear();
  ticks_.clear();
  block_events_ = 0;
  events_since_tick_ = 0;
  block_bytes_ = 0;
}

std::vector<std::uint8_t> Writer::encode_index() const {
  std::vector<std::uint8_t> raw;
  put_varint(raw, written_.events);
  put_varint(raw, written_.threads);
  put_varint(raw, written_.duration_us);
  put_varint(raw, written_.allocations);
  put_varint(raw, written_.peak_live_bytes);
  put_varint(raw, written_.peak_live_objects);
  put_varint(raw, index_.size());
  IndexEntry before{};
  for (const IndexEntry& entry : index_) {
    put_varint(raw, entry.offset - before.offset);
    put_varint(raw, entry.start_time_us - before.start_time_us);
    put_varint(raw, entry.events);
    before = entry;
  }
  return raw;
}

Totals Writer::finish() {
  flush_events();
  Footer footer;
  footer.index_offset = offset_;
  write_block(BlockType::kIndex, encode_index(), 0, 0);
  write_bytes(&footer, sizeof footer);
  if (std::fflush(file_.get()) != 0) {
    fail(std::string("cannot write: ") + std::strerror(errno));
  }
  return written_;
}

}  // namespace trace
