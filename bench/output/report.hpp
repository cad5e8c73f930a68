// All that a run found, in the form that every output format is written from.
#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "bench/model/sample.hpp"
#include "bench/stats/cost.hpp"
#include "bench/stats/geometric_mean.hpp"
#include "bench/stats/pareto.hpp"
#include "bench/stats/summary.hpp"
#include "bench/stats/warning.hpp"

namespace bench {

// What the plan knows; filled in by bench/run.
struct RunFacts {
  std::string command;   // as typed
  std::string suite;     // "quick"; empty if none
  std::string baseline;  // an allocator's display name
  // Display names in order of the table's columns; includes the baseline.
  std::vector<std::string> allocators;
  // In order of the table's rows; may be empty: then by name.
  std::vector<std::string> workloads;
  // Those allocators that show a limit and are no candidates: {"limit"}.
  std::vector<std::string> references;
  int repetitions = 0;    // blocks asked for
  double min_time_s = 0;  // to which iteration counts were calibrated
  std::uint64_t seed = 0;
  double margin = SummaryOptions{}.margin;       // within which two figures are the same
  Looks looks;                                   // where undecided cells are measured again
  double bytes_per_cpu = kDefaultBytesPerCpu;    // memory that costs as much as one CPU
  bool cut_off = false;           // by Ctrl-C: cells may be missing
  std::vector<Warning> warnings;  // environment's; digest() appends those of the samples
  // Written to environment.json as it is. Keys that reports, charts and publish read, all optional
  // for the reports:
  //   "cpu" {"model", "count"}, "memory_bytes", "kernel", "libc", "compiler", "build_type",
  //   "commit", "dirty" (bool), "date", "host", "allocators" [{"name", "version", "library",
  //   "sha256"}]
  nlohmann::json environment = nlohmann::json::object();
};

struct Report {
  RunFacts facts;
  std::vector<Sample> samples;
  std::vector<Summary> summaries;
  std::vector<GeometricMean> means;
  std::vector<CellCost> costs;    // of candidates
  std::vector<Warning> warnings;  // facts.warnings, then noise_warnings(samples)
};

// Adds the facts that readers of the files need ("references", "copies", "repetitions", "min_time_s", "margin", "looks",
// "memory_per_cpu_bytes", "cut_off") to the environment, and the metric "cost" to the summaries. Summaries come out in order of kinds,
// facts.workloads, threads, metrics() and facts.allocators; what is not listed there comes after, by name. (Samples come in random
// order.) O(samples * log samples).
Report digest(RunFacts facts, std::vector<Sample> samples);

// How such a run's samples are judged.
SummaryOptions summary_options(const RunFacts& facts);

// Allocators with the library and the environment of the baseline, by facts.environment: what they show is the error of the instrument.
std::vector<std::string> copies_of_baseline(const RunFacts& facts);

// The allocators that are no references and no copies of the baseline: those that get verdicts, can be on the front, or best.
std::vector<std::string> candidates(const RunFacts& facts);

// The front of each kind that has one, in the order of kKinds.
std::vector<ParetoFront> fronts(const Report& report);

// Which allocator is the cheapest at which price, in words, for each kind that has costs: "programs: osmem below 2.0 GiB, ...".
std::vector<std::string> price_lines(const Report& report);

// "Of 26 cells, half would have shown a throughput that differs by 2.1 %, nine in ten one by 6 %"; empty without verdicts.
std::string detectable_line(const Report& report, std::string_view metric);

// What failed, one line each: "larson, 2 threads, jemalloc: CRASHED: signal 11". Without the same
// line for each metric.
std::vector<std::string> failure_lines(const Report& report);

// Which cells a mean leaves out, by reason: "0 under jemalloc: pair, batch:n=25 on 2 threads;
// TIMEOUT under mine: larson".
std::string left_out_text(const GeometricMean& mean);

}  // namespace bench
