#include "bench/worker/session.hpp"

#include <benchmark/benchmark.h>
#include <dlfcn.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdlib>
#include <stdexcept>
#include <thread>

#include "bench/measure/clock.hpp"
#include "bench/measure/process_memory.hpp"
#include "bench/worker/last_words.hpp"
#include "bench/worker/result.hpp"
#include "workloads/requests.hpp"

namespace bench::worker {
namespace {

constexpr std::chrono::milliseconds kSamplingInterval{5};
constexpr std::chrono::milliseconds kServingInterval{20};  // beside work that is timed, which lasts
constexpr std::chrono::milliseconds kIdleCallInterval{10};
constexpr std::size_t kIdleCallBytes = 64;
constexpr double kLeastShareOfWork = 0.01;  // less than this of the whole time is no figure

// Google Benchmark's callbacks carry no argument of ours. Set while a Session lives; threads start after it is set.
Session* current = nullptr;

void set_up(const benchmark::State&) { current->build(); }
void tear_down(const benchmark::State&) { current->tear_down(); }

void run_body(benchmark::State& state) {
  // One batch of all iterations: the library's barriers release and join the threads, the loop is the workload's.
  while (state.KeepRunningBatch(state.max_iterations)) {
    try {
      current->run_thread(state.thread_index());
    } catch (...) {
      end_on_exception();  // at once: other threads may wait for this one
    }
  }
}

// Keeps the counters of the last run; prints nothing, since a worker's output is its result file.
class CounterKeeper : public benchmark::BenchmarkReporter {
 public:
  explicit CounterKeeper(std::vector<std::pair<std::string, double>>& out) : out_(out) {}
  bool ReportContext(const Context&) override { return true; }
  void ReportRuns(const std::vector<Run>& runs) override {
    for (const auto& run : runs) {
      if (run.run_type == Run::RT_Iteration) {
        out_.clear();
        for (const auto& [name, counter] : run.counters) {
          out_.emplace_back(name, counter.value);
        }
      }
    }
  }

