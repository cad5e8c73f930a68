// Proves that memory, faults, timelines, hashes and the environment are read from the right place, against memory that the test itself
// maps and touches, and that no peak is missed however the memory goes back. Does not prove anything about time.
#include <gmock/gmock.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "bench/measure/environment.hpp"
#include "bench/measure/host_card.hpp"
#include "bench/measure/peak_watch.hpp"
#include "bench/measure/process_memory.hpp"
#include "bench/measure/recent_demand.hpp"
#include "bench/measure/sha256.hpp"
#include "bench/measure/timeline.hpp"
#include "bench/measure/usage.hpp"

namespace bench {
namespace {

constexpr std::size_t kBlockBytes = 64U << 20;
constexpr std::size_t kSlackBytes = 4U << 20;  // what else the process may map meanwhile, and the kernel's batched counters

// Resident from the start, gone at the end.
class Touched {
 public:
  Touched() : memory_(mmap(nullptr, kBlockBytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0)) {
    std::memset(memory_, 1, kBlockBytes);
  }
  ~Touched() { munmap(memory_, kBlockBytes); }

 private:
  void* memory_;
};

TEST(ResidentMemory, PeakOutlivesTheBlockUntilItIsReset) {
  ASSERT_TRUE(reset_peak());
  const auto before = resident_memory();
  ASSERT_TRUE(before);
  { const Touched block; }
  const auto after = resident_memory();
  EXPECT_GE(after->peak_bytes, before->now_bytes + kBlockBytes - kSlackBytes);
  EXPECT_LT(after->now_bytes, before->now_bytes + kBlockBytes / 2);
  ASSERT_TRUE(reset_peak());
  EXPECT_LT(resident_memory()->peak_bytes, before->now_bytes + kBlockBytes / 2);
}

TEST(ResidentReader, SeesTouchedPages) {
  const ResidentReader reader;
  const auto before = reader.read_bytes();
  ASSERT_GT(before, 0U);
  const Touched block;
  EXPECT_GE(reader.read_bytes() + kSlackBytes, before + kBlockBytes);
}

TEST(MappingTotals, CountPrivateMemoryInFull) {
  const auto before = mapping_totals();
  ASSERT_TRUE(before);
  const Touched block;
  const auto after = mapping_totals();
  EXPECT_GE(after->proportional_bytes + kSlackBytes, before->proportional_bytes + kBlockBytes);
  EXPECT_GE(after->resident_bytes, after->proportional_bytes);
}

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr bool kShadowed = true;  // each page has others that tell of it, and these stay
#else
constexpr bool kShadowed = false;
#endif

// The ways in which memory goes back, each in a process of its own: the watch lasts until it ends.
enum class Loss { kUnmapped, kAdvised, kCut, kReplaced, kBreakLowered, kUnmappedByAThread };

class PeakWatchDeathTest : public testing::TestWithParam<Loss> {
 protected:
  static constexpr std::size_t kPages = 300;
  static inline const auto kPageBytes = static_cast<std::size_t>(sysconf(_SC_PAGESIZE));
  static inline const std::size_t kBytes = kPages * kPageBytes;

