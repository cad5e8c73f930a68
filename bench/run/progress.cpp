#include "bench/run/progress.hpp"

#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <cstdio>

#include "bench/measure/clock.hpp"

namespace bench {
namespace {

constexpr std::int64_t kPlainIntervalNs = 10'000'000'000;

std::size_t terminal_columns() {
  winsize size{};
  return ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 20 ? size.ws_col : 80;
}

}  // namespace

std::string format_duration(double seconds) {
  const auto whole = static_cast<long long>(std::llround(std::max(0.0, seconds)));
  if (whole < 60) {
    return std::to_string(whole) + " s";
  }
  if (whole < 3600) {
    return std::to_string(whole / 60) + " min " + std::to_string(whole % 60) + " s";
  }
  return std::to_string(whole / 3600) + " h " + std::to_string(whole % 3600 / 60) + " min";
}

Progress::Progress(bool live) : live_(live), last_plain_ns_(monotonic_ns()) {}

Progress::~Progress() { clear(); }

void Progress::expect(const std::string& cell, int count, double expected_s) {
  Steps& steps = cells_[cell];
  steps.left += count;
  steps.expected_s = expected_s;
  total_ += count;
}

void Progress::drop(const std::string& cell, int count) {
  Steps& steps = cells_[cell];
  const int dropped = std::min(count, steps.left);
  steps.left -= dropped;
  total_ -= dropped;
}

double Progress::seconds_left() const {
  double expected_s = 0;
  double spent_s = 0;
  for (const auto& [name, steps] : cells_) {
    expected_s += steps.made * steps.expected_s;
    spent_s += steps.spent_s;
  }
  // Cells that have shown nothing yet are off by as much as those that have.
  const double factor = expected_s > 0 ? spent_s / expected_s : 1;
  double left_s = 0;
  for (const auto& [name, steps] : cells_) {
    left_s += steps.left * (steps.made > 0 ? steps.spent_s / steps.made : steps.expected_s * factor);
  }
  return left_s;
}

void Progress::begin(const std::string& text) {
  const std::string line = "[" + std::to_string(made_ + 1) + "/" + std::to_string(total_) + "] " + text + ", about " +
                           format_duration(seconds_left()) + " left";
  if (live_) {
    std::fprintf(stderr, "\r\033[K%s", line.substr(0, terminal_columns() - 1).c_str());
  } else if (made_ == 0 || monotonic_ns() - last_plain_ns_ >= kPlainIntervalNs) {
    std::fprintf(stderr, "bench: %s\n", line.c_str());
    last_plain_ns_ = monotonic_ns();
  }
}

void Progress::end(const std::string& cell, double took_s) {
  Steps& steps = cells_[cell];
  ++steps.made;
  steps.left = std::max(0, steps.left - 1);
  steps.spent_s += took_s;
  ++made_;
}

void Progress::say(const std::string& line) {
  clear();
  std::fprintf(stderr, "bench: %s\n", line.c_str());
}

void Progress::clear() {
  if (live_) {
    std::fprintf(stderr, "\r\033[K");
  }
}

}  // namespace bench
