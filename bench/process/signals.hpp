// Signals as events that the main thread waits for, instead of handlers.
#pragma once

#include <csignal>

#include <chrono>

namespace bench {

// While it lives, SIGINT, SIGTERM, SIGHUP and SIGCHLD are blocked in this thread and taken by wait(); SIGPIPE is ignored, so
// that a closed stdout is an error of write. One at a time; made before any other thread.
class Signals {
 public:
  Signals();
  ~Signals();
  Signals(const Signals&) = delete;
  Signals& operator=(const Signals&) = delete;

  // Waits for a child's end, an interrupt or the end of `limit`. Returns at once after an interrupt.
  void wait(std::chrono::milliseconds limit);

  // True once SIGINT, SIGTERM or SIGHUP has come.
  [[nodiscard]] bool interrupted();

  // Puts the calling (child) process's mask and handlers back to what they were. Async-signal-safe.
  void restore_in_child() const;

 private:
  void note(int signal);

  sigset_t awaited_;
  sigset_t before_;
  struct sigaction pipe_before_ {};
  bool interrupted_ = false;
};

}  // namespace bench
