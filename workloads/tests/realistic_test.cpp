// Proves: every realistic workload that is built loads as a module, does the same work under the C
// library's malloc and each allocator that this machine has, on one thread and on two, depends on
// its seed, does more when told more iterations, and frees in run() what it allocates there; and
// that two libraries, or two ways to get memory, agree.
//
// Does not prove: that the work resembles a user's, or anything about time. An allocator that is
// not installed is skipped by name.
#include <gtest/gtest.h>
#include <sys/wait.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <cstdint>
#include <cstdio>
#include <filesystem>
#include <optional>
#include <sstream>
#include <string>
#include <tuple>

namespace {

struct Report {
  std::uint64_t operations = 0;
  std::string checksum;
  std::int64_t retained_bytes = 0;
  std::string library;
};

struct Run {
  std::string workload{};  // with its parameters, if they are not the defaults
  int threads = 1;
  int iterations = 0;  // 0: the smoke size
  std::uint64_t seed = 1;
  std::string preload{};
};

// REALISTIC_* are set by CMake: the runner, the folder of modules, and what is known of the
// allocators.
std::string command_of(const Run& run) {
  std::ostringstream command;
  if (!run.preload.empty()) {
    command << "LD_PRELOAD='" << run.preload << "' ";
  }
  const std::string module = run.workload.substr(0, run.workload.find(':'));
  command << "exec timeout 100 '" REALISTIC_RUNNER "' '" REALISTIC_MODULES "/" << module << ".so' '"
          << run.workload << "' " << run.threads << ' ' << run.iterations << ' ' << run.seed
          << " 2>&1";
  return command.str();
}

// Nothing if the process failed; the failure is then recorded with all that it printed.
std::optional<Report> execute(const Run& run) {
  const std::string command = command_of(run);
  FILE* const pipe = popen(command.c_str(), "r");
  std::string output;
  std::array<char, 512> line;
  while (std::fgets(line.data(), line.size(), pipe) != nullptr) {
    output += line.data();
  }
  const int status = pclose(pipe);
  Report report;
  std::istringstream fields(output);
  fields >> report.operations >> report.checksum >> report.retained_bytes >> report.library;
  if (status != 0 || fields.fail()) {
    ADD_FAILURE() << command << "\nended with status " << status << " and printed:\n" << output;
    return std::nullopt;
  }
  return report;
}

constexpr std::array kWorkloads = {REALISTIC_NAMES};

std::string test_name(std::string name) {
  for (char& letter : name) {
    if (std::isalnum(static_cast<unsigned char>(letter)) == 0) {
      letter = '_';
    }
  }
  return name;
}

class RealisticWorkload : public ::testing::TestWithParam<const char*> {};

TEST_P(RealisticWorkload, DependsOnTheSeedAlone) {
  const auto first = execute({.workload = GetParam()});
  const auto again = execute({.workload = GetParam()});
  const auto other = execute({.workload = GetParam(), .seed = 2});
  ASSERT_TRUE(first && again && other);
  EXPECT_EQ(first->checksum, again->checksum);
  EXPECT_EQ(first->operations, again->operations);
  EXPECT_NE(first->checksum, other->checksum);
}

TEST_P(RealisticWorkload, DoesMoreInMoreIterations) {
  const auto one = execute({.workload = GetParam(), .iterations = 1});
  const auto three = execute({.workload = GetParam(), .iterations = 3});
  ASSERT_TRUE(one && three);
  EXPECT_GT(one->operations, 0U);
  EXPECT_GT(three->operations, 2 * one->operations);
  EXPECT_NE(one->checksum, three->checksum);
}

TEST_P(RealisticWorkload, FreesWhatItsRunAllocates) {
  // Threads that end and libraries that keep a small block or two are allowed for; a run allocates
  // far more.
  constexpr std::int64_t kSlackBytes = 16384;
  const auto report = execute({.workload = GetParam()});
  ASSERT_TRUE(report);
  EXPECT_LE(report->retained_bytes, kSlackBytes);
}

INSTANTIATE_TEST_SUITE_P(Modules, RealisticWorkload, ::testing::ValuesIn(kWorkloads),
                         [](const auto& test) { return test_name(test.param); });

bool is_built(const std::string& workload) {
  const std::string module = workload.substr(0, workload.find(':'));
  return std::find(kWorkloads.begin(), kWorkloads.end(), module) != kWorkloads.end();
}

// Two ways to do the same work: where memory comes from, or which library does it.
class SameWork : public ::testing::TestWithParam<std::pair<const char*, const char*>> {};

TEST_P(SameWork, HasTheSameResult) {
  const auto& [one, other] = GetParam();
  if (!is_built(one) || !is_built(other)) {
    GTEST_SKIP() << "not built: " << one << " or " << other;
  }
  const auto first = execute({.workload = one, .threads = 2, .iterations = 5});
  const auto second = execute({.workload = other, .threads = 2, .iterations = 5});
  ASSERT_TRUE(first && second);
  EXPECT_EQ(first->checksum, second->checksum);
  EXPECT_EQ(first->operations, second->operations);
}

INSTANTIATE_TEST_SUITE_P(
    Modules, SameWork,
    ::testing::Values(std::pair("pcre2:lines=20", "regex:lines=20"),
                      std::pair("json-rapidjson:values=pool", "json-rapidjson:values=malloc"),
                      std::pair("protobuf:memory=heap", "protobuf:memory=arena"),
                      std::pair("lua:gc=incremental", "lua:gc=generational"),
                      std::pair("http-cache:cache=own", "http-cache:cache=shared")),
    [](const auto& test) { return test_name(test.param.second); });

struct Allocator {
  const char* name;
  const char* path;     // empty where CMake did not find it
  const char* package;  // how to get it
};

constexpr std::array kAllocators = {
    Allocator{"jemalloc", REALISTIC_JEMALLOC, "libjemalloc2"},
    Allocator{"mimalloc", REALISTIC_MIMALLOC, "libmimalloc2.0"},
    Allocator{"tcmalloc", REALISTIC_TCMALLOC, "libtcmalloc-minimal4"},
    Allocator{"osmem", REALISTIC_OSMEM, "part of this build"},
};

class UnderAllocator : public ::testing::TestWithParam<std::tuple<const char*, Allocator, int>> {};

TEST_P(UnderAllocator, DoesTheSameWork) {
  const auto& [workload, allocator, threads] = GetParam();
  if (!std::filesystem::exists(allocator.path)) {
    GTEST_SKIP() << allocator.name << " is not here (" << allocator.package << ")";
  }
  const auto expected = execute({.workload = workload, .threads = threads});
  const auto actual =
      execute({.workload = workload, .threads = threads, .preload = allocator.path});
  ASSERT_TRUE(expected && actual);
  ASSERT_TRUE(std::filesystem::equivalent(actual->library, allocator.path))
      << "malloc is served by " << actual->library;
  EXPECT_EQ(actual->checksum, expected->checksum);
  EXPECT_EQ(actual->operations, expected->operations);
}

INSTANTIATE_TEST_SUITE_P(Modules, UnderAllocator,
                         ::testing::Combine(::testing::ValuesIn(kWorkloads),
                                            ::testing::ValuesIn(kAllocators),
                                            ::testing::Values(1, 2)),
                         [](const auto& test) {
                           return test_name(std::get<0>(test.param)) + "_" +
                                  std::get<1>(test.param).name + "_" +
                                  std::to_string(std::get<2>(test.param));
                         });

}  // namespace
