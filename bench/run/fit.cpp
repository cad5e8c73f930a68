#include "bench/run/fit.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <fstream>
#include <limits>

#include "bench/plan/suite.hpp"

namespace bench {
namespace {

constexpr double kMebibyte = 1 << 20;
// What an allocator may hold beside live bytes, and the worker itself.
constexpr double kOverLive = 1.75;
constexpr double kWorkerBytes = 128 * kMebibyte;
constexpr double kFirstTouchS = 5e-6 / 4096;  // of a byte, twice: taken and given back

double bytes_needed(const Need& need) { return static_cast<double>(need.live_bytes) * kOverLive + kWorkerBytes; }

std::string mebibytes(double bytes) { return fmt::format("{:.0f} MiB", bytes / kMebibyte); }

}  // namespace

std::uint64_t available_memory_bytes() {
  std::ifstream in("/proc/meminfo");
  std::string key;
  std::uint64_t kib = 0;
  while (in >> key >> kib) {
    if (key == "MemAvailable:") {
      return kib * 1024;
    }
    in.ignore(std::numeric_limits<std::streamsize>::max(), '\n');
  }
  return 0;
}

double block_seconds(const std::vector<Need>& needs, std::size_t allocators) {
  double seconds = 0;
  for (const Need& need : needs) {
    seconds += need.seconds + 2 * kFirstTouchS * static_cast<double>(need.live_bytes);
  }
  return seconds * static_cast<double>(allocators);
}

void check_fit(const std::vector<Need>& needs, std::uint64_t available_bytes, std::size_t allocators, std::optional<double> budget_s) {
  const auto most = std::max_element(needs.begin(), needs.end(), [](const Need& a, const Need& b) { return a.live_bytes < b.live_bytes; });
  if (most == needs.end()) {
    return;
  }
  if (available_bytes != 0 && bytes_needed(*most) > static_cast<double>(available_bytes)) {
    const double fits = (static_cast<double>(available_bytes) - kWorkerBytes) / kOverLive / kMebibyte;
    const std::string remedy = fits >= 1 ? fmt::format("choose megabytes={:.0f} or less, as in --workload={}:megabytes={:.0f}", fits,
                                                       most->workload.substr(0, most->workload.find(':')), fits)
                                         : std::string("end other programs first");
    throw UsageError(fmt::format("{} needs about {}, and {} can be had here; {}", most->cell, mebibytes(bytes_needed(*most)),
                                 mebibytes(static_cast<double>(available_bytes)), remedy));
  }
  const double seconds = block_seconds(needs, allocators);
  if (budget_s && seconds > *budget_s) {
    const auto cells = static_cast<std::size_t>(static_cast<double>(needs.size()) * *budget_s / seconds);
    throw UsageError(fmt::format("one block of {} cells under {} allocators takes about {:.0f} s, more than --budget={:g}s; {}", needs.size(), allocators,
                                 seconds, *budget_s,
                                 cells > 0 ? fmt::format("about {} of the cells fit: name them with --workload, or lower their seconds=", cells)
                                           : std::string("name fewer allocators, or lower the workloads' seconds=")));
  }
}

}  // namespace bench
