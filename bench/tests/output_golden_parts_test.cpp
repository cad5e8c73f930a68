// Proves that the outputs beside a run's own formats are written exactly as the files in golden/ have them: columns and colours, times of
// calls, hosts side by side, cells in order, a seal. Inputs are made up; to accept a change see
// output_golden_test.cpp.
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>

#include "bench/output/grid.hpp"
#include "bench/output/latency.hpp"
#include "bench/output/manifest.hpp"
#include "bench/output/merge.hpp"
#include "bench/output/run_directory.hpp"
#include "bench/tests/golden.hpp"
#include "bench/tests/sample_run.hpp"

namespace bench {
namespace {

namespace fs = std::filesystem;

std::vector<GridRow> grid_rows() {
  return {{{"workload", Align::kLeft, Paint::kHeading}, {"osmem", Align::kRight, Paint::kHeading}, {"glibc", Align::kRight, Paint::kHeading}},
          {{"pair", Align::kLeft}, {"1.80 ±0.01", Align::kRight, Paint::kBest}, {"1", Align::kRight, Paint::kFaint}},
          {},
          {{"larson:max=2000", Align::kLeft}, {"CRASHED", Align::kRight, Paint::kFailure}},
          {{"ends in a blank cell", Align::kLeft}, {"2"}, {""}}};
}

TEST(GoldenParts, Grid) {
  const std::string prose = "A sentence that is longer than the width it may have, so that it goes on, with two blanks more, on further lines.";
  expect_golden("grid.txt", render_grid(grid_rows(), false) + wrapped(prose, 2, 40));
}

TEST(GoldenParts, GridInColour) { expect_golden("grid_colour.txt", render_grid(grid_rows(), true)); }

void add_time(std::vector<Sample>& samples, const char* allocator, int block, const std::string& metric, double value, const char* detail = "") {
  Sample sample;
  sample.block = block;
  sample.workload = "larson:max=2000";
  sample.threads = 4;
  sample.allocator = allocator;
  sample.metric = metric;
  sample.unit = metric.ends_with("_calls") ? "1" : "ns";
  sample.value = value;
  sample.detail = detail;
  samples.push_back(std::move(sample));
}

// Of two allocators; glibc has no malloc_p99.99, as with few calls.
Report timed_run() {
  std::vector<Sample> samples;
  for (int block = 0; block < 2; ++block) {
    for (const auto& [allocator, factor] : {std::pair{"osmem", 1.0}, std::pair{"glibc", 2.5}}) {
      double ns = 12.5 * factor + block;
      for (const char* which : {"p50", "p90", "p99", "p99.9", "p99.99", "max"}) {
        if (which != std::string_view("p99.99") || allocator == std::string_view("osmem")) {
          add_time(samples, allocator, block, std::string("malloc_") + which, ns);
        }
        add_time(samples, allocator, block, std::string("free_") + which, ns / 2);
        ns *= 40;
      }
      add_time(samples, allocator, block, "malloc_calls", 1e6 * factor);
      add_time(samples, allocator, block, "free_calls", 1e6 * factor);
      add_time(samples, allocator, block, "timer_cost", 8.5 + block, "by the time-stamp counter");
      add_time(samples, allocator, block, "slow_call_1", 2e6 * factor, "malloc of 64 KiB: 16 minor faults");
      add_time(samples, allocator, block, "slow_call_3", 1e5 * factor, "free of 64 KiB: madvise");  // only two are shown
    }
  }
  RunFacts facts = sample_run::facts();
  facts.allocators = {"osmem", "glibc"};
  return digest(facts, samples);
}

TEST(GoldenParts, Latency) {
  const Report report = timed_run();
  expect_golden("latency.txt", render_latency(report, Index(report), {false, true, 100}));
  expect_golden("latency_narrow_colour.txt", render_latency(report, Index(report), {true, true, 60}));
}

TEST(GoldenParts, NoLatencyWhereNoneWasTimed) {
  const Report report = sample_run::report();
  EXPECT_EQ(render_latency(report, Index(report), {}), "");
}

// The made-up run with a subject's throughput times `factor` on some workloads.
std::vector<Sample> slowed(const std::string& allocator, double factor, const std::string& workload) {
  std::vector<Sample> samples = sample_run::samples();
  for (Sample& sample : samples) {
    if (sample.allocator == allocator && sample.workload == workload && sample.metric == "throughput") {
      *sample.value *= factor;
    }
  }
  return samples;
}

struct Hosts {
  std::vector<HostRun> hosts;
  std::vector<Report> reports;
};

// The second host has another kernel, and mimalloc is slow on it.
Hosts two_hosts() {
  Hosts made;
  for (const char* name : {"big, big2", "small"}) {
    HostRun host;
    host.name = name;
    host.facts = sample_run::facts();
    host.samples = sample_run::samples();
    host.facts.environment["card"] = {{"line", std::string(name) + ": 2 CPUs, KVM, a first touch takes 0.5 us"}};
    made.hosts.push_back(std::move(host));
  }
  made.hosts[1].unlike = "kernel: Linux 6.1.0, there Linux 5.10.0";
  made.hosts[1].samples = slowed("mimalloc", 0.5, "pair");
  for (const HostRun& host : made.hosts) {
    made.reports.push_back(digest(host.facts, host.samples));
  }
  return made;
}

TEST(GoldenParts, HostsSideBySide) {
  const Hosts made = two_hosts();
  expect_golden("merge_table.txt", render_hosts(made.hosts, made.reports));
  expect_golden("merge_table.csv", render_hosts_csv(made.hosts, made.reports));
}

TEST(GoldenParts, IndexOfCells) {
  const Report report = sample_run::report();
  const Index index(report);
  std::string text;
  for (const CellName& cell : index.cells()) {
    text += cell.workload + ", " + std::to_string(cell.threads) + ", " + std::string(to_string(cell.kind)) + "\n";
  }
  for (const std::string& metric : index.metrics()) {
    text += metric + ": " + index.repetitions(metric) + "; means of";
    for (const Kind kind : index.kinds_with_mean(metric)) {
      text += " " + std::string(to_string(kind));
    }
    text += '\n';
  }
  expect_golden("index.txt", text);
}

TEST(GoldenParts, Manifest) {
  std::string pattern = testing::TempDir() + "golden_manifest_XXXXXX";
  const fs::path folder = ::mkdtemp(pattern.data());
  const Report report = sample_run::report();
  std::ofstream(folder / "environment.json") << render_environment(report, {});
  std::ofstream(folder / "samples.csv") << samples_csv_header();
  std::ofstream(folder / "half.csv.part") << "takes no part";
  seal(folder);
  expect_golden("manifest.json", contents(folder / "manifest.json"));
  EXPECT_TRUE(inspect_seal(folder).differences.empty());
  fs::remove_all(folder);
}

}  // namespace
}  // namespace bench
