// A cell: one piece of work that every allocator does, in every block.
#pragma once

#include <cstdint>
#include <memory>
#include <nlohmann/json.hpp>
#include <span>
#include <string>
#include <vector>

#include "bench/allocators/allocator.hpp"
#include "bench/cells/launcher.hpp"
#include "bench/model/sample.hpp"

namespace bench {

// What one allocator gave in one block of a cell.
struct Measured {
  std::vector<Sample> samples;     // a failure is one sample without a metric
  nlohmann::json timelines = nlohmann::json::array();  // of runs that sampled memory: {"kind", "points", "phases"}
  nlohmann::json histograms = nlohmann::json::array();  // of times: {"function", "buckets": [[from_ns, to_ns, count], ...]}
  bool interrupted = false;        // the user asked to stop: samples are not to be kept
  std::string remark;              // what else the user should know; one line
  std::string remedy;              // and what to do about that
};

// Of an allocator that could not do the work: the one sample that says so.
Measured failure(const Attempt& attempt, Sample blank);

// One block of a cell: which one, who the others are compared with, and the seed of what is drawn in it.
struct Block {
  int number = 0;
  std::string baseline;  // its name; it may not be among those that are measured
  std::uint64_t seed = 1;
};

class Cell {
 public:
  Cell(std::string workload, int threads, Kind kind) : workload_(std::move(workload)), threads_(threads), kind_(kind) {}
  virtual ~Cell() = default;
  Cell(const Cell&) = delete;
  Cell& operator=(const Cell&) = delete;

  [[nodiscard]] const std::string& workload() const { return workload_; }
  [[nodiscard]] int threads() const { return threads_; }
  [[nodiscard]] Kind kind() const { return kind_; }
  [[nodiscard]] std::string label() const;

  // Fixes under the baseline allocator what all allocators then do alike: the iteration count, the result to expect.
  // Once, before any measure(). A failure is that of the whole cell.
  virtual Attempt prepare(Launcher& launcher, const allocators::Candidate& baseline) = 0;
  // What prepare() found, to go on later without it.
  [[nodiscard]] virtual nlohmann::json state() const = 0;
  virtual void restore(const nlohmann::json& state) = 0;

  // One result for each allocator, in their order. Fewer if the user interrupted it: the last one then says so.
  virtual std::vector<Measured> measure(Launcher& launcher, std::span<const allocators::Candidate* const> allocators,
                                        const Block& block) = 0;

 protected:
  // A sample of this cell without a value.
  [[nodiscard]] Sample blank(const allocators::Candidate& allocator, int block) const;

 private:
  std::string workload_;
  int threads_;
  Kind kind_;
};

}  // namespace bench
