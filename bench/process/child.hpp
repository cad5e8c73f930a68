// Child processes: start any number, wait for them together, end them.
//
//   Child server = start(command, signals), client = start(other, signals);
//   while (server.is_running() && client.is_running()) {
//     Child* const both[] = {&server, &client};
//     if (await(both, signals) == Woken::kInterrupted) ...
//   }
//   client.finished().ending ...
//
// A child has a process group of its own, no core file, its output in files (never pipes: an orphan that holds one open cannot block us), and
// a time after which it is ended with its group. It dies with us, as does what it started (guard.hpp). A child is known by its pidfd: no
// signal can reach another process that got its number, and no wake-up can be lost. All of this: one thread, the one that made `signals`.
#pragma once

#include <sys/resource.h>
#include <sys/types.h>

#include <cstdint>
#include <filesystem>
#include <limits>
#include <span>
#include <string>
#include <vector>

#include "bench/process/guard.hpp"
#include "bench/process/signals.hpp"

namespace bench {

enum class Streams {
  kFiles,      // stdin is empty, stdout and stderr go to files
  kInherited,  // ours, and our process group: a program that may talk to the terminal
};

struct Command {
  std::vector<std::string> words;        // words[0] is the program: a path
  std::vector<std::string> environment;  // all of it, NAME=VALUE each
  std::filesystem::path stdout_file;     // created or emptied
  std::filesystem::path stderr_file;
  double timeout_s = 60;
  Streams streams = Streams::kFiles;
};

enum class Ending {
  kExited,
  kKilled,
  kTimeout,
  kInterrupted,
  kNotStarted,
  kOutOfMemory,
  kLost,  // it ended, and somebody else has taken the news how
};

struct Finished {
  Ending ending = Ending::kExited;
  int code = 0;           // exit code of kExited, signal of kKilled, errno of kNotStarted
  double wall_s = 0;      // from its start to its end
  rusage usage{};         // of it and of its children that it waited for
  bool goes_on = false;   // it could not be ended: it belongs to another user by now, or hangs in the kernel
};

class Child {
 public:
  Child() = default;
  Child(Child&& other) noexcept { swap(other); }
  Child& operator=(Child&& other) noexcept {
    Child(std::move(other)).swap(*this);
    return *this;
  }
  ~Child();  // ends it

  // Its number and that of its group; 0 if it never ran.
  [[nodiscard]] pid_t process() const { return process_; }
  // pidfd, readable once it has ended; -1 when it is not running. Owned by this object.
  [[nodiscard]] int descriptor() const { return descriptor_; }
  [[nodiscard]] bool is_running() const { return descriptor_ >= 0; }
  // REQUIRES: !is_running()
  [[nodiscard]] const Finished& finished() const { return finished_; }

  // When await() ends it; on the clock of monotonic_ns(). start() sets it to the command's timeout from then.
  void set_deadline_ns(std::int64_t time_ns) { deadline_ns_ = time_ns; }
  [[nodiscard]] std::int64_t deadline_ns() const { return deadline_ns_; }

  void send(int signal) const;  // to it alone; nothing if it is not running
  // Kills it and its group and waits for its end, but no longer than 5 s: see Finished::goes_on.
  void end(Ending as);
  // Takes the news of its end without waiting; false if it is still running.
  bool reap();

 private:
  friend Child start(const Command& command, const Signals& signals);
  void swap(Child& other) noexcept;
  void kill_group() const;
  void let_go();  // it is over: nothing of it is kept but finished_

  pid_t process_ = 0;
  int descriptor_ = -1;
  bool owns_group_ = false;
  guard::Slot* slot_ = nullptr;
  std::int64_t start_ns_ = 0;
  std::int64_t deadline_ns_ = 0;
  Finished finished_;
};

// A child that could not be started is not running and has finished() with kNotStarted.
Child start(const Command& command, const Signals& signals);

enum class Woken {
  kEnded,        // one or more of the children, by themselves or at their deadlines
  kReady,        // one of `descriptors` is readable
  kTime,         // `until_ns` has come
  kInterrupted,  // the user wants an end: none of the children is running any more
};
inline constexpr std::int64_t kForever = std::numeric_limits<std::int64_t>::max();

// Waits for the first of these. Children that are not running are passed over; with nothing to wait for it returns kEnded at once.
Woken await(std::span<Child* const> children, Signals& signals, std::int64_t until_ns = kForever, std::span<const int> descriptors = {});

// The same without a look at signals: for a caller that passes theirs on. Never kInterrupted.
Woken await_through_signals(std::span<Child* const> children, std::int64_t until_ns, std::span<const int> descriptors);

}  // namespace bench
