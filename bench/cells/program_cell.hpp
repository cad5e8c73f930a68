// A real program, started under each allocator and measured with all its children.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "bench/cells/cell.hpp"
#include "bench/plan/exec_program.hpp"
#include "bench/process/exec_tree.hpp"

namespace bench {

class ProgramCell final : public Cell {
 public:
  ProgramCell(Program program, double timeout_s)
      : Cell(program.name, 1, Kind::kPrograms), program_(std::move(program)), timeout_s_(timeout_s) {}

  Attempt prepare(Launcher& launcher, const allocators::Candidate& baseline) override;
  [[nodiscard]] nlohmann::json state() const override;
  void restore(const nlohmann::json& state) override;
  std::vector<Measured> measure(Launcher& launcher, std::span<const allocators::Candidate* const> allocators,
                                const Block& block) override;

 private:
  Measured measure_one(Launcher& launcher, const allocators::Candidate& allocator, int block);
  struct Outcome {
    Attempt attempt;
    double wall_s = 0;             // of the program, or of a server's load
    Usage usage;                   // of the program and all its children
    std::optional<double> metric;  // mean of all matches
  };

  // Fills in the folders and makes what the program reads, once in this process.
  Attempt set_up(Launcher& launcher);
  // A command of the program's that is not measured.
  Attempt run_helper(Launcher& launcher, const std::vector<std::string>& words, const char* output, const Watch* watch = nullptr) const;
  [[nodiscard]] Command command(Launcher& launcher, const allocators::Candidate& allocator) const;
  // Asks the loader what it would load, so that a run under another allocator than the one named cannot pass.
  Attempt prove_preload(Launcher& launcher, const allocators::Candidate& allocator) const;
  Outcome run_once(Launcher& launcher, const allocators::Candidate& allocator, TreeSampler* sampler);
  Outcome run_program(Launcher& launcher, const Command& command, const allocators::Candidate& allocator, TreeSampler* sampler);
  Outcome run_server(Launcher& launcher, const Command& command, const allocators::Candidate& allocator, TreeSampler* sampler);
  static void end_rest(const Finished& finished, Outcome& outcome);
  // What was timed, and the memory of a second run.
  Measured with_memory(Launcher& launcher, const allocators::Candidate& allocator, Measured timed, const Sample& empty);
  Attempt await_ready(Launcher& launcher, Child& server) const;
  void read_output(Launcher& launcher, Outcome& outcome) const;

  Program program_;
  const double timeout_s_;
  bool is_set_up_ = false;
  std::vector<std::string> proved_;      // names of allocators that the loader was asked about
  std::string output_digest_;            // of the baseline's stdout; empty: not checked
  bool is_memory_seen_ = true;           // false: it ends before enough looks at its memory are taken
};

}  // namespace bench
