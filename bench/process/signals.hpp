// Signals as events that the main thread waits for, instead of handlers.
#pragma once

#include <csignal>

#include <chrono>
#include <optional>

namespace bench {

// While it lives, SIGINT, SIGTERM and SIGHUP are blocked in this thread and read from a descriptor; SIGPIPE is ignored, so that a closed
// stdout is an error of write. One that was ignored when we were started stays so: nohup means it. SIGCHLD is set to its default, as
// whoever started us may have ignored it, and the kernel would then throw away how children end. One at a time; made before any other
// thread. Throws std::system_error if there is no descriptor left.
class Signals {
 public:
  struct Taken {
    int number;
    bool is_from_kernel;  // such as Ctrl-C: it went to the whole foreground group
  };

  // `further` (0: none) is taken as well, but is no interrupt.
  explicit Signals(int further = 0);
  ~Signals();
  Signals(const Signals&) = delete;
  Signals& operator=(const Signals&) = delete;

  // Readable when a signal waits to be taken. Owned by this object.
  [[nodiscard]] int descriptor() const { return descriptor_; }

  // Takes one that has come, if any; does not wait.
  std::optional<Taken> take();

  // True once SIGINT, SIGTERM or SIGHUP has come. Takes what waits.
  [[nodiscard]] bool interrupted();

  // Waits for an interrupt or the end of `limit`. Returns at once after an interrupt.
  void wait(std::chrono::milliseconds limit);

  // Puts the calling (child) process's mask and handlers back to what they were, but for SIGCHLD, which keeps its default.
  // Async-signal-safe.
  void restore_in_child() const;

 private:
  int descriptor_ = -1;
  sigset_t before_{};
  struct sigaction pipe_before_ {};
  struct sigaction child_before_ {};
  bool interrupted_ = false;
};

}  // namespace bench