 private:
  std::vector<std::pair<std::string, double>>& out_;
};

template <typename Function>
Function* counter_function(const char* name) {
  auto* found = reinterpret_cast<Function*>(dlsym(RTLD_DEFAULT, name));
  if (found == nullptr) {
    throw std::runtime_error(std::string("a counting run needs libosmem-live-bytes.so: nobody defines ") + name);
  }
  return found;
}

void mark_timeline(const char* name) {
  if (current != nullptr && current->timeline() != nullptr) {
    const_cast<Timeline*>(current->timeline())->mark(name);
  }
}

// Where the process runs under the recorder of traces, and that was started paused, it records the work alone.
void set_recording(int on) {
  if (auto* gate = reinterpret_cast<void (*)(int)>(dlsym(RTLD_DEFAULT, "osmem_recorder_gate")); gate != nullptr) {
    gate(on);
  }
}

}  // namespace

Session::Session(const Request& request, workloads::Selection selection, const allocators::Allocator& allocator)
    : request_(request),
      selection_(std::move(selection)),
      allocator_(allocator),
      setup_(selection_.setup(request.threads, request.seed)) {
  if (request.mode == Mode::kLive) {
    live_now_ = counter_function<std::uint64_t()>("live_bytes_now");
    live_peak_ = counter_function<std::uint64_t()>("live_bytes_peak");
    live_reset_peak_ = counter_function<void()>("live_bytes_reset_peak");
  }
  if (request.mode == Mode::kLatency || request.mode == Mode::kExplain) {
    call_timer_ = find_call_timer();
    if (call_timer_.start == nullptr) {
      throw std::runtime_error("a run that times calls needs libosmem-call-timer.so preloaded in front of the allocator");
    }
  }
  current = this;
  workloads::set_phase_listener(mark_timeline);
}

Session::~Session() {
  workloads::set_phase_listener(nullptr);
  current = nullptr;
}

void Session::run_all() {
  if (request_.mode == Mode::kCalibrate) {
    calibrate();
  } else if (request_.mode == Mode::kLive) {
    count_live();
  } else {
    run_once({request_.iterations, request_.slice_iterations});
  }
  if (!nothing_left_.empty()) {
    throw std::runtime_error(nothing_left_);
  }
}

void Session::run_once(Cut cut) {
  cut_ = cut;
  auto* registered = benchmark::RegisterBenchmark(selection_.name().c_str(), run_body);
  registered->Threads(request_.threads)->UseRealTime()->Setup(set_up)->Teardown(worker::tear_down)->Iterations(cut.iterations);
  CounterKeeper keeper(outcome_.counters);
  if (benchmark::RunSpecifiedBenchmarks(&keeper) != 1) {
    throw std::runtime_error("Google Benchmark ran nothing; a --benchmark_... flag keeps it from doing so");
  }
  benchmark::ClearRegisteredBenchmarks();
  for (const auto& count : instructions_.counts()) {
    outcome_.counters.push_back(count);
  }
}

double Session::median_slice_seconds() const {
  std::vector<double> times;
  for (std::int64_t slice = std::min<std::int64_t>(2, pace_->slices()); slice <= pace_->slices(); ++slice) {
    times.push_back(pace_->seconds_of(slice));
  }
  std::ranges::nth_element(times, times.begin() + static_cast<std::ptrdiff_t>(times.size() / 2));
  return times[times.size() / 2];
}

void Session::calibrate() {
  constexpr double kPreciseS = 0.2 * kSliceSeconds;  // a slice of that time tells how long others are
  constexpr double kMostGrowth = 4096;
  constexpr std::int64_t kSlices = 4;  // the first one fills the heap
  run_once({2, 1});
  std::int64_t slice = 1;
  double seconds = median_slice_seconds();
  while (seconds < kPreciseS) {
    slice *= static_cast<std::int64_t>(std::clamp(2 * kPreciseS / std::max(seconds, 1e-9), 2.0, kMostGrowth));
    run_once({slice * kSlices, slice});
    seconds = median_slice_seconds();
  }
  const double per_iteration_s = seconds / static_cast<double>(slice);
  outcome_.slice_iterations = std::max<std::int64_t>(1, std::llround(kSliceSeconds / per_iteration_s));
  outcome_.slice_s = per_iteration_s * static_cast<double>(outcome_.slice_iterations);
}

void Session::count_live() {
  constexpr double kBearableS = 5;
  Cut cut{request_.iterations, request_.slice_iterations};
  if (cut.slices() > 2) {
    run_once({2 * cut.slice_iterations, cut.slice_iterations});
    const double bearable = std::max(2.0, kBearableS / median_slice_seconds());
    if (bearable < static_cast<double>(cut.slices())) {
      cut.iterations = cut.slice_iterations * static_cast<std::int64_t>(bearable);
    }
  }
  run_once(cut);
}

void Session::build() {
  workload_ = selection_.entry.make(setup_);
  nothing_left_.clear();
  // relaxed: no other thread exists yet; starting one orders these before its work.
  operations_.store(0, std::memory_order_relaxed);
  checksum_.store(0, std::memory_order_relaxed);
  pace_.emplace(request_.turns.empty() ? MappedTurns::unshared(cut_.slices()) : MappedTurns::open(request_.turns, cut_.slices()),
                request_.threads, cut_);
  start_observing();
  pace_->built();
}

void Session::start_observing() {
  if (request_.mode == Mode::kLive || request_.mode == Mode::kMemory) {
    timeline_ = std::make_unique<Timeline>(kSamplingInterval, live_now_);
  }
  if (request_.mode == Mode::kServe) {
    timeline_ = std::make_unique<Timeline>(kServingInterval, workloads::RequestLog::live_bytes);
  }
  if (request_.mode == Mode::kPeak) {
    peak_watch_ = &PeakWatch::start();
  }
  outcome_.initial_rss_bytes = resident_memory().value_or(ResidentMemory{}).now_bytes;
  map_in_code();
  outcome_.peak_was_reset = reset_peak();
  outcome_.start_rss_bytes = resident_memory().value_or(ResidentMemory{}).now_bytes;
  if (peak_watch_ != nullptr) {
    peak_watch_->reset();
    outcome_.start_rss_bytes = peak_watch_->peak_bytes();
  }
  if (live_reset_peak_ != nullptr) {
    live_reset_peak_();
    outcome_.live_before_bytes = live_now_();
  }
  if (timeline_ != nullptr) {
    timeline_->start();
  }
  usage_before_ = usage_so_far();
  set_recording(1);
  if (call_timer_.start != nullptr) {
    call_timer_.start(request_.mode == Mode::kExplain);
  }
  if (request_.mode == Mode::kCount) {
    instructions_.start();
  }
}

void Session::run_thread(int thread_index) {
  workloads::Steps steps(cut_.iterations, *pace_, thread_index);
  const workloads::Tally tally = workload_->run(thread_index, steps);
  // relaxed: sums; the threads are joined before they are read.
  operations_.fetch_add(tally.operations, std::memory_order_relaxed);
  checksum_.fetch_add(tally.checksum, std::memory_order_relaxed);
}

void Session::tear_down() {
  if (request_.mode == Mode::kCount) {
    instructions_.stop();
  }
  if (call_timer_.stop != nullptr) {
    static CallTimes times;  // no block of the allocator's
    call_timer_.stop(&times);
    outcome_.calls = describe(times);
  }
  set_recording(0);
  take_readings();
  observe_drain();
  if (timeline_ != nullptr) {
    timeline_->stop();
  }
  if (const auto* log = workloads::RequestLog::current(); log != nullptr && request_.mode == Mode::kServe) {
    outcome_.requests = describe(*log);
  }
  pace_->worked();
  workload_.reset();
}

void Session::take_readings() {
  const Usage usage = usage_so_far() - usage_before_;
  const ResidentMemory after = resident_memory().value_or(ResidentMemory{});
  outcome_.user_s = usage.user_s;
  outcome_.system_s = usage.system_s;
  outcome_.minor_faults = usage.minor_faults;
  outcome_.major_faults = usage.major_faults;
  outcome_.voluntary_switches = usage.voluntary_switches;
  outcome_.involuntary_switches = usage.involuntary_switches;
  outcome_.end_rss_bytes = after.now_bytes;
  outcome_.peak_rss_bytes = after.peak_bytes;
  if (peak_watch_ != nullptr) {
    outcome_.peak_rss_bytes = peak_watch_->peak_bytes();
    outcome_.purge_calls = peak_watch_->purge_calls();
    outcome_.purge_pages = peak_watch_->purge_pages();
  }
  if (live_peak_ != nullptr) {
    outcome_.live_peak_bytes = live_peak_();
  }
  outcome_.stats = describe(allocator_.stats());
  // relaxed: all threads that added to these were joined.
  outcome_.operations = operations_.load(std::memory_order_relaxed);
  outcome_.checksum = checksum_.load(std::memory_order_relaxed);
  outcome_.iterations = cut_.iterations;
  outcome_.own_s = workload_->own_seconds(1);
  double whole_s = 0;
  for (std::int64_t slice = 1; slice <= pace_->slices(); ++slice) {
    whole_s += pace_->seconds_of(slice);
  }
  outcome_.wall_s = whole_s - outcome_.own_s * static_cast<double>(cut_.iterations);
  if (outcome_.wall_s < whole_s * kLeastShareOfWork) {
    nothing_left_ = "the time of the workload's own machinery (" + std::to_string(whole_s - outcome_.wall_s) + " s of " +
                    std::to_string(whole_s) + " s) leaves nothing to measure; other programs disturb the run: end them and run again";
  }
}

// Waits as an idle server would: one thread calls malloc now and then, which is when many allocators age their caches.
void Session::observe_drain() {
  const ResidentReader reader;
  const std::int64_t start_ns = monotonic_ns();
  for (const double after_s : request_.drain_s) {
    while (static_cast<double>(monotonic_ns() - start_ns) * 1e-9 < after_s) {
      void* volatile block = std::malloc(kIdleCallBytes);
      std::free(block);
      std::this_thread::sleep_for(kIdleCallInterval);
    }
    outcome_.drained.emplace_back(after_s, reader.read_bytes());
  }
}

}  // namespace bench::worker
