// Proves what bench makes of the times of slices: where steady work begins, which trends are seen, how two allocators compare; and that
// stages of turns are passed on between threads as between processes. Not: that figures are precise on a real host.
#include "bench/cells/slices.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <filesystem>
#include <random>
#include <thread>

#include "bench/protocol/outcome.hpp"
#include "bench/protocol/turns.hpp"

namespace bench {
namespace {

SliceTimes level(std::size_t count, double seconds, double noise, std::uint64_t seed) {
  std::mt19937_64 random(seed);
  std::normal_distribution<double> normal(0, noise);
  SliceTimes times;
  for (std::size_t i = 0; i < count; ++i) {
    times.push_back(seconds * std::exp(normal(random)));
  }
  return times;
}

TEST(SteadyPhase, FollowsTheFirstPassWhereNothingChanges) {
  SliceTimes times = level(40, 0.005, 0.02, 1);
  times.front() = 0.05;
  EXPECT_EQ(steady_phase(times).first, 1U);
  EXPECT_FALSE(steady_phase(times).trend.is_significant);
}

TEST(SteadyPhase, BeginsBehindASlowStart) {
  SliceTimes times = level(80, 0.005, 0.01, 2);
  for (std::size_t i = 0; i < 20; ++i) {
    times[i] *= 3 - 0.1 * static_cast<double>(i);
  }
  const Steady steady = steady_phase(times);
  EXPECT_GE(steady.first, 11U);
  EXPECT_LT(steady.first, 40U);
  EXPECT_FALSE(steady.trend.is_significant);
}

TEST(SteadyPhase, SaysThatSlowingDoesNotEnd) {
  SliceTimes times = level(80, 0.005, 0.01, 3);
  for (std::size_t i = 0; i < times.size(); ++i) {
    times[i] *= 1 + 0.01 * static_cast<double>(i);
  }
  const Steady steady = steady_phase(times);
  EXPECT_EQ(steady.first, 40U);
  EXPECT_TRUE(steady.trend.is_significant);
  EXPECT_NEAR(steady.trend.per_slice, 0.01 / 1.6, 0.001);
}

TEST(SteadyPhase, IsAllThereIsOfOneSlice) {
  EXPECT_EQ(steady_phase({0.1}).first, 0U);
  EXPECT_EQ(steady_phase({0.1, 0.1}).first, 1U);
}

TEST(Trend, IsSeldomSeenInNoise) {
  int seen = 0;
  for (std::uint64_t seed = 1; seed <= 400; ++seed) {
    seen += trend_of(level(40, 0.005, 0.05, seed)).is_significant ? 1 : 0;
  }
  EXPECT_LE(seen, 12);  // 1 % of 400, and what chance adds
}

SliceCosts costs_of(SliceTimes seconds) {
  const std::size_t count = seconds.size();
  SliceCosts costs{seconds, std::move(seconds), std::vector<std::int64_t>(count, 0)};
  return costs;
}

TEST(SpeedRatio, CountsRareCostsAndIgnoresTheWarmUp) {
  const SliceCosts baseline = costs_of({9, 2, 2, 2, 2, 2});
  const SliceCosts subject = costs_of({1, 1, 1, 1, 1, 16});  // it purges once
  EXPECT_NEAR(log_speed_ratio(subject, baseline, 1).value(), std::log(10.0 / 20), 1e-12);
  EXPECT_FALSE(log_speed_ratio(subject, baseline, 6).has_value());
}

TEST(SpeedRatio, LeavesOutSlicesFromWhichOthersTookTime) {
  const SliceCosts baseline = costs_of({9, 2, 2, 2, 2, 2});
  SliceCosts subject = costs_of({1, 1, 1, 1, 1, 1});
  subject.seconds[3] = 16;  // 15 s of it without a CPU, which it had to give away
  subject.preempted[3] = 1;
  EXPECT_NEAR(log_speed_ratio(subject, baseline, 1).value(), std::log(2), 1e-12);
  EXPECT_EQ(calm_slices(baseline, subject, 1), (std::vector<std::size_t>{1, 2, 4, 5}));
  subject.cpu_s[3] = 16;  // it worked all that time, so it is the allocator's
  EXPECT_EQ(calm_slices(subject, baseline, 1).size(), 5U);
  subject.cpu_s[3] = 1;
  subject.preempted[3] = 0;  // it waited for something of its own
  EXPECT_EQ(calm_slices(subject, baseline, 1).size(), 5U);
}

TEST(SpeedRatio, KeepsHalfOfTheSlicesHoweverDisturbed) {
  const SliceCosts baseline = costs_of({2, 2, 2, 2, 2, 2, 2});
  SliceCosts subject = costs_of({1, 1, 1, 1, 1, 1, 1});
  SliceCosts disturbed = subject;
  for (std::size_t i = 0; i < 3; ++i) {
    disturbed.seconds[i] = 4;
    disturbed.preempted[i] = 2;
  }
  EXPECT_EQ(calm_slices(disturbed, baseline, 0).size(), 4U);
  EXPECT_EQ(calm_slices(disturbed, baseline, 0).front(), 3U);
  SliceCosts most = disturbed;
  for (std::size_t i = 3; i < 5; ++i) {
    most.seconds[i] = 3;
    most.preempted[i] = 1;
  }
  EXPECT_EQ(calm_slices(most, baseline, 0).size(), 4U);
}

TEST(Cut, GivesTheLastSliceWhatIsLeft) {
  const worker::Cut cut{103, 10};
  EXPECT_EQ(cut.slices(), 10);
  std::int64_t sum = 0;
  for (std::int64_t slice = 1; slice <= cut.slices(); ++slice) {
    sum += cut.iterations_of(slice);
  }
  EXPECT_EQ(sum, 103);
  EXPECT_EQ(cut.iterations_of(10), 13);
  EXPECT_EQ((worker::Cut{7, 0}).slices(), 1);
  EXPECT_EQ((worker::Cut{7, 0}).iterations_of(1), 7);
  EXPECT_EQ((worker::Cut{3, 10}).slices(), 1);
  EXPECT_EQ((worker::Cut{3, 10}).iterations_of(1), 3);
}

TEST(Turns, AreSeenThroughAnotherMapping) {
  const auto file = std::filesystem::path(testing::TempDir()) / "slices_test_turns";
  const auto bench_side = worker::MappedTurns::create(file, 4);
  const auto worker_side = worker::MappedTurns::open(file, 4);
  EXPECT_THROW(worker::MappedTurns::open(file, 4000), std::runtime_error);
  EXPECT_FALSE(worker::await_at_least(bench_side->done, 1, 1'000'000));
  std::thread player([&] {
    for (std::uint32_t stage = 1; stage <= 4; ++stage) {
      worker::await_at_least(worker_side->granted, stage);
      worker_side.slice(stage).end_ns = 10 * stage;
      worker::store_and_wake(worker_side->done, stage + 1);
    }
  });
  for (std::uint32_t stage = 1; stage <= 4; ++stage) {
    worker::store_and_wake(bench_side->granted, stage);
    worker::await_at_least(bench_side->done, stage + 1);
    EXPECT_EQ(bench_side.slice(stage).end_ns, 10 * stage);
  }
  player.join();
  std::filesystem::remove(file);
}

TEST(Outcome, SurvivesItsFileAndNamesWhatIsMissing) {
  worker::Outcome outcome;
  outcome.operations = 12;
  outcome.counters = {{"cycles", 3.5}};
  outcome.drained = {{0.1, 4096}};
  auto json = worker::to_json(outcome);
  const worker::Outcome read = worker::outcome_from(json);
  EXPECT_EQ(read.operations, 12U);
  EXPECT_EQ(read.counters, outcome.counters);
  EXPECT_EQ(read.drained, outcome.drained);
  json.erase("operations");
  try {
    worker::outcome_from(json);
    FAIL();
  } catch (const std::runtime_error& error) {
    EXPECT_NE(std::string(error.what()).find("'operations'"), std::string::npos);
  }
}

}  // namespace
}  // namespace bench
