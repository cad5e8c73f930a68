#include "bench/cells/turn_taking.hpp"

#include <sched.h>
#include <signal.h>
#include <sys/stat.h>

#include <algorithm>
#include <memory>
#include <numeric>
#include <thread>

#include "bench/measure/clock.hpp"

namespace bench {
namespace {

constexpr std::int64_t kLookIntervalNs = 2'000'000;  // at memory while a slice goes on
constexpr int kAnyCpu = -1;
constexpr std::int64_t kSlicesOnACpu = 8;            // then caches are cold once, for all alike
constexpr double kPatienceAtEndS = 30;               // for a worker to write its result and end

double seconds_since(std::int64_t start_ns) { return static_cast<double>(monotonic_ns() - start_ns) * 1e-9; }

// One worker among those that take turns.
class Player {
 public:
  Player(Launcher& launcher, const worker::Request& request, const allocators::Candidate& allocator, const TurnOptions& options,
         std::size_t number)
      : launcher_(launcher),
        options_(options),
        slices_(options.cut.slices()),
        turns_file_(launcher.scratch() / ((number < 10 ? "turns-0" : "turns-") + std::to_string(number))),
        turns_(worker::MappedTurns::create(turns_file_, slices_)) {
    worker::Request own = request;
    own.turns = turns_file_;
    running_ = launcher_.start(std::move(own), allocator, number);
  }

  // Lets it do a stage, and waits for that. Nothing happens once it has ended or has to be ended. If it has one thread only, that
  // runs on `cpu`.
  void play(std::int64_t stage, int cpu = kAnyCpu) {
    if (!is_playing()) {
      return;
    }
    if (cpu != kAnyCpu && !has_others_) {
      cpu_set_t one;
      CPU_ZERO(&one);
      CPU_SET(cpu, &one);
      sched_setaffinity(running_.child().process(), sizeof one, &one);  // refused: it stays where it is, and the figures scatter more
    }
    const std::int64_t start_ns = monotonic_ns();
    if (stage > 0) {
      worker::store_and_wake(turns_->granted, static_cast<std::uint32_t>(stage));
      resume();
    }
    await_done(stage, start_ns);
    spent_s_ += seconds_since(start_ns);
    if (!is_playing()) {
      return;
    }
    if (stage <= slices_) {
      note(stage);
    }
    pause();
  }

  // Of the last slice: what takes the kernel a while to say.
  void read_totals() {
    if (is_playing()) {
      track_.totals = mapping_totals(running_.child().process()).value_or(MappingTotals{});
      const auto memory = resident_memory(running_.child().process()).value_or(ResidentMemory{});
      track_.peak_rss_bytes = std::max({track_.peak_rss_bytes, memory.peak_bytes, track_.totals.resident_bytes});
    }
  }

  void read_idle(double after_s) {
    if (is_playing()) {
      track_.idle.emplace_back(after_s, reader_->read_bytes());
    }
  }

  TurnResult finish() {
    if (is_playing()) {
      worker::store_and_wake(turns_->granted, static_cast<std::uint32_t>(slices_ + 2));
      resume();
    }
    Attempt attempt = must_end_ ? launcher_.end(std::move(running_), options_.timeout_s)
                                : launcher_.finish(std::move(running_), kPatienceAtEndS);
    std::filesystem::remove(turns_file_);
    return {std::move(attempt), std::move(track_)};
  }

  [[nodiscard]] bool is_playing() { return running_.child().is_running() && !must_end_; }

 private:
  void await_done(std::int64_t stage, std::int64_t start_ns) {
    const auto wanted = static_cast<std::uint32_t>(stage + 1);
    std::int64_t seen_ns = start_ns;
    while (!worker::await_at_least(turns_->done, wanted, kLookIntervalNs)) {
      if (stage > 0 && stage <= slices_) {
        look(stage, seen_ns);
      }
      running_.child().reap();
      must_end_ = spent_s_ + seconds_since(start_ns) > options_.timeout_s || launcher_.signals().interrupted();
      if (!is_playing()) {
        return;
      }
    }
    if (stage > 0 && stage <= slices_) {
      look(stage, seen_ns);
    }
  }

  // The reading stands for the time since the last one.
  void look(std::int64_t slice, std::int64_t& seen_ns) {
    const auto index = static_cast<std::size_t>(slice - 1);
    track_.byte_seconds.resize(index + 1);
    track_.sampled_s.resize(index + 1);
    const std::uint64_t bytes = reader_->read_bytes();
    const std::int64_t now_ns = monotonic_ns();
    const double passed_s = static_cast<double>(now_ns - seen_ns) * 1e-9;
    track_.byte_seconds[index] += static_cast<double>(bytes) * passed_s;
    track_.sampled_s[index] += passed_s;
    track_.peak_rss_bytes = std::max(track_.peak_rss_bytes, bytes);
    seen_ns = now_ns;
  }

