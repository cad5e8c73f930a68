#include "bench/process/signals.hpp"

namespace bench {
namespace {

timespec to_timespec(std::chrono::milliseconds time) {
  return {.tv_sec = static_cast<time_t>(time.count() / 1000), .tv_nsec = static_cast<long>(time.count() % 1000 * 1'000'000)};
}

}  // namespace

Signals::Signals() {
  sigemptyset(&awaited_);
  for (const int signal : {SIGINT, SIGTERM, SIGHUP, SIGCHLD}) {
    sigaddset(&awaited_, signal);
  }
  pthread_sigmask(SIG_BLOCK, &awaited_, &before_);
  struct sigaction ignore {};
  ignore.sa_handler = SIG_IGN;
  sigaction(SIGPIPE, &ignore, &pipe_before_);
}

Signals::~Signals() {
  sigaction(SIGPIPE, &pipe_before_, nullptr);
  pthread_sigmask(SIG_SETMASK, &before_, nullptr);
}

void Signals::note(int signal) {
  if (signal == SIGINT || signal == SIGTERM || signal == SIGHUP) {
    interrupted_ = true;
  }
}

void Signals::wait(std::chrono::milliseconds limit) {
  if (interrupted_) {
    return;
  }
  const timespec time = to_timespec(limit);
  note(sigtimedwait(&awaited_, nullptr, &time));
}

bool Signals::interrupted() {
  constexpr timespec kNow{};
  for (int signal = 0; !interrupted_ && (signal = sigtimedwait(&awaited_, nullptr, &kNow)) > 0;) {
    note(signal);
  }
  return interrupted_;
}

void Signals::restore_in_child() const {
  sigaction(SIGPIPE, &pipe_before_, nullptr);
  sigprocmask(SIG_SETMASK, &before_, nullptr);
}

}  // namespace bench
