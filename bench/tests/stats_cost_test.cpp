// Proves the formula of the cost, its pairing, and at which prices which allocator is the cheapest, by hand-computed values.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

#include "bench/stats/cost.hpp"

namespace bench {
namespace {

using testing::IsEmpty;
using testing::SizeIs;

constexpr double kGib = 1ULL << 30U;

struct Use {
  double user_s;
  double system_s;
  double wall_s;
  double resident_bytes;
};

std::vector<Sample> run_of(const std::string& allocator, const Use& use, const std::string& workload = "pair", int block = 0) {
  std::vector<Sample> samples;
  const std::pair<const char*, double> figures[] = {
      {"user_time", use.user_s}, {"system_time", use.system_s}, {"wall_time", use.wall_s}, {"mean_rss", use.resident_bytes}};
  for (const auto& [metric, value] : figures) {
    samples.push_back({block, workload, 1, allocator, metric, "", value, Status::kOk, ""});
  }
  return samples;
}

std::vector<Sample> operator+(std::vector<Sample> a, const std::vector<Sample>& b) {
  a.insert(a.end(), b.begin(), b.end());
  return a;
}

const Sample& cost_of(const std::vector<Sample>& costs, const std::string& allocator) {
  for (const Sample& cost : costs) {
    if (cost.allocator == allocator) {
      return cost;
    }
  }
  throw std::out_of_range("no such cost");
}

TEST(Cost, IsCpuTimeAndMemoryByItsPrice) {
  // 2 + 1 CPU s; 8 GiB for 5 s at 4 GiB a CPU: 10 CPU s.
  const auto costs = cost_samples(run_of("mine", {2, 1, 5, 8 * kGib}), "glibc", 4 * kGib);
  ASSERT_THAT(costs, SizeIs(1));
  EXPECT_EQ(costs[0].metric, "cost");
  EXPECT_DOUBLE_EQ(*costs[0].value, 13);
  EXPECT_FALSE(costs[0].log_ratio);
}

TEST(Cost, NeedsAllItsParts) {
  auto samples = run_of("mine", {2, 1, 5, kGib});
  samples.pop_back();
  EXPECT_THAT(cost_samples(samples, "glibc", kGib), IsEmpty());
}

TEST(Cost, PairsByNeighbouringSlicesWhereTheyAreThere) {
  // By values both took 1 CPU s and 1 s; by slices mine needs twice the user time and half the throughput, so twice the wall time:
  // (2 + 2 x 1 GiB / 1 GiB) / (1 + 1) = 2.
  auto mine = run_of("mine", {1, 0, 1, kGib});
  mine[0].log_ratio = std::log(2);
  mine.push_back({0, "pair", 1, "mine", "throughput", "ops/s", 7, Status::kOk, "", Kind::kSynthetic, std::log(0.5)});
  const auto costs = cost_samples(run_of("glibc", {1, 0, 1, kGib}) + mine, "glibc", kGib);
  EXPECT_DOUBLE_EQ(*cost_of(costs, "mine").value, 2);
  EXPECT_NEAR(*cost_of(costs, "mine").log_ratio, std::log(2), 1e-12);
}

TEST(CheapestByPrice, IsTheLowerEnvelope) {
  // fast 1 s and 8 GiB s, lean 3 s and 2 GiB s: equal where 2 = 6 GiB / p, p = 3 GiB. `bad` is never below both: at 3 GiB 1 + 8/3 =
  // 3.67 against 2.5 + 6/3 = 4.5.
  const std::vector<CostLine> lines{{"bad", 2.5, 6 * kGib}, {"fast", 1, 8 * kGib}, {"lean", 3, 2 * kGib}};
  const auto ranges = cheapest_by_price(lines);
  ASSERT_THAT(ranges, SizeIs(2));
  EXPECT_EQ(ranges[0].allocator, "lean");
  EXPECT_DOUBLE_EQ(ranges[0].from_bytes, 0);
  EXPECT_DOUBLE_EQ(ranges[0].to_bytes, 3 * kGib);
  EXPECT_EQ(ranges[1].allocator, "fast");
  EXPECT_TRUE(std::isinf(ranges[1].to_bytes));
  EXPECT_EQ(in_words(ranges), "lean below 3.0 GiB, fast above");
}

TEST(CheapestByPrice, GivesTheMiddleItsRange) {
  // fast-middle: 1 = 4 GiB / p, 4 GiB; middle-lean: 4 = 2 GiB / p, 0.5 GiB.
  const std::vector<CostLine> lines{{"fast", 1, 8 * kGib}, {"middle", 2, 4 * kGib}, {"lean", 6, 2 * kGib}};
  EXPECT_EQ(in_words(cheapest_by_price(lines)), "lean below 0.50 GiB, middle to 4.0 GiB, fast above");
}

TEST(CheapestByPrice, WhoIsFasterAndLeanerIsSoAtAnyPrice) {
  const std::vector<CostLine> lines{{"worse", 2, 2 * kGib}, {"best", 1, kGib}};
  EXPECT_EQ(in_words(cheapest_by_price(lines)), "best at any price");
  EXPECT_THAT(cheapest_by_price({}), IsEmpty());
}

TEST(CellCosts, CountFromTheBaselinesCpuTimeAndGiveAFamilyOneVote) {
  // pair: 2 s against 1 s; at another size 4 s against 1 s: the family's vote is 3. json: 1 against 1. Mean (3 + 1) / 2 = 2.
  const std::vector<std::string> names{"glibc", "mine"};
  const auto samples = run_of("glibc", {1, 0, 1, kGib}) + run_of("mine", {2, 0, 1, kGib}) +
                       run_of("glibc", {1, 0, 1, kGib}, "pair:size=8") + run_of("mine", {4, 0, 1, kGib}, "pair:size=8") +
                       run_of("glibc", {10, 0, 10, kGib}, "json") + run_of("mine", {10, 0, 10, kGib}, "json");
  const auto lines = cost_of_kind(cell_costs(samples, "glibc", names), Kind::kSynthetic);
  ASSERT_THAT(lines, SizeIs(2));
  EXPECT_DOUBLE_EQ(lines[0].cpu_s, 1);
  EXPECT_DOUBLE_EQ(lines[1].cpu_s, 2);
  EXPECT_DOUBLE_EQ(lines[1].byte_s, kGib);
  EXPECT_THAT(cost_of_kind(cell_costs(samples, "glibc", names), Kind::kPrograms), IsEmpty());
}

TEST(CellCosts, LeaveOutCellsThatOneLacks) {
  const std::vector<std::string> names{"glibc", "mine"};
  EXPECT_THAT(cell_costs(run_of("glibc", {1, 0, 1, kGib}), "glibc", names), IsEmpty());
}

}  // namespace
}  // namespace bench
