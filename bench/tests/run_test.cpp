// Proves the parts of a run that need no worker: suites, thread counts, lists of workloads, progress, and how a child process's
// end is told (exit, signal, timeout with its whole group, failure to start). Does not prove a run as a whole: see bench_cli_test.py.
#include <gmock/gmock.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <fstream>
#include <sstream>
#include <stdexcept>
#include <thread>

#include "bench/cells/launcher.hpp"
#include "bench/plan/pattern.hpp"
#include "bench/run/plan.hpp"
#include "bench/process/process.hpp"
#include "bench/run/progress.hpp"
#include "bench/run/staging.hpp"
#include "bench/plan/suite.hpp"
#include "bench/protocol/request.hpp"

namespace bench {
namespace {

namespace fs = std::filesystem;
using testing::ElementsAre;
using testing::HasSubstr;

Suite suite_of(const std::string& text) {
  std::istringstream in(text);
  return parse_suite(in, "test", "test.suite", 6);
}

std::string suite_error(const std::string& text) {
  try {
    suite_of(text);
  } catch (const UsageError& error) {
    return error.what();
  }
  return "accepted";
}

TEST(Suite, ReadsSettingsAndLines) {
  const Suite suite = suite_of(
      "# comment\n"
      "set repetitions=7 min-time=0.5 threads=1,cpus timeout=9 drain=0.1,1 memory-blocks=2 floor=no\n"
      "\n"
      "pair\n"
      "larson:slots=10,max=99 threads=2,4 min-time=0.25 memory  # why\n"
      "batch iterations=1000\n");
  EXPECT_EQ(suite.repetitions, 7);
  EXPECT_DOUBLE_EQ(suite.min_time_s, 0.5);
  EXPECT_DOUBLE_EQ(suite.timeout_s, 9);
  EXPECT_THAT(suite.threads, ElementsAre(1, 6));
  EXPECT_THAT(suite.drain_s, ElementsAre(0.1, 1));
  EXPECT_EQ(suite.memory_blocks, 2);
  EXPECT_FALSE(suite.floor);
  EXPECT_TRUE(suite_of("pair\n").floor);
  ASSERT_EQ(suite.lines.size(), 3U);
  EXPECT_FALSE(suite.lines[0].memory);
  EXPECT_EQ(suite.lines[1].workload, "larson:slots=10,max=99");
  EXPECT_THAT(suite.lines[1].threads, ElementsAre(2, 4));
  EXPECT_EQ(suite.lines[1].min_time_s, 0.25);
  EXPECT_TRUE(suite.lines[1].memory);
  EXPECT_EQ(suite.lines[2].iterations, 1000);
}

TEST(Suite, SaysWhatItIsForByItsFirstComment) {
  EXPECT_EQ(suite_of("# What for? And more.\n# Later\npair\n").purpose, "What for?");
  EXPECT_EQ(suite_of("# The rest: all of it\npair\n").purpose, "The rest");
  EXPECT_EQ(suite_of("pair\n# Later\n").purpose, "");
}

TEST(Suite, NamesFileAndLineOfAMistake) {
  EXPECT_THAT(suite_error("pair\nlarson thread=2\n"), HasSubstr("test.suite:2: unknown setting 'thread=2'"));
  EXPECT_THAT(suite_error("set repetitions=0\npair\n"), HasSubstr("test.suite:1: repetitions must be a whole number from 1"));
  EXPECT_THAT(suite_error("set min-time=nan\npair\n"), HasSubstr("min-time must be seconds above 0"));
  EXPECT_THAT(suite_error("pair threads=0\n"), HasSubstr("test.suite:1: threads must be thread counts from 1 to 4096"));
  EXPECT_THAT(suite_error("set floor=maybe\npair\n"), HasSubstr("unknown setting 'floor=maybe'"));
  EXPECT_THAT(suite_error("set drain=1,0.1\npair\n"), HasSubstr("ascending"));
  EXPECT_THAT(suite_error("# nothing\n"), HasSubstr("names no workload"));
}

TEST(Suite, ShippedOnesAreReadable) {
  const fs::path folder = SUITE_DIR;
  const auto names = suite_names(folder);
  EXPECT_THAT(names, testing::IsSupersetOf({"quick", "standard", "full", "smoke"}));
  for (const auto& name : names) {
    EXPECT_FALSE(load_suites(folder, {name}, 2).lines.empty()) << name;
  }
  EXPECT_THROW(load_suites(folder, {"quikc"}, 2), UsageError);
}

TEST(Suite, IsKnownByItsFileNotByItsName) {
  const fs::path folder = fs::path(testing::TempDir()) / ("suite_test." + std::to_string(getpid()));
  fs::create_directories(folder / "other");
  const auto write = [&](const char* file, const char* text) { std::ofstream(folder / file) << text; };
  write("quick.suite", "pair\n");
  write("quickest.suite", "swap\n");
  write("other/quick.suite", "batch\n");
  EXPECT_EQ(load_suites(folder, {"quickest", "quick"}, 2).lines.size(), 2U);
  EXPECT_EQ(load_suites(folder, {"quick", (folder / "other" / "quick.suite").string()}, 2).lines.size(), 2U);
  const Suite once = load_suites(folder, {"quick", (folder / "other" / ".." / "quick.suite").string()}, 2);
  EXPECT_EQ(once.name, "quick");
  fs::remove_all(folder);
}

TEST(Seconds, AreFinitePositiveAndBounded) {
  EXPECT_DOUBLE_EQ(parse_seconds("x", "0.25"), 0.25);
  for (const char* bad : {"0", "-1", "nan", "inf", "1e300", "", "1s", "1,5"}) {
    EXPECT_THROW(parse_seconds("x", bad), UsageError) << bad;
  }
}

TEST(ThreadCounts, AreThoseAskedForOnceEach) {
  EXPECT_THAT(thread_counts({1, 8}, true), ElementsAre(1, 8));
  EXPECT_THAT(thread_counts({4, 1, 4}, true), ElementsAre(4, 1));
  EXPECT_THAT(thread_counts({2, 4}, false), ElementsAre(1));
}

TEST(ThreadCounts, AreNumbersMultiplesOfTheCpusAndDoublings) {
  EXPECT_THAT(parse_threads("x", "1,cpus,2cpus", 6), ElementsAre(1, 6, 12));
  EXPECT_THAT(parse_threads("x", "1..2cpus", 2), ElementsAre(1, 2, 4));
  EXPECT_THAT(parse_threads("x", "1..2cpus", 6), ElementsAre(1, 2, 4, 8, 12));
  EXPECT_THAT(parse_threads("x", "3..3,cpus..4cpus", 8), ElementsAre(3, 8, 16, 32));
  EXPECT_THAT(parse_threads("x", "1..4096", 1), testing::SizeIs(13));
}

TEST(ThreadCounts, SayWhatIsWrongWithAWord) {
  for (const char* bad : {"", ",", "0", "-1", "1,,2", "two", "cpu", "0cpus", "-1cpus", "1.5cpus", "cpus2", "cpus/2", "1..", "..2",
                          "4..2", "1...2", "1..2..4", "4097", "1366cpus", "99999999999999999999", "1 ,2"}) {
    try {
      parse_threads("--threads", bad, 3);
      ADD_FAILURE() << "accepted: " << bad;
    } catch (const UsageError& error) {
      EXPECT_THAT(error.what(), HasSubstr("--threads must be thread counts from 1 to 4096, such as 1,2,cpus,2cpus or 1..2cpus")) << bad;
    }
  }
}

TEST(Workloads, AreSplitWithTheirParameters) {
  EXPECT_THAT(split_workloads("pair,larson:min=8,max=9,swap,batch:n=1"),
              ElementsAre("pair", "larson:min=8,max=9", "swap", "batch:n=1"));
}

TEST(WorkerRequest, SurvivesItsWayOverTheCommandLine) {
  worker::Request request;
  request.mode = worker::Mode::kMemory;
  request.result = "/tmp/a b.json";
  request.library = "/lib/x.so";
  request.workload = "larson:min=8,max=9";
  request.threads = 3;
  request.iterations = 123456789012;
  request.slice_iterations = 4321;
  request.turns = "/tmp/turns";
  request.seed = UINT64_MAX;
  request.drain_s = {0.1, 10};
  request.modules = {"/m.so"};
  auto words = worker::words_of(request);
  words.insert(words.begin(), "bench-worker");
  words.insert(words.end(), {"--", "--benchmark_x=1"});
  std::vector<char*> argv;
  for (auto& word : words) {
    argv.push_back(word.data());
  }
  const auto read = worker::parse_request(static_cast<int>(argv.size()), argv.data());
  EXPECT_EQ(worker::words_of(read), worker::words_of(request));
  EXPECT_EQ(read.seed, UINT64_MAX);
  EXPECT_EQ(read.drain_s, request.drain_s);
}

TEST(WorkerRequest, WithoutAResultIsRefused) {
  std::string name = "bench-worker";
  std::string word = "mode=identify";
  std::array<char*, 2> argv = {name.data(), word.data()};
  EXPECT_THROW(worker::parse_request(1, argv.data()), std::runtime_error);
  EXPECT_THROW(worker::parse_request(2, argv.data()), std::runtime_error);
}

TEST(Progress, EstimatesFromWhatWasSeen) {
  Progress progress(false);
  progress.expect("slow", 4, 1);
  progress.expect("unseen", 2, 1);
  EXPECT_DOUBLE_EQ(progress.seconds_left(), 6);
  progress.end("slow", 3);
  EXPECT_DOUBLE_EQ(progress.seconds_left(), 3 * 3 + 2 * 3);  // the unseen is thought to be as far off
  progress.drop("unseen", 2);
  EXPECT_DOUBLE_EQ(progress.seconds_left(), 9);
  EXPECT_EQ(format_duration(9), "9 s");
  EXPECT_EQ(format_duration(80), "1 min 20 s");
  EXPECT_EQ(format_duration(7500), "2 h 5 min");
}

TEST(FigurePattern, HasOneGroupAndFindsTheMeanOfAllMatches) {
  EXPECT_TRUE(is_figure_pattern("rate: ([0-9.]+)"));
  EXPECT_FALSE(is_figure_pattern("rate: [0-9.]+"));
  EXPECT_FALSE(is_figure_pattern("(a)(b)"));
  EXPECT_FALSE(is_figure_pattern("([0-9]"));
  EXPECT_EQ(mean_figure("rate: ([0-9.]+)", "rate: 10.5\nother\nrate: 20.5"), 15.5);
  EXPECT_EQ(mean_figure("^([0-9]+)$", "7\nx 8\n9\n"), 8);
  EXPECT_EQ(mean_figure("rate: ([0-9.]+)", "no figure"), std::nullopt);
  EXPECT_EQ(mean_figure("rate: ([0-9.]+)", std::string(1 << 20, 'r') + "ate: 4"), 4);
  EXPECT_EQ(mean_figure("(x*)", "aaa"), std::nullopt);
  EXPECT_EQ(mean_figure("rate:([ 0-9.]+)", "rate:  7 "), 7);
  for (const char* bad : {"inf", "nan", "1234,5", "1.2.3", "1e999"}) {
    EXPECT_EQ(mean_figure("rate: ([^ ]+)", std::string("rate: 3 \nrate: ") + bad + " "), std::nullopt) << bad;
  }
}

class ProcessTest : public testing::Test {
 protected:
  ProcessTest() : folder_(fs::path(testing::TempDir()) / ("process_test." + std::to_string(getpid()))) {
    fs::create_directories(folder_);
  }
  ~ProcessTest() override { fs::remove_all(folder_); }

