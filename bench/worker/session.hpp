// One workload at work in this process: built, run by Google Benchmark, observed and destroyed.
//
// Google Benchmark calls back through plain functions, so there is one Session at a time. All but run_thread() are
// called by the main thread.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "bench/allocators/allocator.hpp"
#include "bench/measure/peak_watch.hpp"
#include "bench/measure/process_memory.hpp"
#include "bench/measure/timeline.hpp"
#include "bench/measure/usage.hpp"
#include "bench/protocol/request.hpp"
#include "workloads/registry.hpp"

namespace bench::worker {

// Memory at one moment after the work.
struct DrainReading {
  double after_s;
  std::uint64_t resident_bytes;
};

// What a run of the workload gave. The last run of a calibration is the one that counts.
struct Outcome {
  std::uint64_t operations = 0;
  std::uint64_t checksum = 0;
  std::int64_t iterations = 0;        // on each thread
  double wall_s = 0;                  // from the first thread's start to the last one's end
  Usage usage;                        // of that and of starting the threads
  bool peak_was_reset = false;        // false: peak_bytes includes the program's start
  std::uint64_t initial_rss_bytes = 0;  // after the workload was built
  ResidentMemory before;              // the same with all code mapped in: what the peak is counted from
  ResidentMemory after;               // when all threads had ended; peak_bytes is that of the run
  std::uint64_t live_before_bytes = 0;
  std::uint64_t live_peak_bytes = 0;  // of a counting run
  std::optional<allocators::Stats> stats;
  std::vector<DrainReading> drained;
};

class Session {
 public:
  // `allocator` outlives the session.
  Session(const Request& request, workloads::Selection selection, const allocators::Allocator& allocator);
  ~Session();
  Session(const Session&) = delete;
  Session& operator=(const Session&) = delete;

  // Throws std::runtime_error if Google Benchmark ran nothing or a thread threw.
  void run_all();

  [[nodiscard]] const Outcome& outcome() const { return outcome_; }
  [[nodiscard]] const workloads::Selection& selection() const { return selection_; }
  [[nodiscard]] const Timeline* timeline() const { return timeline_.get(); }
  // Counters that Google Benchmark's own flags asked for, by name.
  [[nodiscard]] const std::vector<std::pair<std::string, double>>& counters() const { return counters_; }

  // The callbacks' bodies; public for them only.
  void build();
  void run_thread(int thread_index, std::int64_t iterations);
  void tear_down();
  void keep_error(std::string message);

 private:
  void start_observing();
  void observe_drain();

  const Request& request_;
  const workloads::Selection selection_;
  const allocators::Allocator& allocator_;
  const workloads::Setup setup_;
  std::unique_ptr<workloads::Workload> workload_;
  std::unique_ptr<Timeline> timeline_;
  PeakWatch* peak_watch_ = nullptr;  // of a run for the exact peak
  std::uint64_t (*live_now_)() = nullptr;
  std::uint64_t (*live_peak_)() = nullptr;
  void (*live_reset_peak_)() = nullptr;

  Usage usage_before_;
  Outcome outcome_;
  std::vector<std::pair<std::string, double>> counters_;

  // Added to by all threads of a run.
  std::atomic<std::uint64_t> operations_{0};
  std::atomic<std::uint64_t> checksum_{0};
  std::atomic<std::int64_t> first_start_ns_{0};
  std::atomic<std::int64_t> last_end_ns_{0};
  std::atomic<bool> failed_{false};
  std::string error_;  // of the thread that set failed_
  std::string nothing_left_;  // why the last run has no time of its own; empty: it has
};

}  // namespace bench::worker
