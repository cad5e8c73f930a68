// Proves how children are started, awaited and ended: no end is missed, whatever the process inherited, whoever took the signal, whichever group
// or user the child is of by then; nothing is waited for without an end, and nothing outlives us. Does not prove what bench makes of an
// end: see bench_cli_test.py.
#include <fcntl.h>
#include <gmock/gmock.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/wait.h>
#include <unistd.h>

#include <fstream>
#include <functional>
#include <sstream>
#include <thread>

#include "bench/measure/clock.hpp"
#include "bench/process/exec_tree.hpp"
#include "bench/process/process.hpp"

namespace bench {
namespace {

namespace fs = std::filesystem;
using testing::HasSubstr;

std::string text_of(const fs::path& file) {
  std::ifstream in(file);
  std::ostringstream out;
  out << in.rdbuf();
  return out.str();
}

bool is_alive(pid_t process) {
  const std::string stat = text_of("/proc/" + std::to_string(process) + "/stat");
  return !stat.empty() && stat.find(") Z") == std::string::npos;
}

bool comes_about(const std::function<bool()>& condition) {
  for (int i = 0; i < 1500; ++i) {
    if (condition()) {
      return true;
    }
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
  }
  return false;
}

class Process : public testing::Test {
 protected:
  Process() : folder_(fs::path(testing::TempDir()) / ("process_test." + std::to_string(getpid()))) { fs::create_directories(folder_); }
  ~Process() override { fs::remove_all(folder_); }

  Command shell(const std::string& script, double timeout_s = 60, const std::string& name = "child") const {
    return {{"/bin/sh", "-c", script}, environment_with({}, {}), folder_ / (name + ".out"), folder_ / (name + ".err"), timeout_s};
  }
  // The number that the script prints first.
  pid_t number_from(const std::string& name = "child") const {
    const fs::path file = folder_ / (name + ".out");
    EXPECT_TRUE(comes_about([&] { return text_of(file).find('\n') != std::string::npos; }));
    return std::atoi(text_of(file).c_str());
  }

