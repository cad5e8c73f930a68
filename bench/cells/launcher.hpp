// Starts workers under allocators and tells what became of them.
#pragma once

#include <filesystem>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "bench/allocators/allocator.hpp"
#include "bench/cells/layout.hpp"
#include "bench/process/process.hpp"
#include "bench/model/sample.hpp"
#include "bench/protocol/request.hpp"

namespace bench {

// What one process gave. `result` is the worker's JSON, null unless status is kOk.
struct Attempt {
  Status status = Status::kOk;
  std::string detail;       // for a failure, one line
  bool interrupted = false; // ended by us because the user asked; neither a result nor a failure
  double wall_s = 0;        // of the whole process
  std::string remark;       // what else the user should know, though it did not fail; one line
  std::string remedy;       // and what to do about that
  nlohmann::json result;
};

// What stands around an allocator in a process that is measured in a way of its own.
struct Around {
  std::filesystem::path preload;     // a library in front of the allocator's; empty: none
  std::vector<std::string> wrapper;  // words before the worker's: a program that runs it
};

// The environment of a process under that allocator: LD_PRELOAD, the configuration's variables, and padding. Words and environment shift the
// stack, and so the alignment of everything on it: together they have the same size for all allocators, which changes from block to block with
// `padding_bytes`. `word_bytes` is what the command's words take.
std::vector<std::string> allocator_environment(const allocators::Candidate& allocator, std::size_t padding_bytes, std::size_t word_bytes = 0,
                                               const std::filesystem::path& preload = {});

// A worker that has been started, or could not be.
class RunningWorker {
 public:
  [[nodiscard]] Child& child() { return child_; }

 private:
  friend class Launcher;
  Child child_;
  std::filesystem::path result_file_;
  std::filesystem::path stderr_file_;
  std::string library_;   // as the worker was given it
  std::string original_;  // what users know it by; empty: the same
};

class Launcher {
 public:
  // Keeps files in `scratch`, which exists, while a process runs. `layout` and `signals` outlive the launcher.
  Launcher(const Layout& layout, std::filesystem::path scratch, Signals& signals)
      : layout_(layout), scratch_(std::move(scratch)), signals_(signals) {}

  // Google Benchmark's flags for every worker.
  void set_flags(std::vector<std::string> flags) { flags_ = std::move(flags); }
  // Shared objects with workloads of the user's.
  void set_modules(std::vector<std::filesystem::path> modules) { modules_ = std::move(modules); }
  void set_padding(std::size_t bytes) { padding_bytes_ = bytes; }

  // Fills in request.library, result, modules and module_folder.
  Attempt run(worker::Request request, const allocators::Candidate& allocator, double timeout_s, const Around& around = {});
  // The same in steps, for workers that run side by side; their numbers differ.
  RunningWorker start(worker::Request request, const allocators::Candidate& allocator, std::size_t number, const Around& around = {});
  // Waits for its end, for at most that long.
  Attempt finish(RunningWorker running, double timeout_s);
  // Ends it: it has had `timeout_s`, or the user asked to stop.
  Attempt end(RunningWorker running, double timeout_s);

  [[nodiscard]] const Layout& layout() const { return layout_; }
  [[nodiscard]] const std::filesystem::path& scratch() const { return scratch_; }
  [[nodiscard]] Signals& signals() { return signals_; }
  [[nodiscard]] std::size_t padding() const { return padding_bytes_; }

 private:
  // What became of one that is not running any more.
  static Attempt attempt_of(RunningWorker& running, double timeout_s);

  const Layout& layout_;
  std::filesystem::path scratch_;
  Signals& signals_;
  std::vector<std::string> flags_;
  std::vector<std::filesystem::path> modules_;
  std::size_t padding_bytes_ = 0;
};

// Turns a process's end into a status and a line of text; kOk for exit code 0. `stderr_file` explains failures.
Attempt judge(const Finished& finished, const std::filesystem::path& stderr_file, double timeout_s);

}  // namespace bench
