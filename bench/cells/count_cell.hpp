// Instructions of a workload: by callgrind, the same twice whatever else the machine does; or by the CPU's counters.
#pragma once

#include <span>
#include <vector>

#include "bench/cells/cell.hpp"
#include "bench/cells/worker_cell.hpp"
#include "bench/protocol/outcome.hpp"

namespace bench {

class CountCell final : public Cell {
 public:
  enum class By { kCallgrind, kCpu };

  // So many iterations: nothing is calibrated, so that a count does not depend on the machine's speed.
  CountCell(std::string workload, int threads, Kind kind, WorkerCellOptions options, By by)
      : Cell(std::move(workload), threads, kind), options_(std::move(options)), by_(by) {}

  Attempt prepare(Launcher& launcher, const allocators::Candidate& baseline) override;
  [[nodiscard]] nlohmann::json state() const override;
  void restore(const nlohmann::json& state) override;
  std::vector<Measured> measure(Launcher& launcher, std::span<const allocators::Candidate* const> allocators,
                                const Block& block) override;

 private:
  Measured measure_one(Launcher& launcher, const allocators::Candidate& allocator, int block);

  const WorkerCellOptions options_;
  const By by_;
};

}  // namespace bench
