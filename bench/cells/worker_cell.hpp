// A workload on some number of threads, in worker processes.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "bench/cells/cell.hpp"
#include "bench/cells/turn_taking.hpp"
#include "bench/protocol/outcome.hpp"

namespace bench {

struct WorkerCellOptions {
  double min_time_s = 0.1;                 // of the steady phase, under the baseline
  double timeout_s = 60;                   // of one worker's own turns
  std::optional<std::int64_t> iterations;  // fixed by the user, in all
  std::uint64_t seed = 1;
  int memory_blocks = 0;                   // in these many blocks also a run that samples memory and then idles, with a call now and then
  std::vector<double> drain_s;             // when memory is read after the work, in those blocks
  std::optional<allocators::Candidate> counter;  // the allocator that counts live bytes, if it is there
};

class WorkerCell final : public Cell {
 public:
  WorkerCell(std::string workload, int threads, Kind kind, WorkerCellOptions options)
      : Cell(std::move(workload), threads, kind), options_(std::move(options)) {}

  Attempt prepare(Launcher& launcher, const allocators::Candidate& baseline) override;
  [[nodiscard]] nlohmann::json state() const override;
  void restore(const nlohmann::json& state) override;
  std::vector<Measured> measure(Launcher& launcher, std::span<const allocators::Candidate* const> allocators,
                                const Block& block) override;

 private:
  using Allocators = std::span<const allocators::Candidate* const>;

  // What one worker gave in a block, and what it is to be compared by.
  struct Result {
    Attempt attempt;
    worker::Outcome outcome;  // if attempt.status is kOk
    Track track;
  };

  [[nodiscard]] worker::Request request(worker::Mode mode) const;
  void count_live_bytes(Launcher& launcher, Attempt& cell);
  // Reads the outcome; an attempt that lacks one, or whose work differs from the baseline's, becomes a failure.
  void read_outcome(Result& result) const;
  void check_work(Attempt& attempt, const worker::Outcome& outcome) const;
  // The work that all must do is what the baseline did, or whoever did any.
  void learn_work(const std::vector<Result>& results, std::size_t baseline);
  // Takes what a workload's own machinery took from each slice: the same for all, since its measurement is not exact.
  void subtract_own_time(std::vector<Result>& results) const;
  void add_steady(const Result& result, std::size_t first, std::optional<double> log_ratio, const Sample& blank, Measured& into) const;
  void add_memory(const Result& result, std::size_t first, double peak_bytes, const Sample& blank, Measured& into) const;
  // The peak above the start, of a page's precision where `counted` (or null) helps.
  static double peak_of(const Result& timed, const Result* counted);
  static void add_counted(const Result& counted, const Sample& blank, Measured& into);
  static void add_timeline(const Result& sampled, const Sample& blank, Measured& into);
  // Of those that are not null; null if all went well.
  static const Result* first_failure(std::initializer_list<const Result*> results);

  // Runs of their own, which are not timed. By allocator.
  struct Extras {
    std::vector<bool> is_new;             // it has just been counted
    std::vector<const Result*> counted;   // kept for the whole run; null: the kernel cannot
    std::vector<Result> sampled;          // if asked for: memory over time, then idle with calls
  };
  Extras run_extras(Launcher& launcher, Allocators allocators, bool reads_memory);
  // A result for each allocator.
  std::vector<Result> run_side_by_side(Launcher& launcher, const worker::Request& request, Allocators allocators, double timeout_s) const;

  WorkerCellOptions options_;

  // Found by prepare().
  worker::Cut cut_;
  std::uint64_t operations_ = 0;       // of all threads; 0: not known yet
  std::uint64_t checksum_ = 0;
  std::uint64_t live_peak_bytes_ = 0;  // 0: not counted
  double live_mean_bytes_ = 0;

  std::map<std::string, Result> counted_;  // by allocator: the run that counts purges and sees each page of the peak
};

}  // namespace bench
