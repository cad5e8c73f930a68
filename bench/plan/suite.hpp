// A suite: which workloads to run and how long, read from a small text file. The grammar: workloads/suites/README.md.
#pragma once

#include <cstdint>
#include <filesystem>
#include <iosfwd>
#include <optional>
#include <stdexcept>
#include <string>
#include <vector>

namespace bench {

// What the user asked for and cannot have; what() is one line that says what to do. Exit code 2.
class UsageError : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

// One line of a suite: a group of cells, one for each thread count.
struct SuiteLine {
  std::string workload;                    // name, glob, or name:parameter=value,...
  std::vector<int> threads;                // empty: the suite's
  std::optional<double> min_time_s;        // instead of the suite's
  std::optional<std::int64_t> iterations;  // fixed: nothing is calibrated
  bool memory = false;                     // also in a run of its own that samples memory
};

struct Suite {
  std::string name;
  std::string purpose;              // how its first comment begins: up to a full stop, question mark or colon
  int repetitions = 3;
  double min_time_s = 0.1;
  double timeout_s = 60;            // for one process
  std::vector<int> threads;
  std::vector<double> drain_s;      // when memory is read after the work, in memory runs
  int memory_blocks = 0;            // memory runs are made in this many blocks
  bool memory_everywhere = false;   // of every line, not only of those that say `memory`
  bool floor = true;                // with the reference floor, where nobody is named to compare with
  std::vector<SuiteLine> lines;
};

// Reads a suite for a machine with that many CPUs; throws UsageError with `origin` and the line's number.
Suite parse_suite(std::istream& text, const std::string& name, const std::string& origin, int cpus);

// Suites by name, glob or path, merged: settings of the first, lines of all without repeats. Throws UsageError.
Suite load_suites(const std::filesystem::path& folder, const std::vector<std::string>& names, int cpus);

// Names of all suites of a folder, sorted.
std::vector<std::string> suite_names(const std::filesystem::path& folder);

// Positive finite number, or UsageError that begins with `what`.
double parse_seconds(const std::string& what, const std::string& text);

// "1,cpus,2cpus" and "1..2cpus" (1, 2, 4, ... twice the CPUs) as numbers; UsageError that begins with `what`.
std::vector<int> parse_threads(const std::string& what, const std::string& text, int cpus);

// Splits at commas; "" gives nothing.
std::vector<std::string> split_list(const std::string& text);

}  // namespace bench
