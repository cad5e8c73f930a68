// Carries out a plan: block after block, cell after cell, allocators in random order, results kept as they come.
#pragma once

#include <functional>
#include <map>
#include <random>
#include <set>
#include <span>
#include <string>
#include <tuple>
#include <vector>

#include "bench/run/plan.hpp"
#include "bench/run/progress.hpp"
#include "bench/run/run_record.hpp"

namespace bench {

// Who takes samples as they come. Throws OutputError if they cannot be kept.
class SampleSink {
 public:
  virtual ~SampleSink() = default;
  virtual void append(std::span<const Sample> samples) = 0;
  virtual void warn(Warning warning) = 0;
};

class Runner {
 public:
  // All outlive the runner.
  Runner(Plan& plan, Launcher& launcher, Progress& progress, RunRecord& record, SampleSink& sink)
      : plan_(plan), launcher_(launcher), progress_(progress), record_(record), sink_(sink), random_(plan.seed) {}

  // Samples of an earlier part of the run, which is not repeated.
  void skip(std::span<const Sample> done);
  // An allocator that cannot be put to work: each of its cells fails like this, and no process is started.
  void give_up_on(const std::string& allocator, Attempt failure);

  // False if the user interrupted it; what was measured until then is with the sink.
  bool run();
  // The same, of cells of which `wanted` says so just before their turn.
  bool run(const std::function<bool(const Cell&)>& wanted);
  // Blocks from `first` until before `end`, of those cells of which `wanted` says so just before their turn. Likewise.
  bool run_blocks(int first, int end, const std::function<bool(const Cell&)>& wanted);

 private:
  using Candidates = std::vector<const allocators::Candidate*>;
  using Done = std::tuple<int, std::string, int, std::string>;  // block, workload, threads, allocator

  bool run_cell(Cell& cell, int block);
  // Makes the cell ready; false if it cannot be, or the user interrupted.
  bool prepare(Cell& cell);
  void fail_everywhere(const Cell& cell, const Attempt& failure);
  // Measures these in that cell and keeps what they give; false if the user interrupted.
  bool keep(Cell& cell, int block, const Candidates& waiting, std::uint64_t seed);
  void expect_steps();
  [[nodiscard]] bool is_done(const Cell& cell, const allocators::Candidate& allocator, int block) const;

  Plan& plan_;
  Launcher& launcher_;
  Progress& progress_;
  RunRecord& record_;
  SampleSink& sink_;
  std::mt19937_64 random_;

  std::set<Done> done_;
  std::set<const Cell*> prepared_;
  std::set<const Cell*> dropped_;                                      // could not be prepared
  std::set<std::pair<const Cell*, std::string>> hopeless_;              // ran into the timeout
  std::map<std::string, Attempt> useless_allocators_;
};

}  // namespace bench