  void note(std::int64_t stage) {
    const worker::SliceRecord& record = turns_.slice(stage);
    track_.usage.push_back({static_cast<double>(record.user_us) * 1e-6, static_cast<double>(record.system_us) * 1e-6, record.minor_faults,
                            record.major_faults, record.voluntary_switches, record.involuntary_switches});
    if (stage == 0) {
      reader_ = std::make_unique<ResidentReader>(running_.child().process());
      track_.start_rss_bytes = reader_->read_bytes();
      return;
    }
    // relaxed: the slice is over, and that was acquired.
    const std::int64_t whole_ns = record.end_ns - record.start_ns.load(std::memory_order_relaxed);
    track_.seconds.push_back(static_cast<double>(std::max<std::int64_t>(1, whole_ns - record.waited_ns)) * 1e-9);
  }

  // Threads of the workload's own, or of the allocator's, go on when those that take turns wait.
  void pause() {
    struct stat status {};
    const std::string tasks = "/proc/" + std::to_string(running_.child().process()) + "/task";
    has_others_ = stat(tasks.c_str(), &status) == 0 && status.st_nlink > 2 + static_cast<nlink_t>(options_.threads);
    if (has_others_) {
      running_.child().send(SIGSTOP);
      is_stopped_ = true;
    }
  }

  void resume() {
    if (is_stopped_) {
      running_.child().send(SIGCONT);
      is_stopped_ = false;
    }
  }

  Launcher& launcher_;
  const TurnOptions& options_;
  const std::int64_t slices_;
  const std::filesystem::path turns_file_;
  const worker::MappedTurns turns_;
  RunningWorker running_;
  std::unique_ptr<ResidentReader> reader_;
  Track track_;
  double spent_s_ = 0;
  bool has_others_ = false;  // threads besides those that take turns
  bool is_stopped_ = false;
  bool must_end_ = false;
};

using Players = std::vector<std::unique_ptr<Player>>;

std::vector<int> usable_cpus() {
  cpu_set_t mine;
  std::vector<int> cpus;
  if (sched_getaffinity(0, sizeof mine, &mine) == 0) {
    for (int cpu = 0; cpu < CPU_SETSIZE; ++cpu) {
      if (CPU_ISSET(cpu, &mine)) {
        cpus.push_back(cpu);
      }
    }
  }
  return cpus;
}

// Rounds of slices: each order that is drawn is gone through forwards, then backwards. Workers of one thread do a slice on one and the same
// CPU: two CPUs are not equally fast, and a worker that waits and goes on stays on one of them by itself.
void play_slices(Players& players, const TurnOptions& options) {
  std::mt19937_64 random(options.order_seed);
  std::vector<std::size_t> order(players.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  const std::vector<int> cpus = options.threads == 1 ? usable_cpus() : std::vector<int>{};
  for (std::int64_t slice = 1; slice <= options.cut.slices(); ++slice) {
    const auto turn = static_cast<std::size_t>(slice / kSlicesOnACpu) + static_cast<std::size_t>(options.order_seed % 1024);
    const int cpu = cpus.empty() ? kAnyCpu : cpus[turn % cpus.size()];
    if (slice % 2 == 1) {
      for (std::size_t i = order.size(); i > 1; --i) {
        std::swap(order[i - 1], order[random() % i]);
      }
    } else {
      std::ranges::reverse(order);
    }
    for (const std::size_t index : order) {
      players[index]->play(slice, cpu);
    }
  }
}

void read_idle(Players& players, const TurnOptions& options, Signals& signals) {
  const std::int64_t start_ns = monotonic_ns();
  for (const double after_s : options.idle_s) {
    while (seconds_since(start_ns) < after_s && !signals.interrupted()) {
      const double left_s = after_s - seconds_since(start_ns);
      std::this_thread::sleep_for(std::chrono::duration<double>(std::clamp(left_s, 0.0, 0.05)));
    }
    for (auto& player : players) {
      player->read_idle(after_s);
    }
  }
}

}  // namespace

double Track::mean_rss_bytes(std::size_t first) const {
  double area = 0;
  double time_s = 0;
  for (std::size_t slice = first; slice < byte_seconds.size(); ++slice) {
    area += byte_seconds[slice];
    time_s += sampled_s[slice];
  }
  return time_s > 0 ? area / time_s : 0;
}

SliceCosts Track::costs() const {
  SliceCosts out{seconds, {}, {}};
  for (std::size_t slice = 1; slice < usage.size(); ++slice) {
    const Usage own = usage[slice] - usage[slice - 1];
    out.cpu_s.push_back(own.user_s + own.system_s);
    out.preempted.push_back(static_cast<std::int64_t>(own.involuntary_switches));
  }
  return out;
}

std::vector<TurnResult> take_turns(Launcher& launcher, const worker::Request& request,
                                   std::span<const allocators::Candidate* const> allocators, const TurnOptions& options) {
  Players players;
  for (const auto* allocator : allocators) {
    players.push_back(std::make_unique<Player>(launcher, request, *allocator, options, players.size()));
  }
  for (auto& player : players) {
    player->play(0);  // they build their workloads side by side: that is not timed
  }
  play_slices(players, options);
  for (auto& player : players) {
    player->read_totals();
  }
  for (auto& player : players) {
    player->play(options.cut.slices() + 1);
  }
  if (!options.idle_s.empty()) {
    read_idle(players, options, launcher.signals());
  }
  std::vector<TurnResult> results;
  for (auto& player : players) {
    results.push_back(player->finish());
  }
  return results;
}

}  // namespace bench
