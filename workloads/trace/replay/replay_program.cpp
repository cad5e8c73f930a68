#include "workloads/trace/replay/replay_program.hpp"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>

namespace trace {
namespace {

constexpr std::uint32_t kFirstChunkOps = 256;
constexpr std::uint64_t kLeastPauseUs = 1000;  // a trace tells no less
constexpr std::uint64_t kPageBytes = workloads::kPageBytes;

Op make_op(OpKind kind, std::uint32_t cell, std::uint64_t size, unsigned alignment_log2 = 0,
           std::uint32_t detail = 0) {
  return {size << 16 | std::uint64_t{alignment_log2} << 8 | static_cast<std::uint64_t>(kind), cell,
          detail};
}

Op* map_ops(std::uint32_t count) {
  void* at =
      mmap(nullptr, count * sizeof(Op), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (at == MAP_FAILED) {
    workloads::out_of_memory(count * sizeof(Op));
  }
  return static_cast<Op*>(at);
}

int open_unnamed_file() {
  const char* folder = std::getenv("TMPDIR");
  std::string name = std::string(folder != nullptr ? folder : "/tmp") + "/osmem-replay-XXXXXX";
  const int fd = mkostemp(name.data(), O_CLOEXEC);
  if (fd < 0) {
    throw TraceError(name + ": cannot create it for a trace that is larger than its memory: " +
                     std::strerror(errno));
  }
  unlink(name.c_str());
  return fd;
}

}  // namespace

ReplayProgram::ReplayProgram(Reader& reader, std::uint64_t resident_bytes, ThinkTime think_time)
    : resident_bytes_(resident_bytes), think_time_(think_time) {
  threads_.resize(1);
  while (const std::optional<Event> event = reader.next()) {
    take(*event);
  }
  if (!reader.truncated().empty()) {
    throw TraceError(reader.truncated() + "; a replay of the rest would not be that program");
  }
  totals_ = reader.totals();
  left_over_ = reader.slots().live_objects();
  SystemVector<std::uint32_t>().swap(cell_of_slot_);
  for (Thread& thread : threads_) {
    SystemVector<std::uint32_t>().swap(thread.free_cells);
  }
}

ReplayProgram::~ReplayProgram() {
  for (Thread& thread : threads_) {
    for (const OpChunk& chunk : thread.chunks) {
      if (chunk.ops != nullptr) {
        munmap(chunk.ops, chunk.capacity * sizeof(Op));
      }
    }
  }
  if (file_ >= 0) {
    close(file_);
  }
}

void ReplayProgram::keep_time(const Event& event) {
  Thread& thread = threads_[event.thread];
  if (event.time_us >= thread.time_us + kLeastPauseUs) {
    emit(event.thread, make_op(OpKind::kUntil, 0, event.time_us));
    threads_[event.thread].time_us = event.time_us;
  }
}

void ReplayProgram::take(const Event& event) {
  if (think_time_ == ThinkTime::kRecorded) {
    keep_time(event);
  }
  switch (event.kind) {
    case Kind::kThreadStart:
      threads_.emplace_back();
      emit(event.thread, make_op(OpKind::kStartThread, event.slot, 0));
      return;
    case Kind::kThreadEnd:
      return;
    case Kind::kRealloc:
      reallocate(event);
      break;
    case Kind::kFree:
    case Kind::kFreeSized:
      release(event);
      break;
    default:
      allocate(event);
      break;
  }
  ++calls_;
}

std::uint32_t ReplayProgram::take_cell(std::uint32_t thread) {
  SystemVector<std::uint32_t>& free_cells = threads_[thread].free_cells;
  if (free_cells.empty()) {
    const std::uint32_t first = cells();
    cells_.resize(first + kCellsPerLine, {thread, thread, 0, 0});
    for (std::uint32_t i = kCellsPerLine; i > 0; --i) {
      free_cells.push_back(first + i - 1);
    }
  }
  const std::uint32_t cell = free_cells.back();
  free_cells.pop_back();
  return cell;
}

void ReplayProgram::wait_for(std::uint32_t thread, std::uint32_t cell) {
  if (cells_[cell].last_thread != thread) {
    emit(thread, make_op(OpKind::kWait, cell, 0, 0, cells_[cell].count));
    ++waits_;
  }
}

void ReplayProgram::touched(std::uint32_t thread, std::uint32_t cell) {
  cells_[cell].last_thread = thread;
  ++cells_[cell].count;
}

void ReplayProgram::allocate(const Event& event) {
  const std::uint32_t cell = take_cell(event.thread);
  wait_for(event.thread, cell);
  OpKind kind = OpKind::kMalloc;
  std::uint64_t size = event.size;
  std::uint32_t count = 0;
  if (event.kind == Kind::kCalloc) {
    kind = OpKind::kCalloc;
    const bool fits = event.count <= UINT32_MAX && event.size <= kMaxLiveBytes;
    count = fits ? static_cast<std::uint32_t>(event.count) : 1;
    size = fits ? event.size : event.bytes();
  } else if (event.kind == Kind::kAlignedAlloc) {
    kind = OpKind::kAlignedAlloc;
  } else if (event.kind == Kind::kPosixMemalign) {
    kind = OpKind::kPosixMemalign;
  }
  emit(event.thread, make_op(kind, cell, size, event.alignment_log2, count));
  touched(event.thread, cell);
  cells_[cell].bytes = event.bytes();
  if (event.slot >= cell_of_slot_.size()) {
    cell_of_slot_.resize(event.slot + std::size_t{1});
  }
  cell_of_slot_[event.slot] = cell;
}

void ReplayProgram::reallocate(const Event& event) {
  const std::uint32_t cell = cell_of_slot_[event.slot];
  wait_for(event.thread, cell);
  const std::uint64_t old_bytes = cells_[cell].bytes;
  const std::uint64_t pages =
      std::min<std::uint64_t>((old_bytes + kPageBytes - 1) / kPageBytes, INT32_MAX);
  const std::uint32_t tagged = old_bytes >= sizeof(std::uint32_t) ? std::uint32_t{1} << 31 : 0;
  // realloc(p, 0) would free in some allocators and not in others: a realloc to nothing keeps one
  // byte.
  const std::uint64_t size = std::max<std::uint64_t>(event.size, 1);
  emit(event.thread,
       make_op(OpKind::kRealloc, cell, size, 0, static_cast<std::uint32_t>(pages) | tagged));
  touched(event.thread, cell);
  cells_[cell].bytes = event.size;
}

void ReplayProgram::release(const Event& event) {
  const std::uint32_t cell = cell_of_slot_[event.slot];
  wait_for(event.thread, cell);
  const OpKind kind = event.kind == Kind::kFreeSized ? OpKind::kFreeSized : OpKind::kFree;
  emit(event.thread, make_op(kind, cell, cells_[cell].bytes));
  touched(event.thread, cell);
  threads_[cells_[cell].home].free_cells.push_back(cell);
}

void ReplayProgram::emit(std::uint32_t thread_number, const Op& op) {
  Thread& thread = threads_[thread_number];
  if (thread.chunks.empty() || thread.chunks.back().count == thread.chunks.back().capacity) {
    add_chunk(thread);
  }
  OpChunk& chunk = thread.chunks.back();
  chunk.ops[chunk.count++] = op;
}

// A short thread takes a page, a busy one a mebibyte at a time.
void ReplayProgram::add_chunk(Thread& thread) {
  std::uint32_t capacity = kFirstChunkOps;
  if (!thread.chunks.empty()) {
    OpChunk& full = thread.chunks.back();
    capacity = std::min(full.capacity * 4, kMaxChunkOps);
    if (used_bytes_ > resident_bytes_) {
      spill(full);
    }
  }
  OpChunk chunk;
  chunk.ops = map_ops(capacity);
  chunk.capacity = capacity;
  used_bytes_ += capacity * sizeof(Op);
  thread.chunks.push_back(chunk);
}

void ReplayProgram::spill(OpChunk& chunk) {
  if (file_ < 0) {
    file_ = open_unnamed_file();
  }
  const auto* bytes = reinterpret_cast<const char*>(chunk.ops);
  const std::size_t size = chunk.count * sizeof(Op);
  for (std::size_t done = 0; done < size;) {
    const ssize_t written =
        pwrite(file_, bytes + done, size - done, static_cast<off_t>(file_bytes_ + done));
    if (written < 0) {
      throw TraceError(std::string("cannot write the operations of a large trace: ") +
                       std::strerror(errno));
    }
    done += static_cast<std::size_t>(written);
  }
  munmap(chunk.ops, chunk.capacity * sizeof(Op));
  used_bytes_ -= chunk.capacity * sizeof(Op);
  chunk.ops = nullptr;
  chunk.file_offset = file_bytes_;
  file_bytes_ += size;
}

const Op* ReplayProgram::load(const OpChunk& chunk, Op* buffer) const {
  if (chunk.ops != nullptr) {
    return chunk.ops;
  }
  const std::size_t size = chunk.count * sizeof(Op);
  for (std::size_t done = 0; done < size;) {
    const ssize_t got = pread(file_, reinterpret_cast<char*>(buffer) + done, size - done,
                              static_cast<off_t>(chunk.file_offset + done));
    if (got <= 0) {
      std::fprintf(stderr, "replay: cannot read back the operations of a large trace: %s\n",
                   std::strerror(errno));
      std::_Exit(1);
    }
    done += static_cast<std::size_t>(got);
  }
  return buffer;
}

}  // namespace trace
