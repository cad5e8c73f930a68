// Proves that osmem survives a system that refuses: each memory call failing on its n-th use, alone
// and from then on, for every n up to 200 (in short form the first ten and a sample of the others); too little address space, data segment, lockable memory
// or mappings. Each case is a process of its own (osmem-fault-child), so that the heap's very first
// calls are among those that fail. Requests then succeed or give null with ENOMEM; once the system
// gives again, requests succeed again, and every block comes back. Does not prove behaviour under the
// kernel's own overcommit_memory=2, which is the whole machine's: its account is emulated
// (commit_budget.hpp). A cgroup's limit is tested where a group may be made, else skipped.
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "allocator/tests/level.hpp"

namespace {

struct Limit {
  int resource = -1;  // none
  rlim_t value = 0;
};

constexpr int kNotOnThisSystem = 77;

// Runs the child program with the load after prepare(), which is called in the child; its wait status.
int status_of(const char* load, const std::function<void()>& prepare) {
  const pid_t child = fork();
  if (child == 0) {
    prepare();
    execl(FAULT_CHILD, FAULT_CHILD, load, nullptr);
    _exit(4);
  }
  int status = -1;
  EXPECT_EQ(waitpid(child, &status, 0), child);
  return status;
}

void expect_survived(int status, const std::string& what) {
  if (WIFSIGNALED(status)) {
    ADD_FAILURE() << what << ": died by signal " << WTERMSIG(status);
  } else if (WEXITSTATUS(status) == kNotOnThisSystem) {
    GTEST_SKIP() << what << ": not on this system";
  } else {
    EXPECT_EQ(WEXITSTATUS(status), 0) << what;
  }
}

// Starts the child program with the load, the plan (see faults.hpp) and the limit.
void expect_survives(const char* load, const std::string& plan, const Limit& limit = {}) {
  const int status = status_of(load, [&] {
    if (!plan.empty()) {
      setenv("OSMEM_TEST_FAULTS", plan.c_str(), 1);
    }
    const rlimit both{limit.value, limit.value};
    if (limit.resource >= 0 &&
        setrlimit(static_cast<__rlimit_resource_t>(limit.resource), &both) != 0) {
      _exit(3);
    }
  });
  expect_survived(status,
                  std::string(load) + " " + plan + " limit " + std::to_string(limit.value));
}

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr int kLargestN = 20;  // a process under a sanitizer takes long to start
constexpr int kFirst = 4;
#else
constexpr int kLargestN = 200;
constexpr int kFirst = 10;  // calls, each of which fails once in short form, too
#endif

class Faults : public testing::TestWithParam<std::string> {};

TEST_P(Faults, EveryNthCallMayFail) {
  const uint64_t seed = test_level::is_long() ? 0 : test_level::seed_of_the_day();
  const auto is_wanted = [seed](int n) {
    return test_level::is_long() || n <= kFirst || test_level::mixed(seed, static_cast<uint64_t>(n)) % 16 == 0;
  };
  for (int n = 1; n <= kLargestN && !HasFailure(); n++) {
    if (is_wanted(n)) {
      expect_survives("faults", GetParam() + ":" + std::to_string(n));
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Calls, Faults,
                         testing::Values("mmap:once", "mmap:on", "munmap:once", "munmap:on",
                                         "mprotect:once", "mprotect:on", "madvise:once",
                                         "madvise:on", "mremap:once", "mremap:on", "sbrk:once",
                                         "sbrk:on"),
                         [](const auto& tested) {
                           std::string name = tested.param;
                           name.replace(name.find(':'), 1, "_");
                           return name;
                         });

TEST(FaultPlans, TheLoadMakesTheCalls) {
  const char* const heap = getenv("OSMEM_HEAP");
  const bool on_break = heap != nullptr && strcmp(heap, "sbrk") == 0;
  expect_survives("count-calls", "mmap:once:1000000000");
  expect_survives("count-calls", "munmap:once:1000000000");
  expect_survives("count-calls", "madvise:once:1000000000");
  expect_survives("count-calls", "mremap:once:1000000000");
  expect_survives("count-calls", on_break ? "sbrk:once:1000000000" : "mprotect:once:1000000000");
}

// Sanitizers need far more address space than these limits leave.
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)

// From 32 MiB on: below, the dynamic linker cannot even load the program.
TEST(Limits, AddressSpaceFrom32MiBTo16GiB) {
  for (int log2 = 25; log2 <= 34; log2++) {
    expect_survives("into-limit", "", {RLIMIT_AS, rlim_t{1} << log2});
  }
}

TEST(Limits, SixtyFourMiBOfAddressSpaceAreEnoughToWork) {
  for (const rlim_t mebibytes : {64, 128, 512, 4096}) {
    expect_survives("small-blocks", "", {RLIMIT_AS, mebibytes << 20});
  }
}

TEST(Limits, DataSegment) {
  for (const rlim_t mebibytes : {1, 4, 16, 64, 256}) {
    expect_survives("into-limit", "", {RLIMIT_DATA, mebibytes << 20});
  }
}

TEST(Limits, LockedMemoryIsNotTakenForReservedAddressSpace) { expect_survives("locked", ""); }

TEST(Limits, LockedOnFault) { expect_survives("locked-on-fault", ""); }

TEST(Limits, LockableMemoryUsedUp) {
  expect_survives("locked-as-nobody", "", {RLIMIT_MEMLOCK, rlim_t{8} << 20});
}

TEST(Limits, MappingsUsedUp) { expect_survives("without-mappings", ""); }

void expect_survives_with(const char* load, const char* variable, const std::string& value) {
  const int status = status_of(load, [&] { setenv(variable, value.c_str(), 1); });
  expect_survived(status, std::string(load) + " " + variable + "=" + value);
}

// What vm.overcommit_memory=2 does, by an account of our own: see the head of this file.
TEST(EmulatedStrictOvercommit, RequestsAreRefusedAndTheHeapGoesOn) {
  for (const size_t mebibytes : {1, 4, 8, 16}) {
    expect_survives_with("beyond-limit", "OSMEM_TEST_COMMIT_BUDGET",
                         std::to_string(mebibytes << 20));
  }
}

TEST(EmulatedStrictOvercommit, ReservedAddressSpaceIsNotCharged) {
  expect_survives_with("small-blocks", "OSMEM_TEST_COMMIT_BUDGET", std::to_string(40 << 20));
}

TEST(EmulatedStrictOvercommit, CachedMappingsMakeRoomForSmallBlocks) {
  expect_survives_with("small-blocks-after-mapping", "OSMEM_TEST_COMMIT_BUDGET",
                       std::to_string(40 << 20));
}

TEST(HugePages, BehindEveryMappingAsUnderAlways) {
  expect_survives_with("huge-pages", "OSMEM_TEST_HUGE_PAGES", "1");
}

TEST(HugePages, SwitchedOffForTheProcess) { expect_survives("no-huge-pages", ""); }

// A group of the memory controller, version 1 or 2, below the root; gone with the object.
class MemoryGroup {
 public:
  explicit MemoryGroup(size_t limit_bytes) {
    const std::string name = "/osmem-test-" + std::to_string(getpid());
    for (const auto& [root, file] : {std::pair{"/sys/fs/cgroup/memory", "memory.limit_in_bytes"},
                                     std::pair{"/sys/fs/cgroup", "memory.max"}}) {
      path_ = root + name;
      std::error_code error;
      if (!std::filesystem::create_directory(path_, error)) {
        continue;
      }
      std::ofstream limit(path_ + "/" + file);
      limit << limit_bytes << std::flush;
      if (limit) {
        return;
      }
      std::filesystem::remove(path_, error);
    }
    path_.clear();
  }
  ~MemoryGroup() {
    if (!path_.empty()) {
      rmdir(path_.c_str());
    }
  }
  MemoryGroup(const MemoryGroup&) = delete;
  MemoryGroup& operator=(const MemoryGroup&) = delete;

  bool exists() const { return !path_.empty(); }
  // The calling process joins.
  void enter() const {
    std::ofstream processes(path_ + "/cgroup.procs");
    processes << getpid() << std::flush;
    if (!processes) {
      _exit(5);
    }
  }

 private:
  std::string path_;
};

TEST(CgroupLimit, LiveBytesBelowItAreEnoughAndBeyondItTheKernelKills) {
  const MemoryGroup group(size_t{64} << 20);
  if (!group.exists()) {
    GTEST_SKIP() << "no cgroup with a memory limit can be made here: needs root and the memory controller";
  }
  expect_survived(status_of("bounded-live-bytes", [&] { group.enter(); }), "bounded-live-bytes");
  const int status = status_of("touch-256-mib", [&] { group.enter(); });
  EXPECT_TRUE(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL) << "the limit was not in force";
}

#endif

}  // namespace
