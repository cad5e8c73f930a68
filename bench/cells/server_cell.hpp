// A server workload: minutes long, hundreds of MiB, whole runs of one allocator after the other, each alone on the machine.
#pragma once

#include <span>
#include <vector>

#include "bench/cells/cell.hpp"
#include "bench/cells/worker_cell.hpp"
#include "bench/protocol/outcome.hpp"

namespace bench {

class ServerCell final : public Cell {
 public:
  // Of the options the iterations, the timeout and the seed apply. Its work is fixed, so nothing is calibrated.
  ServerCell(std::string workload, int threads, Kind kind, WorkerCellOptions options)
      : Cell(std::move(workload), threads, kind), options_(std::move(options)) {}

  Attempt prepare(Launcher& launcher, const allocators::Candidate& baseline) override;
  [[nodiscard]] nlohmann::json state() const override;
  void restore(const nlohmann::json& state) override;
  std::vector<Measured> measure(Launcher& launcher, std::span<const allocators::Candidate* const> allocators,
                                const Block& block) override;

 private:
  Measured measure_one(Launcher& launcher, const allocators::Candidate& allocator, int block);

  const WorkerCellOptions options_;
  std::uint64_t operations_ = 0;  // 0: not known yet
  std::uint64_t checksum_ = 0;
};

}  // namespace bench
