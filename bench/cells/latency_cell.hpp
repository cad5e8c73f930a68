// The time of every call of a workload or trace, in runs of their own.
#pragma once

#include <span>
#include <vector>

#include "bench/cells/cell.hpp"
#include "bench/cells/worker_cell.hpp"
#include "bench/protocol/outcome.hpp"

namespace bench {

class LatencyCell final : public Cell {
 public:
  // Of the options the time, the iterations, the timeout and the seed apply.
  LatencyCell(std::string workload, int threads, Kind kind, WorkerCellOptions options)
      : Cell(std::move(workload), threads, kind), options_(std::move(options)) {}

  Attempt prepare(Launcher& launcher, const allocators::Candidate& baseline) override;
  [[nodiscard]] nlohmann::json state() const override;
  void restore(const nlohmann::json& state) override;
  // Each allocator by itself. In block 0 also a run that tells what the kernel did in the slowest calls.
  std::vector<Measured> measure(Launcher& launcher, std::span<const allocators::Candidate* const> allocators,
                                const Block& block) override;

 private:
  [[nodiscard]] worker::Request request(worker::Mode mode) const;
  // The outcome of a run behind the timer, if attempt.status is kOk.
  Attempt run_timed(Launcher& launcher, const allocators::Candidate& allocator, worker::Mode mode, worker::Outcome& outcome);
  Measured measure_one(Launcher& launcher, const allocators::Candidate& allocator, int block);

  const WorkerCellOptions options_;
  std::int64_t iterations_ = 1;
  std::uint64_t operations_ = 0;  // 0: not known yet
  std::uint64_t checksum_ = 0;
};

}  // namespace bench
