#include "bench/worker/session.hpp"

#include <benchmark/benchmark.h>
#include <dlfcn.h>

#include <chrono>
#include <cstdlib>
#include <limits>
#include <stdexcept>
#include <thread>

#include "bench/measure/clock.hpp"
#include "bench/worker/last_words.hpp"

namespace bench::worker {
namespace {

constexpr std::chrono::milliseconds kSamplingInterval{5};
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
      current->run_thread(state.thread_index(), state.max_iterations);
    } catch (const std::bad_alloc&) {
      end_for_want_of_memory();  // at once: other threads may wait for this one
    } catch (const std::exception& error) {
      current->keep_error(error.what());
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

void lower(std::atomic<std::int64_t>& target, std::int64_t value) {
  // relaxed: a running minimum; the threads are joined before it is read.
  std::int64_t seen = target.load(std::memory_order_relaxed);
  while (value < seen && !target.compare_exchange_weak(seen, value, std::memory_order_relaxed)) {
  }
}

void raise(std::atomic<std::int64_t>& target, std::int64_t value) {
  // relaxed: as in lower().
  std::int64_t seen = target.load(std::memory_order_relaxed);
  while (value > seen && !target.compare_exchange_weak(seen, value, std::memory_order_relaxed)) {
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
  current = this;
  workloads::set_phase_listener(mark_timeline);
}

Session::~Session() {
  workloads::set_phase_listener(nullptr);
  current = nullptr;
}

void Session::run_all() {
  auto* registered = benchmark::RegisterBenchmark(selection_.name().c_str(), run_body);
  registered->Threads(request_.threads)->UseRealTime()->Setup(set_up)->Teardown(worker::tear_down);
  if (request_.mode == Mode::kCalibrate) {
    registered->MinTime(request_.min_time_s);
  } else {
    registered->Iterations(request_.iterations);
  }
  CounterKeeper keeper(counters_);
  if (benchmark::RunSpecifiedBenchmarks(&keeper) != 1) {
    throw std::runtime_error("Google Benchmark ran nothing; a --benchmark_... flag keeps it from doing so");
  }
  // acquire: pairs with the release in keep_error(), so that error_ is whole.
  if (failed_.load(std::memory_order_acquire)) {
    throw std::runtime_error(error_);
  }
  if (!nothing_left_.empty()) {
    throw std::runtime_error(nothing_left_);
  }
}

void Session::build() {
  workload_ = selection_.entry.make(setup_);
  nothing_left_.clear();
  // relaxed: no other thread exists yet; starting one orders these before its work.
  operations_.store(0, std::memory_order_relaxed);
  checksum_.store(0, std::memory_order_relaxed);
  first_start_ns_.store(std::numeric_limits<std::int64_t>::max(), std::memory_order_relaxed);
  last_end_ns_.store(0, std::memory_order_relaxed);
  start_observing();
}

void Session::start_observing() {
  if (request_.mode == Mode::kLive || request_.mode == Mode::kMemory) {
    timeline_ = std::make_unique<Timeline>(kSamplingInterval, live_now_);
  }
  if (request_.mode == Mode::kPeak) {
    peak_watch_ = &PeakWatch::start();
  }
  outcome_.initial_rss_bytes = resident_memory().value_or(ResidentMemory{}).now_bytes;
  map_in_code();
  outcome_.peak_was_reset = reset_peak();
  outcome_.before = resident_memory().value_or(ResidentMemory{});
  if (peak_watch_ != nullptr) {
    peak_watch_->reset();
    outcome_.before.now_bytes = peak_watch_->peak_bytes();
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
}

void Session::run_thread(int thread_index, std::int64_t iterations) {
  const std::int64_t start_ns = monotonic_ns();
  const workloads::Tally tally = workload_->run(thread_index, iterations);
  const std::int64_t end_ns = monotonic_ns();
  lower(first_start_ns_, start_ns);
  raise(last_end_ns_, end_ns);
  // relaxed: sums; the threads are joined before they are read.
  operations_.fetch_add(tally.operations, std::memory_order_relaxed);
  checksum_.fetch_add(tally.checksum, std::memory_order_relaxed);
  if (thread_index == 0) {
    outcome_.iterations = iterations;
  }
}

void Session::keep_error(std::string message) {
  // acq_rel: the first thread alone writes error_; main reads it after joining all.
  if (!failed_.exchange(true, std::memory_order_acq_rel)) {
    error_ = std::move(message);
  }
}

void Session::tear_down() {
  set_recording(0);
  outcome_.usage = usage_so_far() - usage_before_;
  outcome_.after = resident_memory().value_or(ResidentMemory{});
  if (peak_watch_ != nullptr) {
    outcome_.after.peak_bytes = peak_watch_->peak_bytes();
  }
  if (live_peak_ != nullptr) {
    outcome_.live_peak_bytes = live_peak_();
  }
  outcome_.stats = allocator_.stats();
  // relaxed: all threads that added to these were joined.
  outcome_.operations = operations_.load(std::memory_order_relaxed);
  outcome_.checksum = checksum_.load(std::memory_order_relaxed);
  const double whole_s = static_cast<double>(last_end_ns_.load(std::memory_order_relaxed) -
                                             first_start_ns_.load(std::memory_order_relaxed)) * 1e-9;
  outcome_.wall_s = whole_s - workload_->own_seconds(outcome_.iterations);
  if (outcome_.wall_s < whole_s * kLeastShareOfWork) {
    nothing_left_ = "the time of the workload's own machinery (" + std::to_string(whole_s - outcome_.wall_s) + " s of " +
               std::to_string(whole_s) + " s) leaves nothing to measure; other programs disturb the run: end them and run again";
  }
  observe_drain();
  if (timeline_ != nullptr) {
    timeline_->stop();
  }
  workload_.reset();
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
    outcome_.drained.push_back({after_s, reader.read_bytes()});
  }
}

}  // namespace bench::worker
