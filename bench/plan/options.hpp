// What the user asked of `bench run`, as the command line says it. Checked there for form, by the plan for meaning.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "bench/plan/exec_program.hpp"
#include "bench/plan/shard.hpp"

namespace bench {

// What is taken of a workload, in runs of their own.
enum class Measure {
  kSpeedAndMemory,
  kLatency,       // of every call
  kInstructions,  // by callgrind
  kCycles,        // and instructions, by the CPU's counters
};

struct RunOptions {
  std::string allocators = "osmem";
  std::optional<std::string> against;          // not set: the production allocators installed, and the floor; "": nothing
  std::vector<std::string> workloads;          // names, globs, name:parameter=value,..., paths of modules; empty: the suite's
  std::vector<std::string> suites = {"quick"};
  Measure measure = Measure::kSpeedAndMemory;
  std::optional<std::string> huge_pages;       // always, madvise or never, for as long as the run lasts
  std::vector<int> threads;                    // empty: the suite's
  std::optional<int> repetitions;
  std::optional<double> min_time_s;
  std::optional<double> timeout_s;
  std::uint64_t seed = 1;
  std::optional<double> margin;                // share within which two figures are the same
  std::optional<double> precision;             // share: open cells are measured again until their interval is no wider than +- this
  std::optional<double> budget_s;              // seconds of the whole run in which open cells are measured again
  std::optional<double> first_blocks_s;        // no block begins later after the start, but the first; none: all are made
  std::optional<double> bytes_per_cpu;         // memory that costs as much as one CPU
  std::optional<Shard> shard;                  // of the cells, that alone
  std::string baseline;                        // empty: glibc if it takes part, else the first compared with
  std::filesystem::path out;                   // empty: a new folder under results/local
  std::filesystem::path resume;                // a folder to go on in; empty: a new run
  std::vector<std::string> worker_flags;       // Google Benchmark's
  std::optional<Program> program;              // of bench exec: measured instead of workloads
  std::string command;                         // as typed, for the record
  std::vector<std::string> words;              // the same, word by word, without the program
};

}  // namespace bench
