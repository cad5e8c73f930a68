// A workload on some number of threads, in worker processes.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "bench/cells/cell.hpp"

namespace bench {

struct WorkerCellOptions {
  double min_time_s = 0.1;
  double timeout_s = 60;
  std::optional<std::int64_t> iterations;  // fixed by the user: nothing is calibrated
  std::uint64_t seed = 1;
  int memory_blocks = 0;                   // in these many blocks also a run that samples memory
  std::vector<double> drain_s;
  std::optional<allocators::Candidate> counter;  // the allocator that counts live bytes, if it is there
};

class WorkerCell final : public Cell {
 public:
  WorkerCell(std::string workload, int threads, Kind kind, WorkerCellOptions options)
      : Cell(std::move(workload), threads, kind), options_(std::move(options)) {}

  Attempt prepare(Launcher& launcher, const allocators::Candidate& baseline) override;
  [[nodiscard]] nlohmann::json state() const override;
  void restore(const nlohmann::json& state) override;
  Measured measure(Launcher& launcher, const allocators::Candidate& allocator, int block) override;

 private:
  [[nodiscard]] worker::Request request(worker::Mode mode) const;
  // Runs a worker that must do the baseline's work.
  Attempt run_checked(Launcher& launcher, worker::Request request, const allocators::Candidate& allocator, double timeout_s) const;
  // Turns an attempt whose work differs from the baseline's into a WRONG one.
  void check_work(Attempt& attempt) const;
  void count_live_bytes(Launcher& launcher, Attempt& cell);
  void add_failure(const Attempt& attempt, const Sample& blank, Measured& into) const;
  void add_timed(const nlohmann::json& result, double peak_bytes, const Sample& blank, Measured& into) const;
  void add_memory(const nlohmann::json& result, const Sample& blank, Measured& into) const;

  WorkerCellOptions options_;

  // Found by prepare().
  std::int64_t iterations_ = 0;        // on each thread
  std::uint64_t operations_ = 0;       // of all threads
  std::uint64_t checksum_ = 0;
  std::uint64_t live_peak_bytes_ = 0;  // 0: not counted
};

}  // namespace bench
