// The pace of a worker whose threads do their work in slices, and wait after each for the worker's next turn.
#pragma once

#include <sys/types.h>

#include <atomic>
#include <cstdint>
#include <optional>
#include <vector>

#include "bench/protocol/turns.hpp"
#include "workloads/steps.hpp"

namespace bench::worker {

class TurnPace final : public workloads::Pace {
 public:
  // `turns` has room for all slices of `cut`.
  TurnPace(MappedTurns turns, int threads, Cut cut);

  // Stage 0 is done: waits for the first slice. Main thread.
  void built();
  // A slice is over when the last thread has called it; the time until all may begin the next one belongs to none.
  std::int64_t next_slice(int thread_index) override;
  // The threads have ended, after the last slice: waits until the process may end. Main thread.
  void worked();

  [[nodiscard]] std::int64_t slices() const { return cut_.slices(); }
  // Wall time less what the only thread waited for a CPU. Valid once that slice is done.
  [[nodiscard]] double seconds_of(std::int64_t slice) const;
  [[nodiscard]] const SliceRecord& record(std::int64_t stage) const { return turns_.slice(stage); }

 private:
  struct alignas(64) Position {
    std::int64_t slice = 0;  // that the thread is in; 0: it has not begun
  };

  void begin(std::int64_t slice);
  void finish(std::int64_t slice);
  // Whether the calling thread did the slice that it has just done.
  [[nodiscard]] bool did_all_itself() const;

  const MappedTurns turns_;
  const Cut cut_;
  std::vector<Position> positions_;  // by thread, each its own
  std::atomic<std::size_t> arrived_{0};

  // Of a worker with one thread, as the slice began.
  struct Before {
    pid_t thread = 0;  // run() may be one of a workload's own threads
    std::optional<std::int64_t> waited_ns;
    std::int64_t thread_cpu_ns = 0;
    std::int64_t process_cpu_ns = 0;
  };
  Before before_;
};

}  // namespace bench::worker
