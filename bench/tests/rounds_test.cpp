// Proves which cells count as open, and what is said of those that stay so. That rounds keep the error rate is measured by
// verdict_simulation; that they measure again, by bench_cli_test.py.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "bench/run/rounds.hpp"

namespace bench {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Pair;

Summary row_of(const std::string& workload, int threads, const std::string& metric, Verdict verdict) {
  Summary row;
  row.workload = workload;
  row.threads = threads;
  row.metric = metric;
  row.verdict = verdict;
  row.ratio_interval = Interval{0.9, 1.1};
  return row;
}

TEST(OpenCells, AreThoseWithAnOpenHeadline) {
  Report report;
  report.summaries = {row_of("pair", 1, "throughput", Verdict::kUndecided), row_of("pair", 2, "peak_rss", Verdict::kUndecided),
                      row_of("json", 1, "throughput", Verdict::kHigher), row_of("larson", 1, "minor_faults", Verdict::kUndecided),
                      row_of("lua", 1, "throughput", Verdict::kNone)};
  EXPECT_THAT(open_cells(report, 0.02), ElementsAre(Pair("pair", 1), Pair("pair", 2)));
  EXPECT_THAT(open_cells(report, 0.15), IsEmpty());  // +-10 % is narrow enough
}

TEST(StillOpen, NamesTheCellsAndARemedy) {
  Report report;
  EXPECT_FALSE(still_open(report, {}));
  report.summaries = {row_of("pair", 1, "throughput", Verdict::kUndecided), row_of("pair", 2, "throughput", Verdict::kUndecided)};
  const auto warning = still_open(report, {});
  ASSERT_TRUE(warning);
  EXPECT_THAT(warning->what, HasSubstr("pair; pair on 2 threads"));
  EXPECT_THAT(warning->remedy, HasSubstr("--budget"));
}

}  // namespace
}  // namespace bench
