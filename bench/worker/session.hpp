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
#include "bench/measure/call_timer/call_timer.hpp"
#include "bench/measure/instructions.hpp"
#include "bench/measure/peak_watch.hpp"
#include "bench/measure/timeline.hpp"
#include "bench/measure/usage.hpp"
#include "bench/protocol/outcome.hpp"
#include "bench/protocol/request.hpp"
#include "bench/worker/turn_pace.hpp"
#include "workloads/registry.hpp"

namespace bench::worker {

class Session {
 public:
  // `allocator` outlives the session.
  Session(const Request& request, workloads::Selection selection, const allocators::Allocator& allocator);
  ~Session();
  Session(const Session&) = delete;
  Session& operator=(const Session&) = delete;

  // Does what the request's mode asks for. Throws std::runtime_error if Google Benchmark ran nothing, or if no time is left to
  // measure. A thread that throws ends the process.
  void run_all();

  [[nodiscard]] const Outcome& outcome() const { return outcome_; }
  [[nodiscard]] const workloads::Selection& selection() const { return selection_; }
  [[nodiscard]] const Timeline* timeline() const { return timeline_.get(); }
  // The callbacks' bodies; public for them only.
  void build();
  void run_thread(int thread_index);
  void tear_down();

 private:
  // Builds the workload, lets it do that much, and destroys it. The last one's outcome counts.
  void run_once(Cut cut);
  void calibrate();
  // So much of the work as the counter of live bytes does in a bearable time.
  void count_live();
  // Of the slices after the first.
  [[nodiscard]] double median_slice_seconds() const;
  void start_observing();
  void take_readings();
  void observe_drain();

  const Request& request_;
  const workloads::Selection selection_;
  const allocators::Allocator& allocator_;
  const workloads::Setup setup_;
  std::unique_ptr<workloads::Workload> workload_;
  std::unique_ptr<Timeline> timeline_;
  PeakWatch* peak_watch_ = nullptr;  // of a run for the exact peak
  InstructionCounter instructions_;  // of kCount
  CallTimer call_timer_;             // of a run that times every call
  std::uint64_t (*live_now_)() = nullptr;
  std::uint64_t (*live_peak_)() = nullptr;
  void (*live_reset_peak_)() = nullptr;

  Cut cut_;  // of the run under way
  std::optional<TurnPace> pace_;
  Usage usage_before_;
  Outcome outcome_;

  // Added to by all threads of a run.
  std::atomic<std::uint64_t> operations_{0};
  std::atomic<std::uint64_t> checksum_{0};
  std::string nothing_left_;  // why the last run has no time of its own; empty: it has
};

}  // namespace bench::worker
