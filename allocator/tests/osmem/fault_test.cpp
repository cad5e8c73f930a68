// Proves that osmem survives a system that refuses: each memory call failing on its n-th use, alone
// and from then on, for every n up to 200; too little address space, data segment, lockable memory
// or mappings. Each case is a process of its own (osmem-fault-child), so that the heap's very first
// calls are among those that fail. Requests then succeed or give null with ENOMEM; once the system
// gives again, requests succeed again, and every block comes back. Does not prove behaviour under
// overcommit_memory=2 or a cgroup's limit, which are the machine's settings.
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <vector>

namespace {

struct Limit {
  int resource = -1;  // none
  rlim_t value = 0;
};

// Starts the child program with the load, the plan (see faults.hpp) and the limit.
void expect_survives(const char* load, const std::string& plan, const Limit& limit = {}) {
  const pid_t child = fork();
  ASSERT_GE(child, 0);
  if (child == 0) {
    if (!plan.empty()) {
      setenv("OSMEM_TEST_FAULTS", plan.c_str(), 1);
    }
    const rlimit both{limit.value, limit.value};
    if (limit.resource >= 0 &&
        setrlimit(static_cast<__rlimit_resource_t>(limit.resource), &both) != 0) {
      _exit(3);
    }
    execl(FAULT_CHILD, FAULT_CHILD, load, nullptr);
    _exit(4);
  }
  int status = 0;
  ASSERT_EQ(waitpid(child, &status, 0), child);
  const std::string what = std::string(load) + " " + plan + " limit " + std::to_string(limit.value);
  if (WIFSIGNALED(status)) {
    ADD_FAILURE() << what << ": died by signal " << WTERMSIG(status);
  } else {
    EXPECT_EQ(WEXITSTATUS(status), 0) << what;
  }
}

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr int kLargestN = 20;  // a process under a sanitizer takes long to start
#else
constexpr int kLargestN = 200;
#endif

class Faults : public testing::TestWithParam<std::string> {};

TEST_P(Faults, EveryNthCallMayFail) {
  for (int n = 1; n <= kLargestN && !HasFailure(); n++) {
    expect_survives("faults", GetParam() + ":" + std::to_string(n));
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

TEST(Limits, LockableMemoryUsedUp) {
  expect_survives("locked-as-nobody", "", {RLIMIT_MEMLOCK, rlim_t{8} << 20});
}

TEST(Limits, MappingsUsedUp) { expect_survives("without-mappings", ""); }

#endif

}  // namespace
