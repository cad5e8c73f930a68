// Proves: every registered workload, at smoke size, does the same number of operations and gives
// the same checksum twice, from fresh objects, on one thread and, where threads apply, on two; that
// its operations grow with iterations; and that its Info is complete. Runs under the C library's
// malloc. Does not prove that checksums agree between allocators: the worker's smoke suite does.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <thread>

#include "workloads/registry.hpp"

namespace workloads {
namespace {

constexpr std::uint64_t kSeed = 20240229;

std::vector<std::string> names() {
  std::vector<std::string> all;
  for (const Entry& entry : registered()) {
    all.push_back(entry.info.name);
  }
  return all;
}

// The workload at its smoke size.
Selection smoke(const std::string& name) {
  const std::string& parameters = find(name)->info.smoke_parameters;
  return select(parameters.empty() ? name : name + ":" + parameters);
}

Tally run_once(const Selection& selection, int threads, std::int64_t iterations) {
  const Setup setup = selection.setup(threads, kSeed);
  const std::unique_ptr<Workload> workload = selection.entry.make(setup);
  std::vector<Tally> tallies(static_cast<std::size_t>(threads));
  std::vector<std::thread> others;
  const auto work = [&](int thread) {
    Steps steps(iterations);
    tallies[static_cast<std::size_t>(thread)] = workload->run(thread, steps);
  };
  for (int i = 1; i < threads; ++i) {
    others.emplace_back(work, i);
  }
  work(0);
  for (std::thread& other : others) {
    other.join();
  }
  Tally sum;
  for (const Tally& tally : tallies) {
    sum.operations += tally.operations;
    sum.checksum += tally.checksum;
  }
  return sum;
}

class Catalogue : public ::testing::TestWithParam<std::string> {};

TEST_P(Catalogue, SameWorkTwice) {
  const Selection selection = smoke(GetParam());
  const int most_threads = selection.entry.info.threading == Threading::kAny ? 2 : 1;
  for (int threads = 1; threads <= most_threads; ++threads) {
    const Tally first = run_once(selection, threads, selection.entry.info.smoke_iterations);
    const Tally second = run_once(selection, threads, selection.entry.info.smoke_iterations);
    EXPECT_GT(first.operations, 0U);
    EXPECT_EQ(first.operations, second.operations) << threads << " threads";
    EXPECT_EQ(first.checksum, second.checksum) << threads << " threads";
    EXPECT_NE(first.checksum, 0U);
  }
}

TEST_P(Catalogue, MoreIterationsAreMoreOperations) {
  const Selection selection = smoke(GetParam());
  const std::int64_t few = selection.entry.info.smoke_iterations;
  EXPECT_GT(run_once(selection, 1, few + 1).operations, run_once(selection, 1, few).operations);
}

TEST_P(Catalogue, InfoIsComplete) {
  const Info& info = find(GetParam())->info;
  EXPECT_THAT(info.question, ::testing::EndsWith("?"));
  EXPECT_NE(info.origin, "");
  EXPECT_NE(info.operation, "");
  EXPECT_NE(info.profile, "");
  for (const Parameter& parameter : info.parameters) {
    EXPECT_NE(parameter.meaning, "") << parameter.name;
  }
}

TEST(SizeRange, HasItsEndsInOrder) {
  for (const char* text : {"larson:min=100,max=50", "random-replace:max=0", "swap:min=4096"}) {
    EXPECT_THROW(select(text), SelectionError) << text;
  }
  EXPECT_EQ(select("larson:min=50,max=50").name(), "larson:min=50,max=50");
}

std::string test_name(const ::testing::TestParamInfo<std::string>& info) {
  std::string name = info.param;
  for (char& c : name) {
    c = c == '-' || c == '/' ? '_' : c;
  }
  return name;
}

INSTANTIATE_TEST_SUITE_P(All, Catalogue, ::testing::ValuesIn(names()), test_name);

}  // namespace
}  // namespace workloads