  Finished shell(const std::string& script, double timeout_s = 30) {
    return run_to_end(command({"/bin/sh", "-c", script}, timeout_s), signals_);
  }
  Command command(std::vector<std::string> words, double timeout_s) const {
    return {std::move(words), environment_with({}, {"FIXTURE=1"}), folder_ / "out", folder_ / "err", timeout_s};
  }

  const fs::path folder_;
  Signals signals_;
};

TEST_F(ProcessTest, TellsExitCodesAndKeepsOutput) {
  const Finished finished = shell("echo out $FIXTURE; echo 'first\nlast\n' >&2; exit 7");
  EXPECT_EQ(finished.ending, Ending::kExited);
  EXPECT_EQ(finished.code, 7);
  EXPECT_EQ(last_line(folder_ / "out"), "out 1");
  EXPECT_EQ(last_line(folder_ / "err"), "last");
  const Attempt attempt = judge(finished, folder_ / "err", 30);
  EXPECT_EQ(attempt.status, Status::kFailed);
  EXPECT_EQ(attempt.detail, "last");
}

TEST_F(ProcessTest, TellsSignals) {
  const Finished finished = shell("kill -SEGV $$");
  EXPECT_EQ(finished.ending, Ending::kKilled);
  const Attempt attempt = judge(finished, folder_ / "err", 30);
  EXPECT_EQ(attempt.status, Status::kCrashed);
  EXPECT_THAT(attempt.detail, HasSubstr("SIGSEGV"));
}

TEST_F(ProcessTest, TellsExhaustedMemoryFromOtherFailures) {
  EXPECT_EQ(judge(shell("exit 75"), folder_ / "err", 30).status, Status::kOutOfMemory);
  EXPECT_EQ(judge(shell("exit 0"), folder_ / "err", 30).status, Status::kOk);
}

TEST_F(ProcessTest, KillsTheWholeGroupAtTheTimeout) {
  const Finished finished = shell("sleep 1000 & echo $!; wait", 0.3);
  EXPECT_EQ(finished.ending, Ending::kTimeout);
  EXPECT_EQ(judge(finished, folder_ / "err", 0.3).status, Status::kTimeout);
  const pid_t grandchild = std::stoi(last_line(folder_ / "out"));
  // Killed, but reaped by somebody else: it goes away soon, or stays as a zombie where nobody reaps.
  bool gone = false;
  for (int i = 0; i < 100 && !gone; ++i) {
    std::ifstream stat("/proc/" + std::to_string(grandchild) + "/stat");
    std::string text;
    std::getline(stat, text);
    gone = text.empty() || text.find(") Z") != std::string::npos;
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
  }
  EXPECT_TRUE(gone);
}

TEST_F(ProcessTest, TellsWhatCannotBeStarted) {
  const Finished finished = run_to_end(command({"/no/such/program"}, 5), signals_);
  EXPECT_EQ(finished.ending, Ending::kNotStarted);
  EXPECT_THAT(judge(finished, folder_ / "err", 5).detail, HasSubstr("No such file"));
}

TEST_F(ProcessTest, EndsTheChildWhenInterrupted) {
  std::thread user([] {
    std::this_thread::sleep_for(std::chrono::milliseconds(200));
    kill(getpid(), SIGINT);
  });
  const Finished finished = shell("sleep 1000");
  user.join();
  EXPECT_EQ(finished.ending, Ending::kInterrupted);
  EXPECT_TRUE(signals_.interrupted());
}

TEST(AllocatorEnvironment, SetsPreloadAndVariables) {
  setenv("LD_PRELOAD", "", 1);
  const auto environment = allocator_environment({"x", "/lib/x.so", {{"CONF", "1"}}}, 10);
  EXPECT_THAT(environment, testing::IsSupersetOf({"LD_PRELOAD=/lib/x.so", "CONF=1"}));
  EXPECT_THAT(allocator_environment({"glibc", {}, {}}, 0), testing::Each(testing::Not(testing::StartsWith("LD_PRELOAD="))));
}

std::size_t bytes_of(const std::vector<std::string>& environment) {
  std::size_t bytes = 0;
  for (const auto& entry : environment) {
    bytes += entry.size() + 1;
  }
  return bytes;
}

TEST(AllocatorEnvironment, IsOfOneSizeWhateverTheAllocator) {
  const std::size_t words = 100;
  const auto glibc = allocator_environment({"glibc", {}, {}}, 10, words);
  const auto near = allocator_environment({"near", "/lib/x.so", {}}, 10, words + 20);
  const auto far = allocator_environment({"far", "/a/folder/far/away/from/here/lib.so", {{"CONF", "1"}, {"MORE", "22"}}}, 10, words + 33);
  EXPECT_EQ(glibc.size(), near.size());
  EXPECT_EQ(glibc.size(), far.size());
  EXPECT_EQ(bytes_of(glibc) + words, bytes_of(near) + words + 20);
  EXPECT_EQ(bytes_of(glibc) + words, bytes_of(far) + words + 33);
  EXPECT_EQ(bytes_of(allocator_environment({"glibc", {}, {}}, 11, words)), bytes_of(glibc) + 1);
}

TEST(Staging, GivesLibrariesPathsOfOneLengthAndKeepsTheirIdentity) {
  namespace fs = std::filesystem;
  const fs::path root = fs::path(testing::TempDir()) / "staging_test";
  fs::remove_all(root);
  fs::create_directories(root / "far" / "away");
  fs::create_directories(root / "staged");
  const fs::path one = root / "one.so";
  const fs::path copy = root / "far" / "away" / "another.so";
  const fs::path tied = root / "tied.so";
  std::ofstream(one) << "code";
  std::ofstream(copy) << "code";
  std::ofstream(tied) << "RUNPATH $ORIGIN/../lib";
  std::vector<allocators::Candidate> field = {{"glibc", {}, {}}, {"one", one, {}}, {"copy", copy, {}}, {"tied", tied, {}}};
  const auto warnings = stage_libraries(field, root / "staged");
  EXPECT_TRUE(field[0].library.empty());
  EXPECT_EQ(field[1].original, one);
  EXPECT_EQ(field[2].original, copy);
  EXPECT_EQ(field[1].library.string().size(), field[2].library.string().size());
  EXPECT_EQ(field[1].library.parent_path(), field[2].library.parent_path());
  EXPECT_EQ(fs::file_size(field[1].library), fs::file_size(one));
  EXPECT_EQ(field[3].library, tied);
  ASSERT_EQ(warnings.size(), 1U);
  EXPECT_THAT(warnings[0].what, testing::HasSubstr("tied"));
}

}  // namespace
}  // namespace bench
