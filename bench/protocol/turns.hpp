// How workers take turns: memory that bench shares with one worker, and the stages that the worker goes through.
//
//   0          the workload is built, the clock has not started
//   1..S       slice k of the work, on all threads
//   S + 1      the rest of the work: what it frees at its end; its threads end
//   S + 2      the result is written, the process ends
//
// The worker begins stage k once `granted` is at least k, and says so in `done` (the number of stages that it has done) when it has
// done it. Between stages it waits in the kernel, so bench can read its memory and let another worker have the CPU.
#pragma once

#include <atomic>
#include <cstdint>
#include <filesystem>
#include <optional>

namespace bench::worker {

// What the process had used up at a slice's end, since its start; that of stage 0 when the workload was built.
struct SliceRecord {
  std::atomic<std::int64_t> start_ns;  // monotonic; of the first thread that began the slice; 0: none has
  std::int64_t end_ns;                 // when the last thread had done it
  std::int64_t waited_ns;              // of the slice, for a CPU, though it could have run: where one thread did all; else 0
  std::int64_t user_us;
  std::int64_t system_us;
  std::int64_t minor_faults;
  std::int64_t major_faults;
  std::int64_t voluntary_switches;
  std::int64_t involuntary_switches;
};

struct SharedTurns {
  std::atomic<std::uint32_t> granted;  // written by bench; futex
  std::atomic<std::uint32_t> done;     // written by the worker; futex
  SliceRecord slices[1];               // as many as the file has room for; [k] is valid when done > k
};

// The mapping of such a file. Not thread-safe but for what is atomic.
class MappedTurns {
 public:
  // A new file with room for stage 0 and that many slices. Throws std::runtime_error.
  static MappedTurns create(const std::filesystem::path& file, std::int64_t slices);
  // That of another process; throws std::runtime_error if it has not room for so many slices.
  static MappedTurns open(const std::filesystem::path& file, std::int64_t slices);
  // For a worker that shares it with nobody: every stage is granted. Throws std::runtime_error.
  static MappedTurns unshared(std::int64_t slices);

  ~MappedTurns();
  MappedTurns(MappedTurns&& other) noexcept;
  MappedTurns& operator=(MappedTurns&& other) noexcept;

  [[nodiscard]] SharedTurns& operator*() const { return *turns_; }
  [[nodiscard]] SharedTurns* operator->() const { return turns_; }
  // The stages 0 to k are the slices' own memory: never outside of it.
  [[nodiscard]] SliceRecord& slice(std::int64_t stage) const { return turns_->slices[stage]; }

 private:
  MappedTurns(int file, std::int64_t slices);

  SharedTurns* turns_ = nullptr;
  std::size_t bytes_ = 0;
};

// Waits until `word` is at least `value`: true; or for `limit_ns`: false. The word may lie in memory that processes share.
bool await_at_least(const std::atomic<std::uint32_t>& word, std::uint32_t value, std::optional<std::int64_t> limit_ns = std::nullopt);

// Stores and wakes everybody who waits for it.
void store_and_wake(std::atomic<std::uint32_t>& word, std::uint32_t value);

// How `iterations` are cut into slices of `slice_iterations` (0: one slice): the last one has what is left over beside.
struct Cut {
  std::int64_t iterations = 1;
  std::int64_t slice_iterations = 0;

  [[nodiscard]] std::int64_t slices() const;
  // Of slice `number`, from 1.
  [[nodiscard]] std::int64_t iterations_of(std::int64_t number) const;
};

}  // namespace bench::worker
