#include "workloads/trace/record/raw_convert.hpp"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <map>
#include <optional>
#include <queue>
#include <unordered_map>

#include "workloads/trace/format/address_tracker.hpp"
#include "workloads/trace/record/raw_log.hpp"
#include "workloads/trace/format/writer.hpp"

namespace trace {
namespace {

// A file, mapped read-only for the life of the object.
class Mapping {
 public:
  explicit Mapping(const std::filesystem::path& path) {
    const int fd = open(path.c_str(), O_RDONLY | O_CLOEXEC);
    struct stat status {};
    if (fd < 0 || fstat(fd, &status) != 0) {
      throw TraceError(path.string() + ": cannot open it: " + std::strerror(errno));
    }
    bytes_ = static_cast<std::size_t>(status.st_size);
    void* at = bytes_ == 0 ? nullptr : mmap(nullptr, bytes_, PROT_READ, MAP_SHARED, fd, 0);
    close(fd);
    if (at == MAP_FAILED) {
      throw TraceError(path.string() + ": cannot map it: " + std::strerror(errno));
    }
    data_ = static_cast<const char*>(at);
  }
  ~Mapping() {
    if (data_ != nullptr) {
      munmap(const_cast<char*>(data_), bytes_);
    }
  }
  Mapping(const Mapping&) = delete;
  Mapping& operator=(const Mapping&) = delete;
  [[nodiscard]] const char* data() const { return data_; }
  [[nodiscard]] std::size_t bytes() const { return bytes_; }

 private:
  const char* data_ = nullptr;
  std::size_t bytes_ = 0;
};

struct RawEvent {
  raw::Kind kind;
  std::uint64_t address;
  std::uint64_t size;
  std::uint64_t extra;
};

// The events of one thread, in its own order, across its segments.
class ThreadCursor {
 public:
  explicit ThreadCursor(std::uint32_t number) : number_(number) {}

  // REQUIRES: segments come in the order in which they stand in the log. Of two with one number
  // the last counts.
  void add_segment(const raw::SegmentHeader* segment) { segments_[segment->sequence] = segment; }

  // Loads the first event. REQUIRES: all segments are added. False where there is none.
  bool begin() {
    clock_ = segments_.begin()->second->clock;
    enter(segments_.begin());
    return advance();
  }
  // Loads the next event; false at the end.
  bool advance() {
    while (at_ == end_ || *at_ == 0) {
      if (std::next(segment_) == segments_.end()) {
        return false;
      }
      enter(std::next(segment_));
    }
    parse();
    return true;
  }
  [[nodiscard]] const RawEvent& event() const { return event_; }
  [[nodiscard]] std::uint64_t clock() const { return clock_; }
  [[nodiscard]] std::uint32_t number() const { return number_; }

 private:
  using Segments = std::map<std::uint32_t, const raw::SegmentHeader*>;  // by sequence

  void enter(Segments::const_iterator segment) {
    segment_ = segment;
    const auto* header = segment->second;
    at_ = reinterpret_cast<const std::uint64_t*>(header + 1);
    end_ = at_ + (header->units * raw::kUnitBytes - sizeof *header) / sizeof *at_;
  }
  void parse() {
    const std::uint64_t first = *at_++;
    event_ = {static_cast<raw::Kind>((first >> raw::kKindShift) & 0xf), first & raw::kAddressMask,
              first >> raw::kSizeShift, 0};
    if ((first & raw::kTimedBit) != 0) {
      clock_ = std::max(clock_, take());
    }
    if (raw::has_size(event_.kind) && event_.size == raw::kSizeFollows) {
      event_.size = take();
    }
    if (event_.kind == raw::Kind::kCalloc || event_.kind == raw::Kind::kAlignedAlloc ||
        event_.kind == raw::Kind::kPosixMemalign) {
      event_.extra = take();
    }
  }
  std::uint64_t take() { return at_ == end_ ? 0 : *at_++; }

