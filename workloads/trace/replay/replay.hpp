// Replays a trace as a workload of the workbench: `trace/NAME`, one thread for each recorded one,
// started and ended where the recorded threads started and ended.
//
// One iteration is the whole trace, then a free of each object that the program left behind. What
// the objects carry is a tag in their first bytes, written at allocation and read at free, so an
// order that was not kept, or two objects in one place, show in the checksum. Needs libosmem's
// workloads only; the reader is gone before the clock starts.
#pragma once

#include <pthread.h>

#include <atomic>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <vector>

#include "workloads/trace/replay/replay_program.hpp"
#include "workloads/workload.hpp"

namespace trace {

// What a replay writes to the memory that it is given, as the program may have done.
enum class Touch { kNone, kFirst, kPage, kWhole };

class Replay : public workloads::Workload {
 public:
  // Throws TraceError. `resident_bytes`: see ReplayProgram.
  Replay(const std::filesystem::path& path, Touch touch, std::uint64_t resident_bytes, ThinkTime think_time = ThinkTime::kNone);
  ~Replay() override;

  workloads::Tally run(int thread_index, workloads::Steps& steps) override;
  // Seconds of an iteration that replay itself takes: of the thread with most events, in an empty
  // replay, in which no call is made and nothing is waited for. Measured when the object is built.
  [[nodiscard]] double own_seconds(std::int64_t iterations) const override;
  // The same for one operation, in nanoseconds.
  [[nodiscard]] double own_ns_per_operation() const { return own_ns_per_operation_; }

  [[nodiscard]] const ReplayProgram& program() const { return program_; }

 private:
  struct Player;
  // One recorded thread while it is played. All of them are mapped before the clock starts.
  struct Running {
    Replay* replay;
    std::uint32_t number;
    pthread_t thread;
    Op* buffer;  // of a thread of a streamed trace
    workloads::Tally tally;
    Running* next_finished;
  };

  static constexpr std::size_t kBufferBytes = ReplayProgram::kMaxChunkOps * sizeof(Op);

  static void* thread_body(void* argument);
  static void clear(Cell& cell);
  workloads::Tally run_once();
  void start_thread(std::uint32_t number);
  void add_finished(Running& running);
  std::uint32_t join_finished();
  void free_left_over(workloads::Tally& tally);
  void measure_own_cost();

  ReplayProgram program_;
  Touch touch_;
  std::int64_t start_ns_ = 0;  // of the iteration
  workloads::MappedArray<Cell> cells_;
  workloads::MappedArray<Running> running_;  // one for each recorded thread
  void (*free_sized_)(void*, std::size_t);   // C23's, where the allocator under test has it
  std::atomic<Running*> finished_{nullptr};  // threads that have played all and are not joined yet
  std::atomic<std::size_t> joined_{0};       // in this iteration
  double own_ns_per_operation_ = 0;
  double own_seconds_ = 0;  // of one iteration
};

// Registers trace/NAME, NAME being the file's without `.trace`. Throws TraceError if the file is no
// trace.
std::string register_trace(const std::filesystem::path& path);
// All *.trace of a folder, in order of name; a message for each that cannot be used.
std::vector<std::string> register_traces(const std::filesystem::path& folder);

}  // namespace trace
