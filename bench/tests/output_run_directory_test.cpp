// Proves what a run leaves on disk: complete rows however it ends, whole files only, nothing
// overwritten, and one line with a remedy when it cannot write. A full disk is simulated by a limit
// on file size and by /dev/full, not by a full file system.
#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <filesystem>
#include <fstream>
#include <functional>
#include <sstream>

#include "bench/output/format.hpp"
#include "bench/output/csv_file.hpp"
#include "bench/output/run_directory.hpp"
#include "bench/tests/sample_run.hpp"

namespace bench {
namespace {

namespace fs = std::filesystem;
using testing::HasSubstr;

class RunDirectoryTest : public testing::Test {
 protected:
  RunDirectoryTest() {
    std::string pattern = testing::TempDir() + "run_directory_XXXXXX";
    folder_ = ::mkdtemp(pattern.data());
  }
  ~RunDirectoryTest() override { fs::remove_all(folder_); }

  [[nodiscard]] fs::path run() const { return folder_ / "deep" / "run"; }
  [[nodiscard]] std::string text(const char* file) const {
    std::ifstream in(run() / file);
    std::ostringstream all;
    all << in.rdbuf();
    return all.str();
  }

  fs::path folder_;
};

// What it throws, or "".
std::string error_of(const std::function<void()>& action) {
  try {
    action();
  } catch (const std::runtime_error& error) {
    return error.what();
  }
  return "";
}

// Runs the action in a child process; whether it ended with true.
bool in_child(const std::function<bool()>& action) {
  const pid_t child = ::fork();
  if (child == 0) {
    ::_exit(action() ? 0 : 1);
  }
  int status = -1;
  ::waitpid(child, &status, 0);
  return status == 0;
}

TEST_F(RunDirectoryTest, WritesEveryFileAndReadsTheSamplesBack) {
  const auto samples = sample_run::samples();
  RunDirectory directory(run());
  directory.append(std::span(samples).first(10));
  directory.append(std::span(samples).subspan(10));
  directory.write(sample_run::report());
  directory.write(sample_run::report());  // replaces
  for (const char* file :
       {"summary.csv", "means.csv", "benchmark.json", "environment.json", "report.md"}) {
    EXPECT_FALSE(text(file).empty()) << file;
    EXPECT_FALSE(fs::exists(run() / (std::string(file) + ".new"))) << file;
  }
  const auto back = read_samples(run() / "samples.csv");
  ASSERT_EQ(back.size(), samples.size());
  for (std::size_t i = 0; i < back.size(); ++i) {
    EXPECT_EQ(samples_csv_row(back[i]), samples_csv_row(samples[i]));
    EXPECT_EQ(back[i].value, samples[i].value);
  }
}

TEST_F(RunDirectoryTest, RowsAreOnDiskAsSoonAsTheyAreAppended) {
  RunDirectory directory(run());
  const auto samples = sample_run::samples();
  directory.append(std::span(samples).first(1));
  EXPECT_EQ(read_samples(run() / "samples.csv").size(), 1U);  // though `directory` still lives
}

TEST_F(RunDirectoryTest, PackedSamplesAreReadAsPlainOnes) {
  {
    RunDirectory directory(run());
    directory.append(sample_run::samples());
  }
  const fs::path plain = run() / "samples.csv";
  const fs::path packed = run() / "samples.csv.gz";
  EXPECT_EQ(packed_or_plain(plain), plain);
  ASSERT_EQ(std::system(("gzip " + plain.string()).c_str()), 0);
  EXPECT_EQ(packed_or_plain(plain), packed);
  EXPECT_EQ(read_samples(packed).size(), sample_run::samples().size());
  fs::resize_file(packed, fs::file_size(packed) / 2);
  EXPECT_THAT(error_of([&] { read_samples(packed); }), HasSubstr("samples.csv.gz: damaged"));
}

TEST_F(RunDirectoryTest, NeverOverwritesSamples) {
  { RunDirectory directory(run()); }
  const std::string error = error_of([&] { RunDirectory again(run()); });
  EXPECT_THAT(error, HasSubstr("samples.csv: File exists"));
  EXPECT_THAT(error, HasSubstr("--out"));
}

TEST_F(RunDirectoryTest, ContinuesAfterCuttingOffHalfARow) {
  const auto samples = sample_run::samples();
  {
    RunDirectory directory(run());
    directory.append(std::span(samples).first(2));
  }
  std::ofstream(run() / "samples.csv", std::ios::app) << "0,pair,1,glibc,through";
  RunDirectory directory(run(), Existing::kContinue);
  directory.append(std::span(samples).subspan(2, 1));
  EXPECT_EQ(read_samples(run() / "samples.csv").size(), 3U);
}

TEST_F(RunDirectoryTest, ContinuingNothingStartsAnew) {
  RunDirectory directory(run(), Existing::kContinue);
  EXPECT_EQ(text("samples.csv"), samples_csv_header());
}

TEST_F(RunDirectoryTest, AnImpossibleDirectoryIsOneLineWithARemedy) {
  std::ofstream(folder_ / "file") << "x";
  const std::string error = error_of([&] { RunDirectory directory(folder_ / "file" / "run"); });
  EXPECT_THAT(error, HasSubstr("cannot write"));
  EXPECT_THAT(error, HasSubstr("--out"));
  EXPECT_EQ(error.find('\n'), std::string::npos);
}

TEST_F(RunDirectoryTest, AFullDiskLeavesWholeRowsAndOldFiles) {
  const auto samples = sample_run::samples();
  RunDirectory directory(run());
  directory.append(std::span(samples).first(1));
  directory.write(digest(sample_run::facts(), {}));
  const std::string before = text("report.md");
  EXPECT_TRUE(in_child([&] {
    std::signal(SIGXFSZ, SIG_IGN);
    const rlimit limit{200, 200};  // in the middle of the second or third row
    ::setrlimit(RLIMIT_FSIZE, &limit);
    const std::string rows = error_of([&] { directory.append(samples); });
    const std::string files = error_of([&] { directory.write(sample_run::report()); });
    return rows.find("samples.csv: File too large") != std::string::npos &&
           files.find("environment.json: File too large") != std::string::npos;
  }));
  EXPECT_EQ(read_samples(run() / "samples.csv").size(), 1U);
  EXPECT_EQ(text("report.md"), before);
  EXPECT_FALSE(fs::exists(run() / "environment.json.new"));
}

TEST(WriteStdout, TellsOfAFullDisk) {
  EXPECT_TRUE(in_child([] {
    const int full = ::open("/dev/full", O_WRONLY);
    ::dup2(full, STDOUT_FILENO);
    return error_of([] { write_stdout("table"); }).find("No space left on device") !=
           std::string::npos;
  }));
}

TEST_F(RunDirectoryTest, DamagedSamplesAreNamedByLine) {
  fs::create_directories(run());
  const auto complaint = [&](const std::string& rows) {
    std::ofstream(run() / "samples.csv") << samples_csv_header() << rows;
    try {
      read_samples(run() / "samples.csv");
    } catch (const std::runtime_error& error) {
      return std::string(error.what());
    }
    return std::string();
  };
  const std::string good = "0,pair,1,synthetic,glibc,throughput,ops/s,1,0.5,ok,\n";
  EXPECT_EQ(complaint(good), "");
  for (const std::string bad :
       {"0,pair,1,synthetic,glibc,throughput,ops/s,1,,ok\n",
        "x,pair,1,synthetic,glibc,throughput,ops/s,1,,ok,\n",
        "0,pair,1,synthetic,glibc,throughput,ops/s,,,ok,\n",
        "0,pair,1,synthetic,glibc,throughput,ops/s,1,,CRASHED,\n",
        "0,pair,1,synthetic,glibc,throughput,ops/s,1e,,ok,\n",
        "0,pair,1,synthetic,glibc,throughput,ops/s,1,,odd,\n",
        "0,pair,1,other,glibc,throughput,ops/s,1,,ok,\n",
        "0,pair,1,synthetic,glibc,throughput,ops/s,1,x,ok,\n"}) {
    EXPECT_THAT(complaint(good + bad), HasSubstr("samples.csv:3: not a row")) << bad;
  }
  std::ofstream(run() / "samples.csv") << "a,b\n";
  EXPECT_THROW(read_samples(run() / "samples.csv"), std::runtime_error);
  EXPECT_THROW(read_samples(run() / "absent.csv"), std::runtime_error);
}

}  // namespace
}  // namespace bench
