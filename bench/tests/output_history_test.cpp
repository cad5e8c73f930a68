// Proves that the history of runs is by date, keeps unlike hosts apart, names what is left out, and that its data are exactly as
// golden/history.json has them; and that change points are found where a figure changed, and not in noise. Does not prove what the page
// draws: page_test.mjs.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <random>
#include <sstream>

#include "bench/output/history.hpp"
#include "bench/stats/change_points.hpp"
#include "bench/tests/sample_run.hpp"

namespace bench {
namespace {

namespace fs = std::filesystem;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;
using testing::SizeIs;

// Runs whose blocks have these means, with a scatter of 1 % within each.
std::vector<RunMean> runs_of(const std::vector<double>& means, unsigned seed = 1) {
  std::mt19937 dice(seed);
  std::normal_distribution<double> noise(0, 0.01);
  std::vector<RunMean> runs;
  for (const double mean : means) {
    std::vector<double> blocks(8);
    for (double& block : blocks) {
      block = mean + noise(dice);
    }
    runs.push_back(run_mean(blocks, 0));
  }
  return runs;
}

TEST(ChangePoints, AreWhereTheFigureChanged) {
  const auto found = change_points(runs_of({0, 0, 0, 0.2, 0.2, 0.1, 0.1}), 6, 0.01);
  ASSERT_THAT(found, SizeIs(2));
  EXPECT_EQ(found[0].run, 3U);
  EXPECT_NEAR(found[0].ratio, std::exp(0.2), 0.02);
  EXPECT_EQ(found[1].run, 5U);
  EXPECT_LT(found[1].interval.high, 1);
}

TEST(ChangePoints, AreNoneInNoise) {
  int wrong = 0;
  for (unsigned seed = 1; seed <= 200; ++seed) {
    wrong += change_points(runs_of({0, 0, 0, 0, 0, 0}, seed), 5, 0).empty() ? 0 : 1;
  }
  EXPECT_LE(wrong, 20);  // 5 % are 10; 20 or fewer of 200 with a chance of 0.998
}

TEST(ChangePoints, AreNoneBelowTheLeastEffectOrWithoutScatter) {
  EXPECT_THAT(change_points(runs_of({0, 0, 0.2, 0.2}), 3, 0.5), IsEmpty());
  const std::vector<double> one_block{0.5};
  EXPECT_THAT(change_points(std::vector{run_mean(one_block, 0), run_mean(std::vector{0.9}, 0)}, 1, 0.01), IsEmpty());
}

TEST(ChangePoints, AreFoundInFiguresWithoutAnyScatter) {
  const std::vector<double> before(5, 0.0);
  const std::vector<double> after(5, 0.3);
  EXPECT_THAT(change_points(std::vector{run_mean(before, 0), run_mean(before, 0), run_mean(after, 0)}, 2, 0.01), SizeIs(1));
}

TEST(ChangePoints, AreNoneWithinTheHostsSpread) {
  const std::vector<double> before{0, 0.001, 0, 0.001, 0};
  const std::vector<double> after{0.03, 0.031, 0.03, 0.031, 0.03};
  EXPECT_THAT(change_points(std::vector{run_mean(before, 0), run_mean(after, 0)}, 1, 0.01), SizeIs(1));
  EXPECT_THAT(change_points(std::vector{run_mean(before, 0.02), run_mean(after, 0.02)}, 1, 0.01), IsEmpty());
}

// The made-up run at a date and commit, osmem's throughput `factor` times its own.
StoredRun run_at(const std::string& date, const std::string& commit, double factor, const std::string& kernel) {
  StoredRun run{date, sample_run::facts(), sample_run::samples()};
  run.facts.environment["date"] = date;
  run.facts.environment["commit"] = commit;
  run.facts.environment["kernel"] = kernel;
  std::erase_if(run.samples, [](const Sample& sample) { return sample.metric != "throughput" && sample.metric != "peak_rss" && !sample.metric.empty(); });
  for (Sample& sample : run.samples) {
    if (sample.allocator == "osmem" && sample.metric == "throughput" && sample.value) {
      *sample.value *= factor;
    }
  }
  return run;
}

History made_up() {
  History history;
  history.runs = {run_at("2026-01-01", "aaaaaaaaaa", 1, "6.1"), run_at("2026-01-02", "bbbbbbbbbb", 1, "6.1"), run_at("2026-01-03", "cccccccccc", 0.8, "6.1"),
                  run_at("2026-01-04", "dddddddddd", 0.5, "6.2")};
  history.left_out = {{"old", "old/samples.csv:1: not the header of a samples.csv"}};
  return history;
}

TEST(History, DataAreAsTheGoldenFileHasThem) {
  const fs::path file = fs::path(GOLDEN_DIR) / "history.json";
  const std::string text = history_data(made_up()).dump(1) + '\n';
  if (std::getenv("UPDATE_GOLDEN") != nullptr) {
    std::ofstream(file) << text;
  }
  std::ifstream in(file);
  std::ostringstream golden;
  golden << in.rdbuf();
  EXPECT_EQ(golden.str(), text) << "golden file: " << file;
}

TEST(History, AChangeOfTheHostIsNoChangePoint) {
  const auto data = history_data(made_up());
  int changed = 0;
  for (const auto& series : data["series"]) {
    for (const auto& change : series["changes"]) {
      EXPECT_EQ(series["allocator"], "osmem");
      EXPECT_EQ(series["metric"], "throughput");
      EXPECT_EQ(change[0], 2);  // not 3, on another kernel
      ++changed;
    }
  }
  EXPECT_GT(changed, 0);
}

TEST(History, AFolderThatIsNoRunOfThisVersionIsNamedWithTheReason) {
  const fs::path folder = fs::path(testing::TempDir()) / "bench_history_test";
  fs::remove_all(folder);
  fs::create_directories(folder / "old");
  fs::create_directories(folder / "charts");
  fs::create_directories(folder / "new");
  EXPECT_THROW(read_history(folder), UnreadableRun);
  fs::copy(fs::path(GOLDEN_DIR) / "environment.json", folder / "new");
  fs::copy(fs::path(GOLDEN_DIR) / "samples.csv", folder / "new");
  fs::copy(fs::path(GOLDEN_DIR) / "environment.json", folder / "old");
  std::ofstream(folder / "old" / "samples.csv") << "repetition,workload,threads,allocator\n";
  const History history = read_history(folder);
  EXPECT_THAT(history.runs, SizeIs(1));
  ASSERT_THAT(history.left_out, SizeIs(2));
  EXPECT_THAT(history.left_out[0].why, HasSubstr("not a run of bench"));
  EXPECT_THAT(history.left_out[1].why, HasSubstr("not the header"));
  EXPECT_THAT(history.left_out[1].why, HasSubstr("measure again with this version"));
  EXPECT_THAT(history.left_out[1].why, Not(HasSubstr("--resume")));
  EXPECT_THROW(read_history(folder / "nowhere"), UnreadableRun);
  fs::remove_all(folder);
}

}  // namespace
}  // namespace bench