  static char* take(Loss loss) {
    if (loss == Loss::kBreakLowered) {
      return static_cast<char*>(sbrk(static_cast<std::intptr_t>(kBytes)));
    }
    void* memory = mmap(nullptr, kBytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    madvise(memory, kBytes, MADV_NOHUGEPAGE);
    return static_cast<char*>(memory);
  }
  static void lose(char* memory, Loss loss) {
    switch (loss) {
      case Loss::kUnmapped:
        munmap(memory, kBytes);
        break;
      case Loss::kAdvised:
        madvise(memory, kBytes, MADV_DONTNEED);
        break;
      case Loss::kCut:
        mremap(memory, kBytes, kPageBytes, 0);
        break;
      case Loss::kReplaced:
        mmap(memory, kBytes, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
        break;
      case Loss::kBreakLowered:
        sbrk(-static_cast<std::intptr_t>(kBytes));
        break;
      case Loss::kUnmappedByAThread:
        std::thread([memory] { munmap(memory, kBytes); }).join();
        break;
    }
  }
  // Ends the process: with 0 if the peak is that of the memory taken and lost, and the next one starts without it.
  [[noreturn]] static void watch(Loss loss) {
    constexpr std::size_t kOthers = 24;  // pages of the stack and, in a thread's case, of its stack
    PeakWatch& watch = PeakWatch::start();
    std::thread([] {}).join();  // or the code of it would count
    char* memory = take(loss);
    watch.reset();
    const std::uint64_t before_bytes = watch.peak_bytes();
    for (std::size_t page = 0; page < kPages; ++page) {
      static_cast<volatile char*>(memory)[page * kPageBytes] = 1;
    }
    lose(memory, loss);
    const std::uint64_t pages = (watch.peak_bytes() - before_bytes) / kPageBytes;
    watch.reset();
    const std::uint64_t left_pages = (std::max(watch.peak_bytes(), before_bytes) - before_bytes) / kPageBytes;
    std::fprintf(stderr, "peak %zu pages, %zu left\n", static_cast<std::size_t>(pages), static_cast<std::size_t>(left_pages));
    const bool no_more = pages <= kPages + kOthers && left_pages <= kOthers;
    std::_Exit(pages >= kPages && (no_more || kShadowed) ? 0 : 1);
  }
};

TEST_P(PeakWatchDeathTest, SeesEachPageOfAPeakThatIsOver) {
  ASSERT_TRUE(PeakWatch::available());
  EXPECT_EXIT(watch(GetParam()), testing::ExitedWithCode(0), "peak [0-9]* pages");
}

std::string name_of(const testing::TestParamInfo<Loss>& loss) {
  static constexpr const char* kNames[] = {"Unmapped", "Advised", "Cut", "Replaced", "BreakLowered", "UnmappedByAThread"};
  return kNames[static_cast<int>(loss.param)];
}

INSTANTIATE_TEST_SUITE_P(Ways, PeakWatchDeathTest,
                         testing::Values(Loss::kUnmapped, Loss::kAdvised, Loss::kCut, Loss::kReplaced, Loss::kBreakLowered,
                                         Loss::kUnmappedByAThread),
                         name_of);

TEST(Usage, CountsAFaultForEachPageAtLeastOfHugeSize) {
  const Usage before = usage_so_far();
  { const Touched block; }
  const Usage spent = usage_so_far() - before;
  EXPECT_GE(spent.minor_faults, static_cast<std::int64_t>(kBlockBytes >> 21));
  EXPECT_GE(spent.user_s + spent.system_s, 0);
}

TEST(Timeline, RecordsRiseMarksAndMean) {
  static std::uint64_t live = 7;
  Timeline timeline(std::chrono::milliseconds(1), [] { return live; });
  timeline.start();
  {
    const Touched block;
    timeline.mark("full");
    std::this_thread::sleep_for(std::chrono::milliseconds(30));
  }
  timeline.mark("empty");
  timeline.stop();
  timeline.stop();
  const auto points = timeline.points();
  ASSERT_GE(points.size(), 3U);
  std::uint64_t highest = 0;
  for (std::size_t i = 1; i < points.size(); ++i) {
    EXPECT_GE(points[i].time_ns, points[i - 1].time_ns);
    EXPECT_EQ(points[i].live_bytes, 7U);
    highest = std::max(highest, points[i].resident_bytes);
  }
  EXPECT_GE(highest + kSlackBytes, points.front().resident_bytes + kBlockBytes);
  EXPECT_LE(timeline.mean_resident_bytes(), static_cast<double>(highest));
  EXPECT_GE(timeline.mean_resident_bytes(), static_cast<double>(points.front().resident_bytes) / 2);
  ASSERT_EQ(timeline.marks().size(), 2U);
  EXPECT_STREQ(timeline.marks()[0].name, "full");
  EXPECT_GT(timeline.marks()[0].totals.resident_bytes, timeline.marks()[1].totals.resident_bytes);
}

TEST(Sha256, GivesThePublishedDigest) {
  const std::filesystem::path file = std::filesystem::path(testing::TempDir()) / "sha256_test";
  std::ofstream(file) << "abc";
  EXPECT_EQ(sha256_of_file(file), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  std::filesystem::remove(file);
  EXPECT_FALSE(sha256_of_file(file));
}

TEST(Environment, HasWhatReportsRead) {
  const auto environment = describe_environment();
  for (const char* key : {"cpu", "memory_bytes", "kernel", "libc", "compiler", "build_type", "commit", "dirty", "date", "host"}) {
    EXPECT_TRUE(environment.contains(key)) << key;
  }
  EXPECT_GE(environment["cpu"]["usable"], 1);
}

std::string warnings_of(const nlohmann::json& environment) {
  std::string all;
  for (const auto& warning : host_warnings(environment)) {
    EXPECT_FALSE(warning.remedy.empty());
    all += warning.what + "\n";
  }
  return all;
}

TEST(HostWarnings, NameEachDoubtAndNoOther) {
  nlohmann::json calm = {{"cpu", {{"usable", 4}, {"governor", "performance"}, {"turbo", false}}},
                         {"load_average", "0.10 0.2 0.3 1/2 3"},
                         {"transparent_huge_pages", "madvise"},
                         {"build_type", "Release"},
                         {"commit", "c0ffee"},
                         {"dirty", false},
                         {"allocator_variables", nlohmann::json::array()}};
  EXPECT_EQ(warnings_of(calm), "");
  nlohmann::json doubtful = calm;
  doubtful["cpu"]["governor"] = "powersave";
  doubtful["cpu"]["turbo"] = true;
  doubtful["load_average"] = "3.50 1 1 1/2 3";
  doubtful["memory_limit_bytes"] = 1 << 30;
  doubtful["transparent_huge_pages"] = "always";
  doubtful["peak_watch"] = false;
  doubtful["build_type"] = "Debug";
  doubtful["dirty"] = true;
  doubtful["allocator_variables"] = {"MALLOC_ARENA_MAX=1", "LD_PRELOAD=/x.so"};
  const auto text = warnings_of(doubtful);
  for (const char* part : {"powersave", "turbo", "3.50", "1024 MiB", "always", "up to 496 KiB too low", "Debug", "c0ffee", "MALLOC_ARENA_MAX=1 is set",
                           "LD_PRELOAD=/x.so is not passed on"}) {
    EXPECT_THAT(text, testing::HasSubstr(part));
  }
}

TEST(HostCard, HasEveryCost) {
  const auto card = host_card(Effort::kQuick);
  const auto& costs = card.at("costs");
  for (const char* key : {"system_call_ns", "clock_ns", "small_page_ns"}) {
    EXPECT_GT(costs.at(key).get<double>(), 0) << key;
  }
  EXPECT_EQ(costs.at("give_back_ns").size(), 4U);
  EXPECT_THAT(card.at("line").get<std::string>(), testing::HasSubstr("giving back 1/33/34/512 pages"));
}

TEST(HostWarnings, TellWhatSpoilsFiguresAndWhatMendsIt) {
  nlohmann::json environment = {{"cpu", {{"usable", 2}, {"turbo", true}}}, {"allocator_variables", nlohmann::json::array()}, {"build_type", "Release"}};
  environment["card"] = {{"steal_share", 0.2}, {"swap_used_bytes", 1 << 30}, {"clock_source", "hpet"}, {"costs", {{"slice_spread", 0.2}}},
                         {"cgroup", {{"cpu.max", "100000 100000"}}}, {"numa_nodes", "0-1"}, {"numa_balancing", "1"}};
  std::string all;
  std::size_t mendable = 0;
  for (const auto& warning : host_warnings(environment)) {
    all += warning.what + "\n";
    mendable += warning.settings.empty() ? 0 : 1;
    EXPECT_FALSE(warning.remedy.empty());
  }
  for (const char* part : {"turbo is on", "gave 20 %", "1024 MiB are swapped out", "the clock is hpet", "cpu.max", "memory nodes 0-1", "differ by 20.0 %"}) {
    EXPECT_THAT(all, testing::HasSubstr(part));
  }
  EXPECT_EQ(mendable, 2U);
}

TEST(HostWarnings, MendingWritesTheSettingAndSaysWhatItWas) {
  const std::string file = testing::TempDir() + "/setting." + std::to_string(getpid());
  std::ofstream(file) << "powersave\n";
  const auto lines = mend({"", "", {{file, "performance"}, {"/no/such/file", "1"}}});
  ASSERT_EQ(lines.size(), 2U);
  EXPECT_EQ(lines[0], file + " is now performance (was powersave)");
  EXPECT_THAT(lines[1], testing::HasSubstr("stays absent: No such file"));
  std::remove(file.c_str());
}

constexpr std::uint64_t kBefore = 100;

// Readings half a second apart: resident bytes above kBefore, and live bytes.
double realized(std::initializer_list<std::pair<std::uint64_t, std::uint64_t>> readings) {
  std::vector<TimelinePoint> points;
  for (const auto& [held, live] : readings) points.push_back({static_cast<std::int64_t>(points.size()) * kRecentNs / 2, kBefore + held, live});
  return realized_fragmentation(points, kBefore);
}

TEST(RealizedFragmentation, IsWhatIsHeldBeyondLevelDemand) { EXPECT_DOUBLE_EQ(realized({{125, 100}, {125, 100}, {125, 100}, {125, 100}}), 0.25); }

TEST(RealizedFragmentation, ForgivesATideThatIsBackWithinTheWindow) {
  EXPECT_DOUBLE_EQ(realized({{100, 100}, {100, 10}, {100, 10}, {100, 100}, {100, 10}}), 0);
}

// Demand 100, 100, 100, 10, 10: of what is kept after the window 90 each is too much.
TEST(RealizedFragmentation, CountsWhatIsKeptForLonger) {
  EXPECT_DOUBLE_EQ(realized({{100, 100}, {100, 10}, {100, 10}, {100, 10}, {100, 10}}), 180.0 / 320);
}

TEST(RealizedFragmentation, IsNoneWithoutReadingsOrDemandOrWhereLessIsHeld) {
  EXPECT_EQ(realized({}), 0);
  EXPECT_EQ(realized({{50, 0}, {50, 0}}), 0);
  EXPECT_EQ(realized({{50, 100}, {50, 100}}), 0);
}

}  // namespace
}  // namespace bench
