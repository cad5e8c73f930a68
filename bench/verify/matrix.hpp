// Every scenario under every allocator, each in a fresh process: the matrix.
#pragma once

#include <filesystem>
#include <functional>
#include <string>
#include <vector>

#include "bench/allocators/allocator.hpp"
#include "bench/process/signals.hpp"
#include "bench/verify/scenario.hpp"

namespace bench::verify {

// What one variant of a scenario has shown.
struct Seen {
  std::string variant;
  Observation observation;
};

struct Cell {
  Observation worst;       // of the variants; of a chance the first that failed, or the last
  std::vector<Seen> seen;  // one a variant; empty for chances
  int caught = 0;          // of a chance: how often it went well ...
  int tries = 0;           // ... of how many; 0: no chance
};

struct Subject {
  allocators::Candidate candidate;
  std::string sha256;    // of the library; empty: the C library
  std::string unusable;  // why nothing could be run under it; empty: it could
  std::string remark;    // what is noteworthy about its start
  bool is_judged = true; // false: a peer, whose failures do not decide the exit code
};

struct Matrix {
  std::vector<Subject> subjects;
  std::vector<Scenario> scenarios;
  std::vector<std::vector<Cell>> cells;  // [scenario][subject]
  bool interrupted = false;
};

struct MatrixOptions {
  std::filesystem::path libexec;      // where the scenarios' binaries lie
  std::filesystem::path scratch;      // for what they say
  std::vector<std::string> variants;  // that are run; scenarios that take long run in the first of them alone
  int chances = 100;                  // tries of what is random
  std::function<void(const Scenario&)> progress;  // before each scenario
};

// Fills in subjects' remarks and all cells. Ends early, with what it has, on an interrupt.
Matrix run_matrix(std::vector<Subject> subjects, std::vector<Scenario> scenarios, const MatrixOptions& options, Signals& signals);

struct Tally {
  int passed = 0;
  int by_option = 0;  // of these: only with an option
  int judged = 0;
  int not_judged = 0;
};
// Of one subject, in a section; an empty section: in all. A chance counts as passed from half on.
Tally tally(const Matrix& matrix, std::size_t subject, const std::string& section);
bool is_passed(const Scenario& scenario, const Cell& cell);

}  // namespace bench::verify