  const fs::path folder_;
};

TEST_F(Process, AnEndIsSeenThoughSomebodyTookTheSignalOfIt) {
  Signals signals;
  Child child = start(shell("exit 3"), signals);
  const pid_t process = child.process();
  const Watch watch{std::chrono::hours(1), [&] {
                      siginfo_t ended{};
                      waitid(P_PID, static_cast<id_t>(process), &ended, WEXITED | WNOWAIT);
                      EXPECT_FALSE(signals.interrupted());
                    }};
  EXPECT_EQ(await_end(child, signals, &watch).code, 3);
}

TEST_F(Process, AFailureIsSeenThoughSigchldWasIgnoredFromTheStart) {
  std::signal(SIGCHLD, SIG_IGN);
  {
    Signals signals;
    EXPECT_EQ(run_to_end(shell("exit 3"), signals).code, 3);
    EXPECT_EQ(run_to_end(shell("kill -SEGV $$"), signals).ending, Ending::kKilled);
  }
  struct sigaction now {};
  sigaction(SIGCHLD, nullptr, &now);
  EXPECT_EQ(now.sa_handler, SIG_IGN);  // as it was found
  std::signal(SIGCHLD, SIG_DFL);
}

TEST_F(Process, WhatIsIgnoredFromTheStartDoesNotInterrupt) {
  std::signal(SIGHUP, SIG_IGN);
  Signals signals;
  raise(SIGHUP);
  EXPECT_FALSE(signals.interrupted());
  raise(SIGTERM);
  EXPECT_TRUE(signals.interrupted());
}

TEST_F(Process, WritesWhereItShouldThoughTheStandardDescriptorsAreClosed) {
  Signals signals;
  guard::take_slot();  // it takes descriptors, too
  int saved[3];
  for (int i = 0; i < 3; ++i) {
    saved[i] = fcntl(i, F_DUPFD_CLOEXEC, 10);
    close(i);
  }
  const Finished finished = run_to_end(shell("cat; echo out; echo err >&2"), signals);
  for (int i = 0; i < 3; ++i) {
    dup2(saved[i], i);
    close(saved[i]);
  }
  EXPECT_EQ(finished.ending, Ending::kExited);
  EXPECT_EQ(finished.code, 0);
  EXPECT_EQ(text_of(folder_ / "child.out"), "out\n");
  EXPECT_EQ(text_of(folder_ / "child.err"), "err\n");
}

TEST_F(Process, TellsWhyItCannotBeStarted) {
  Signals signals;
  Command command = shell("");
  command.words = {"/no/such/program"};
  EXPECT_EQ(run_to_end(command, signals).ending, Ending::kNotStarted);
  EXPECT_EQ(run_to_end(command, signals).code, ENOENT);
  command = shell("");
  command.stdout_file = "/no/such/folder/out";
  EXPECT_EQ(run_to_end(command, signals).code, ENOENT);
}

TEST_F(Process, IsEndedAtItsTimeoutThoughItLeftItsGroup) {
  if (access("/usr/bin/perl", X_OK) != 0) {
    GTEST_SKIP() << "needs perl";
  }
  Signals signals;
  Child child = start(shell("exec perl -e 'setpgrp(0, getpgrp(getppid())) or die; $| = 1; print \"$$\\n\"; sleep 1000'"), signals);
  const pid_t process = number_from();
  EXPECT_NE(getpgid(process), process);
  child.set_deadline_ns(monotonic_ns());
  EXPECT_EQ(await_end(child, signals).ending, Ending::kTimeout);
  EXPECT_FALSE(child.finished().goes_on);
  EXPECT_FALSE(is_alive(process));
}

TEST_F(Process, WhatItLeavesInItsGroupIsEndedWithIt) {
  Signals signals;
  run_to_end(shell("sleep 1000 & echo $!"), signals);
  const pid_t left = number_from();
  EXPECT_TRUE(comes_about([&] { return !is_alive(left); }));
}

// The command of a process that belongs to root altogether, whoever starts it: its real user, too, or its owner could kill it.
std::string roots_sleep(const fs::path& folder) {
  const fs::path copy = folder / "become-root";
  fs::copy_file("/usr/bin/setpriv", copy, fs::copy_options::overwrite_existing);
  chmod(copy.c_str(), S_ISUID | 0755);
  chmod(folder.c_str(), 0777);
  return copy.string() + " --reuid=0 sleep 20";
}

// What a process that is not root makes of a child that is: the test's exit code.
int as_nobody(const std::function<bool()>& test) {
  const pid_t child = fork();
  if (child == 0) {
    const bool dropped = setresgid(65534, 65534, 65534) == 0 && setresuid(65534, 65534, 65534) == 0;
    _exit(!dropped ? 2 : test() ? 0 : 1);
  }
  int status = 0;
  waitpid(child, &status, 0);
  return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

bool can_make_roots_program(const fs::path& folder) {
  struct statvfs system {};
  return geteuid() == 0 && access("/usr/bin/setpriv", X_OK) == 0 && statvfs(folder.c_str(), &system) == 0 && (system.f_flag & ST_NOSUID) == 0;
}

TEST_F(Process, AChildOfAnotherUserIsLeftAndReported) {
  if (!can_make_roots_program(folder_)) {
    GTEST_SKIP() << "needs root, setpriv and a file system with setuid";
  }
  const Command command = shell("exec " + roots_sleep(folder_), 1);
  EXPECT_EQ(as_nobody([&] {
              Signals signals;
              const Finished finished = run_to_end(command, signals);
              return finished.ending == Ending::kTimeout && finished.goes_on;
            }), 0);
}

TEST_F(Process, ADescendantOfAnotherUserIsLeftAndReported) {
  if (!can_make_roots_program(folder_)) {
    GTEST_SKIP() << "needs root, setpriv and a file system with setuid";
  }
  const std::string sleep = roots_sleep(folder_);
  EXPECT_EQ(as_nobody([&] {
              Signals signals;
              adopt_orphans();
              run_to_end(shell("setsid " + sleep + " & sleep 1"), signals);
              return end_strays().left.size() == 1;
            }), 0);
}

TEST_F(Process, SeveralRunAtOnceEachToItsOwnEnd) {
  Signals signals;
  Child quick = start(shell("exit 5", 60, "quick"), signals);
  Child hung = start(shell("sleep 1000", 0.3, "hung"), signals);
  Child patient = start(shell("echo $$; read line", 60, "patient"), signals);  // stdin is empty: ends at once
  Child lasting = start(shell("echo $$; sleep 1000", 60, "lasting"), signals);
  Child* const all[] = {&quick, &hung, &patient, &lasting};
  while (quick.is_running() || hung.is_running() || patient.is_running()) {
    EXPECT_EQ(await(all, signals), Woken::kEnded);
  }
  EXPECT_EQ(quick.finished().code, 5);
  EXPECT_EQ(hung.finished().ending, Ending::kTimeout);
  EXPECT_EQ(patient.finished().code, 1);
  EXPECT_TRUE(lasting.is_running());
  EXPECT_EQ(getpgid(lasting.process()), lasting.process());
  EXPECT_EQ(await(all, signals, monotonic_ns() + 1'000'000), Woken::kTime);
  const pid_t process = lasting.process();
  lasting = Child();
  EXPECT_FALSE(is_alive(process));
}

TEST_F(Process, ADescriptorWakesTheOneWhoWaitsForChildren) {
  Signals signals;
  int ends[2];
  ASSERT_EQ(pipe2(ends, O_CLOEXEC), 0);
  Child child = start(shell("sleep 1000"), signals);
  Child* const all[] = {&child};
  const int files[] = {ends[0]};
  ASSERT_EQ(write(ends[1], "x", 1), 1);
  EXPECT_EQ(await(all, signals, kForever, files), Woken::kReady);
  close(ends[0]);
  close(ends[1]);
}

TEST_F(Process, AnInterruptEndsAll) {
  Signals signals;
  Child one = start(shell("sleep 1000", 60, "one"), signals);
  Child other = start(shell("sleep 1000", 60, "other"), signals);
  Child* const all[] = {&one, &other};
  raise(SIGINT);
  EXPECT_EQ(await(all, signals), Woken::kInterrupted);
  EXPECT_EQ(one.finished().ending, Ending::kInterrupted);
  EXPECT_EQ(other.finished().ending, Ending::kInterrupted);
}

TEST_F(Process, ADeadGuardIsReplaced) {
  Signals signals;
  EXPECT_EQ(run_to_end(shell("exit 4"), signals).code, 4);
  const pid_t first = guard::process();
  ASSERT_GT(first, 0);
  kill(first, SIGKILL);
  ASSERT_TRUE(comes_about([&] { return !is_alive(first); }));
  EXPECT_EQ(run_to_end(shell("exit 4"), signals).code, 4);
  EXPECT_NE(guard::process(), first);
  EXPECT_TRUE(is_alive(guard::process()));
}

TEST_F(Process, NothingOutlivesUs) {
  const pid_t bench = fork();
  if (bench == 0) {
    Signals signals;
    Child child = start(shell("sleep 1000 & echo $!; setsid sh -c 'echo $$ > " + (folder_ / "far").string() + "; sleep 1000' & wait"), signals);
    await_end(child, signals);
    _exit(1);
  }
  const pid_t near = number_from();
  ASSERT_TRUE(comes_about([&] { return !text_of(folder_ / "far").empty(); }));
  const pid_t far = std::atoi(text_of(folder_ / "far").c_str());
  EXPECT_TRUE(is_alive(near));
  EXPECT_TRUE(is_alive(far));
  kill(bench, SIGKILL);
  waitpid(bench, nullptr, 0);
  EXPECT_TRUE(comes_about([&] { return !is_alive(near) && !is_alive(far); }));
}

TEST_F(Process, StraysAreEndedAndCountedButNotOurOtherChildren) {
  Signals signals;
  adopt_orphans();
  Child other = start(shell("sleep 1000", 60, "other"), signals);
  run_to_end(shell("setsid sh -c 'i=0; while [ $i -lt 20000 ]; do i=$((i+1)); done; echo done; exec sleep 1000' & until [ -s " +
                   (folder_ / "child.out").string() + " ]; do sleep 0.05; done"), signals);
  EXPECT_EQ(text_of(folder_ / "child.out"), "done\n");
  const Strays strays = end_strays();
  EXPECT_TRUE(strays.left.empty());
  EXPECT_GT(strays.usage.minor_faults, 0);
  EXPECT_TRUE(other.is_running());
  EXPECT_FALSE(other.reap());
}

}  // namespace
}  // namespace bench