  std::uint32_t number_;
  Segments segments_;
  Segments::const_iterator segment_;
  const std::uint64_t* at_ = nullptr;
  const std::uint64_t* end_ = nullptr;
  std::uint64_t clock_ = 0;
  RawEvent event_{};
};

// One log, opened: its header and the cursors of its threads.
class LogView {
 public:
  explicit LogView(const std::filesystem::path& path) : mapping_(path), path_(path) {
    if (mapping_.bytes() < raw::kLogHeaderBytes || header().magic != raw::kLogMagic) {
      throw TraceError(path.string() + ": not a log of the recorder");
    }
    std::size_t at = raw::kLogHeaderBytes;
    while (at + raw::kUnitBytes <= mapping_.bytes()) {
      const auto* segment = reinterpret_cast<const raw::SegmentHeader*>(mapping_.data() + at);
      const bool whole = segment->magic == raw::kSegmentMagic && segment->units >= 1 &&
                         segment->units <= (mapping_.bytes() - at) / raw::kUnitBytes;
      if (whole) {
        threads_.try_emplace(segment->thread, segment->thread).first->second.add_segment(segment);
        last_ = segment->clock > last_.clock ? Pair{segment->clock, segment->ns} : last_;
      }
      at += (whole ? segment->units : 1) * raw::kUnitBytes;
    }
  }
  [[nodiscard]] const raw::LogHeader& header() const {
    return *reinterpret_cast<const raw::LogHeader*>(mapping_.data());
  }
  [[nodiscard]] std::map<std::uint32_t, ThreadCursor>& threads() { return threads_; }

  // Nanoseconds of one tick of the clock: from the two ends of the log if they are far enough
  // apart.
  [[nodiscard]] double ns_per_tick(double fallback) const {
    constexpr std::uint64_t kEnoughNs = 100'000'000;
    const std::uint64_t ns = last_.ns - header().start_ns;
    return last_.clock > header().start_clock && last_.ns > header().start_ns && ns >= kEnoughNs
               ? static_cast<double>(ns) / static_cast<double>(last_.clock - header().start_clock)
               : fallback;
  }

 private:
  struct Pair {
    std::uint64_t clock = 0, ns = 0;
  };
  Mapping mapping_;
  std::filesystem::path path_;
  std::map<std::uint32_t, ThreadCursor> threads_;
  Pair last_;
};

// Turns raw events in total order into a trace.
class Converter {
 public:
  explicit Converter(Writer& writer) : writer_(writer), objects_(writer) {}

  void take(std::uint32_t raw_thread, const RawEvent& event) {
    const std::uint32_t thread = trace_thread(raw_thread);
    switch (event.kind) {
      case raw::Kind::kFree:
        objects_.release(thread, Kind::kFree, event.address);
        break;
      case raw::Kind::kFreeSized:
        objects_.release(thread, Kind::kFreeSized, event.address);
        break;
      case raw::Kind::kReallocBegin:
        pending_[raw_thread].push_back(objects_.begin_realloc(event.address));
        break;
      case raw::Kind::kReallocEnd:
        end_realloc(thread, raw_thread, event);
        break;
      case raw::Kind::kThreadStart:
        threads_[static_cast<std::uint32_t>(event.address)] = writer_.thread_start(thread);
        break;
      default:
        objects_.allocate(call_of(thread, event), event.address);
        break;
    }
  }
  void end_thread(std::uint32_t raw_thread) {
    if (const std::uint32_t thread = trace_thread(raw_thread); thread != 0) {
      writer_.thread_end(thread);
    }
  }
  [[nodiscard]] const AddressTracker& objects() const { return objects_; }

 private:
  // The first thread that does anything is 0. One that nobody announced was started, say, by thread
  // 0.
  std::uint32_t trace_thread(std::uint32_t raw_thread) {
    const auto found = threads_.find(raw_thread);
    if (found != threads_.end()) {
      return found->second;
    }
    const std::uint32_t thread = threads_.empty() ? 0 : writer_.thread_start(0);
    threads_.emplace(raw_thread, thread);
    return thread;
  }

  static Event call_of(std::uint32_t thread, const RawEvent& raw_event) {
    Event event;
    event.thread = thread;
    event.size = raw_event.size;
    switch (raw_event.kind) {
      case raw::Kind::kCalloc:
        event.kind = Kind::kCalloc;
        event.count = raw_event.extra;
        break;
      case raw::Kind::kAlignedAlloc:
      case raw::Kind::kPosixMemalign:
        event.kind =
            raw_event.kind == raw::Kind::kAlignedAlloc ? Kind::kAlignedAlloc : Kind::kPosixMemalign;
        event.alignment_log2 = static_cast<std::uint32_t>(raw_event.extra);
        break;
      default:
        break;
    }
    return event;
  }

  void end_realloc(std::uint32_t thread, std::uint32_t raw_thread, const RawEvent& event) {
    auto& pending = pending_[raw_thread];
    std::optional<AddressTracker::Object> old;
    if (!pending.empty()) {
      old = pending.back();
      pending.pop_back();
    }
    objects_.end_realloc(thread, old, event.address, event.size);
  }

