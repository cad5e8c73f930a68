#include "bench/process/signals.hpp"

#include <poll.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include <cerrno>
#include <system_error>

namespace bench {
namespace {

bool is_ignored(int signal) {
  struct sigaction now {};
  return sigaction(signal, nullptr, &now) == 0 && now.sa_handler == SIG_IGN;
}

sigset_t taken_signals(int further) {
  sigset_t set;
  sigemptyset(&set);
  for (const int signal : {SIGINT, SIGTERM, SIGHUP}) {
    if (!is_ignored(signal)) {
      sigaddset(&set, signal);
    }
  }
  if (further != 0) {
    sigaddset(&set, further);
  }
  return set;
}

void dispose(int signal, void (*handler)(int), struct sigaction& before) {
  struct sigaction wanted {};
  wanted.sa_handler = handler;
  sigaction(signal, &wanted, &before);
}

}  // namespace

Signals::Signals(int further) {
  const sigset_t taken = taken_signals(further);
  descriptor_ = signalfd(-1, &taken, SFD_CLOEXEC | SFD_NONBLOCK);
  if (descriptor_ < 0) {
    throw std::system_error(errno, std::generic_category(), "cannot wait for signals");
  }
  pthread_sigmask(SIG_BLOCK, &taken, &before_);
  dispose(SIGPIPE, SIG_IGN, pipe_before_);
  dispose(SIGCHLD, SIG_DFL, child_before_);
}

Signals::~Signals() {
  sigaction(SIGCHLD, &child_before_, nullptr);
  sigaction(SIGPIPE, &pipe_before_, nullptr);
  pthread_sigmask(SIG_SETMASK, &before_, nullptr);
  close(descriptor_);
}

std::optional<Signals::Taken> Signals::take() {
  signalfd_siginfo info{};
  if (read(descriptor_, &info, sizeof info) != sizeof info) {
    return std::nullopt;
  }
  const int number = static_cast<int>(info.ssi_signo);
  interrupted_ |= number == SIGINT || number == SIGTERM || number == SIGHUP;
  return Taken{number, info.ssi_code == SI_KERNEL};
}

bool Signals::interrupted() {
  while (take()) {
  }
  return interrupted_;
}

void Signals::wait(std::chrono::milliseconds limit) {
  pollfd readable{descriptor_, POLLIN, 0};
  if (!interrupted_ && poll(&readable, 1, static_cast<int>(limit.count())) > 0) {
    take();
  }
}

void Signals::restore_in_child() const {
  sigaction(SIGPIPE, &pipe_before_, nullptr);
  sigprocmask(SIG_SETMASK, &before_, nullptr);
}

}  // namespace bench
