// Proves that every format writes the made-up run of sample_run.cpp exactly as the file in golden/
// has it, that Google Benchmark's own compare.py reads benchmark.json (where it is installed), and
// that samples.csv reads back. Whether the golden files look right was judged by eye. To accept a
// change: UPDATE_GOLDEN=1 build/release/tests/bench_output_test, then read the diff.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <nlohmann/json.hpp>
#include <sstream>

#include "bench/output/changes.hpp"
#include "bench/output/format.hpp"
#include "bench/output/run_directory.hpp"
#include "bench/tests/golden.hpp"
#include "bench/tests/sample_run.hpp"

namespace bench {
namespace {

namespace fs = std::filesystem;
using testing::HasSubstr;

TEST(Golden, Table) {
  expect_golden("table.txt", render_table(sample_run::report(), {false, true, 130}));
}

TEST(Golden, TableInColour) {
  expect_golden("table_colour.txt", render_table(sample_run::report(), {true, true, 130}));
}

TEST(Golden, TableOnANarrowTerminalInAscii) {
  expect_golden("table_narrow.txt", render_table(sample_run::report(), {false, false, 70}));
}

TEST(Golden, SummaryCsv) {
  expect_golden("summary.csv", render_summary_csv(sample_run::report(), {}));
}

TEST(Golden, MeansCsv) { expect_golden("means.csv", render_means_csv(sample_run::report(), {})); }

TEST(Golden, SamplesCsv) {
  std::string text = samples_csv_header();
  for (const Sample& sample : sample_run::samples()) {
    text += samples_csv_row(sample);
  }
  expect_golden("samples.csv", text);
}

TEST(Golden, Json) { expect_golden("all.json", render_json(sample_run::report(), {})); }

TEST(Golden, GoogleBenchmark) {
  expect_golden("benchmark.json", render_google_benchmark(sample_run::report(), {}));
}

TEST(Golden, Environment) {
  expect_golden("environment.json", render_environment(sample_run::report(), {}));
}

TEST(Golden, Markdown) { expect_golden("report.md", render_markdown(sample_run::report(), {})); }

// The made-up run against itself with osmem a tenth slower, 4 % larger and lost in one cell.
Comparison comparison() {
  const std::vector<Sample> before = sample_run::samples();
  std::vector<Sample> after = before;
  for (Sample& sample : after) {
    if (sample.allocator != "osmem" || !sample.value) {
      continue;
    }
    *sample.value *= sample.metric == "throughput" ? 0.9 : sample.metric == "peak_rss" ? 1.04 : 1;
    if (sample.workload == "program/perl" && sample.block == 1) {
      sample.status = Status::kTimeout;
      sample.detail = "no result within 60 s";
      sample.value.reset();
    }
  }
  Comparison made;
  made.before = "results/before";
  made.after = "results/after";
  made.basis = "Ratios to glibc, the same file in both, are compared; the runs' blocks are no pairs.";
  for (Change& change : changes_between(before, after, "glibc", Basis::kRatios)) {
    if (change.allocator != "limit") {
      (change.allocator == "osmem" ? made.changes : made.controls).push_back(std::move(change));
    }
  }
  for (const char* name : {"osmem", "glibc", "jemalloc", "mimalloc"}) {
    std::ranges::move(fates_between({before, name}, {after, name}), std::back_inserter(made.fates));
  }
  made.allocators_only_after = {"tcmalloc"};
  made.gate = {{"throughput", 0.02}, {"mean_rss", 0.03}, {"peak_rss", 0.03}, {"instructions", 0.01}};
  return made;
}

TEST(Golden, ChangesText) { expect_golden("changes.txt", render_changes_text(comparison())); }

TEST(Golden, ChangesJson) { expect_golden("changes.json", render_changes_json(comparison())); }

TEST(Formats, ANarrowTableKeepsWithinTheTerminal) {
  // Headings aside, which are sentences.
  std::istringstream lines(render_table(sample_run::report(), {false, false, 70}));
  int rows = 0;
  for (std::string line; std::getline(lines, line);) {
    if (line.starts_with("pair") || line.starts_with("larson")) {
      EXPECT_LE(line.size(), 70U) << line;
      ++rows;
    }
  }
  EXPECT_GT(rows, 6);
}

TEST(Formats, AFailedCellIsNeverANumber) {
  std::istringstream lines(render_summary_csv(sample_run::report(), {}));
  int failed = 0;
  for (std::string line; std::getline(lines, line);) {
    if (line.ends_with(",CRASHED") || line.ends_with(",TIMEOUT")) {
      EXPECT_THAT(line, HasSubstr(",,,,,,,,")) << line;  // median to verdict
      ++failed;
    }
  }
  EXPECT_EQ(failed, 20);  // two cells of ten metrics
}

TEST(Formats, AreFoundByName) {
  for (const char* name : {"table", "csv", "json", "markdown"}) {
    ASSERT_TRUE(format_named(name)) << name;
    EXPECT_FALSE(format_named(name)->render(sample_run::report(), {}).empty());
  }
  EXPECT_FALSE(format_named("xml"));
}

TEST(Formats, SurviveARunWithoutAnySample) {
  const Report nothing = digest(sample_run::facts(), {});
  for (const Format& format : stdout_formats()) {
    EXPECT_FALSE(format.render(nothing, {}).empty()) << format.name;
  }
  EXPECT_TRUE(nlohmann::json::parse(render_google_benchmark(nothing, {})).at("benchmarks").empty());
}

TEST(Formats, TextThatIsNotUtf8IsReplacedInJson) {
  RunFacts facts = sample_run::facts();
  facts.command = "bench \xff";
  const std::string text = render_json(digest(facts, sample_run::samples()), {});
  EXPECT_EQ(nlohmann::json::parse(text).at("command"), "bench \xef\xbf\xbd");
}

TEST(SamplesCsv, QuotesWhatNeedsIt) {
  EXPECT_EQ(samples_csv_row({1, "larson:min=8,max=9", 2, "a\"b", "throughput", "ops/s", 0.1,
                             Status::kOk, "", Kind::kPrograms, -0.25}),
            "1,\"larson:min=8,max=9\",2,programs,\"a\"\"b\",throughput,ops/s,0.1,-0.25,ok,\n");
  EXPECT_EQ(samples_csv_row({0, "pair", 1, "x", "", "", {}, Status::kCrashed, "two\nlines"}),
            "0,pair,1,synthetic,x,,,,,CRASHED,two lines\n");
}

// Runs a command and gives its output; its exit status goes to `status`.
std::string output_of(const std::string& command, int& status) {
  std::FILE* pipe = ::popen((command + " 2>&1").c_str(), "r");
  std::string text;
  for (int c = std::fgetc(pipe); c != EOF; c = std::fgetc(pipe)) {
    text += static_cast<char>(c);
  }
  status = ::pclose(pipe);
  return text;
}

TEST(GoogleBenchmark, ComparePyReadsIt) {
  const std::string compare = "/usr/share/benchmark/compare.py";
  int status = 0;
  output_of("/usr/bin/python3 -c 'import scipy'", status);
  if (!fs::exists(compare) || status != 0) {
    GTEST_SKIP() << "libbenchmark-tools or python3-scipy is not installed";
  }
  const std::string file = (fs::path(testing::TempDir()) / "bench_output_test.json").string();
  std::ofstream(file) << render_google_benchmark(sample_run::report(), {});
  const std::string command = "/usr/bin/python3 " + compare + " --no-color ";
  const std::string filters = output_of(command + "filters " + file + " glibc/ osmem/", status);
  EXPECT_EQ(status, 0) << filters;
  EXPECT_THAT(filters, HasSubstr("pair/threads:1"));
  EXPECT_THAT(filters, HasSubstr("-0.44"));  // 1 / 1.8 - 1: the time is 44 % less
  EXPECT_THAT(filters, HasSubstr("OVERALL_GEOMEAN"));
  const std::string same = output_of(command + "benchmarks " + file + " " + file, status);
  EXPECT_EQ(status, 0) << same;
  EXPECT_THAT(same, HasSubstr("osmem/larson:max=2000/threads:4"));
  fs::remove(file);
}

}  // namespace
}  // namespace bench