  Writer& writer_;
  AddressTracker objects_;
  std::unordered_map<std::uint32_t, std::uint32_t>
      threads_;  // the recorder's number -> the trace's
  // Reallocs that have begun, by the recorder's thread; more than one where a signal handler
  // reallocates, too.
  std::unordered_map<std::uint32_t, std::vector<std::optional<AddressTracker::Object>>> pending_;
};

// What a tick of the recorder's clock is on this machine, from a short wait. The logs of short
// programs are too short to tell.
double measure_ns_per_tick() {
#if defined(__x86_64__)
  const auto now_ns = [] {
    timespec now{};
    clock_gettime(CLOCK_MONOTONIC, &now);
    return static_cast<std::uint64_t>(now.tv_sec) * 1'000'000'000u +
           static_cast<std::uint64_t>(now.tv_nsec);
  };
  const std::uint64_t ns = now_ns();
  const std::uint64_t ticks = __builtin_ia32_rdtsc();
  usleep(20'000);
  return static_cast<double>(now_ns() - ns) / static_cast<double>(__builtin_ia32_rdtsc() - ticks);
#else
  return 1.0;
#endif
}

void merge(LogView& log, Writer& writer, Converted& result) {
  const double ns_per_tick = log.ns_per_tick(measure_ns_per_tick());
  const std::uint64_t start = log.header().start_clock;
  Converter converter(writer);
  // By clock; of equals the lower thread number, so that a merge can be repeated.
  const auto later = [](const ThreadCursor* a, const ThreadCursor* b) {
    return a->clock() != b->clock() ? a->clock() > b->clock() : a->number() > b->number();
  };
  std::priority_queue<ThreadCursor*, std::vector<ThreadCursor*>, decltype(later)> queue(later);
  for (auto& [number, cursor] : log.threads()) {
    if (cursor.begin()) {
      queue.push(&cursor);
    }
  }
  while (!queue.empty() && !writer.full()) {
    ThreadCursor& cursor = *queue.top();
    queue.pop();
    bool more = true;
    do {
      const std::uint64_t ticks = cursor.clock() > start ? cursor.clock() - start : 0;
      writer.set_time(
          static_cast<std::uint64_t>(static_cast<double>(ticks) * ns_per_tick / 1000.0));
      converter.take(cursor.number(), cursor.event());
      more = cursor.advance();
    } while (more && !writer.full() && (queue.empty() || !later(&cursor, queue.top())));
    if (more) {
      queue.push(&cursor);
    } else {
      converter.end_thread(cursor.number());
    }
  }
  result.unknown = converter.objects().unknown();
  result.missed = converter.objects().missed();
  result.failed = converter.objects().failed();
}

RawLog describe(const std::filesystem::path& path) {
  LogView view(path);
  RawLog log;
  log.path = path;
  const std::string name = path.filename().string();
  log.number =
      static_cast<std::uint32_t>(std::strtoul(name.c_str() + name.find('-') + 1, nullptr, 10));
  log.pid = view.header().pid;
  log.parent_pid = view.header().parent_pid;
  log.program.assign(view.header().program, std::min<std::size_t>(view.header().program_bytes,
                                                                  sizeof view.header().program));
  for (auto& [number, cursor] : view.threads()) {
    for (bool more = cursor.begin(); more; more = cursor.advance()) {
      ++log.calls;
    }
  }
  return log;
}

}  // namespace

std::vector<RawLog> find_raw_logs(const std::filesystem::path& directory) {
  std::vector<RawLog> logs;
  std::error_code error;
  for (const auto& entry : std::filesystem::directory_iterator(directory, error)) {
    const bool is_log =
        entry.path().extension() == ".raw" && entry.path().filename().string().starts_with("log-");
    if (is_log && entry.file_size() >= raw::kLogHeaderBytes) {
      logs.push_back(describe(entry.path()));
    }
  }
  if (error) {
    throw TraceError(directory.string() + ": cannot list it: " + error.message());
  }
  std::sort(logs.begin(), logs.end(), [](const RawLog& a, const RawLog& b) {
    return a.calls != b.calls ? a.calls > b.calls : a.number < b.number;
  });
  return logs;
}

Converted convert_raw_log(const RawLog& log, const std::filesystem::path& out,
                          const ConvertOptions& options) {
  Writer::Options writer_options;
  writer_options.info = "program=" + log.program + "\n" + options.info;
  writer_options.created_s = options.created_s;
  writer_options.max_bytes = options.max_bytes;
  writer_options.level = options.level;
  LogView view(log.path);
  Writer writer(out, writer_options);
  Converted result;
  merge(view, writer, result);
  result.full = writer.full();
  result.totals = writer.finish();
  result.full = result.full || writer.full();
  return result;
}

}  // namespace trace
