#include "bench/measure/host_costs.hpp"

#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <stdexcept>

#include "bench/measure/clock.hpp"
#include "bench/measure/process_memory.hpp"

namespace bench {
namespace {

constexpr std::size_t kHugePageBytes = 2 << 20;
constexpr std::int64_t kSliceNs = 5'000'000;
constexpr std::size_t kSlicesApart = 10;

std::size_t page_bytes() {
  static const auto bytes = static_cast<std::size_t>(sysconf(_SC_PAGESIZE));
  return bytes;
}

// Anonymous memory of its own, aligned to huge pages. Throws std::runtime_error if there is none.
class Region {
 public:
  explicit Region(std::size_t bytes) : bytes_(bytes + kHugePageBytes) {
    mapping_ = mmap(nullptr, bytes_, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (mapping_ == MAP_FAILED) {
      throw std::runtime_error("no memory to measure the host's costs with");
    }
    const auto address = reinterpret_cast<std::uintptr_t>(mapping_);
    start_ = static_cast<char*>(mapping_) + (kHugePageBytes - address % kHugePageBytes) % kHugePageBytes;
  }
  ~Region() { munmap(mapping_, bytes_); }
  Region(const Region&) = delete;
  Region& operator=(const Region&) = delete;
  [[nodiscard]] char* start() const { return start_; }

 private:
  std::size_t bytes_;
  void* mapping_;
  char* start_;
};

void touch(char* memory, std::size_t pages) {
  for (std::size_t page = 0; page < pages; ++page) {
    reinterpret_cast<volatile char*>(memory)[page * page_bytes()] = 1;
  }
}

double median(std::vector<double> values) {
  const auto middle = values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2);
  std::nth_element(values.begin(), middle, values.end());
  return *middle;
}

// ns of one call of `what`, by `tries` stretches of `calls`.
template <typename What>
double median_ns(int tries, int calls, What what) {
  std::vector<double> out;
  for (int i = 0; i < tries; ++i) {
    const std::int64_t start_ns = monotonic_ns();
    for (int call = 0; call < calls; ++call) {
      what();
    }
    out.push_back(static_cast<double>(monotonic_ns() - start_ns) / calls);
  }
  return median(std::move(out));
}

// Each touch by itself, so that what interrupts one does not count for its neighbours.
double small_page_ns(int tries, double clock_ns) {
  constexpr std::size_t kPages = 256;
  const Region region(kPages * page_bytes());
  madvise(region.start(), kPages * page_bytes(), MADV_NOHUGEPAGE);  // fails where there are none
  std::vector<double> out;
  for (int i = 0; i < tries; ++i) {
    for (std::size_t page = 0; page < kPages; ++page) {
      const std::int64_t start_ns = monotonic_ns();
      touch(region.start() + page * page_bytes(), 1);
      out.push_back(static_cast<double>(monotonic_ns() - start_ns) - clock_ns);
    }
    madvise(region.start(), kPages * page_bytes(), MADV_DONTNEED);
  }
  return median(std::move(out));
}

std::optional<double> huge_page_ns(int tries) {
  const Region region(kHugePageBytes);
  if (madvise(region.start(), kHugePageBytes, MADV_HUGEPAGE) != 0) {
    return std::nullopt;
  }
  std::vector<double> out;
  for (int i = 0; i < tries; ++i) {
    const std::uint64_t before = mapping_totals().value_or(MappingTotals{}).anonymous_huge_bytes;
    const std::int64_t start_ns = monotonic_ns();
    touch(region.start(), 1);
    const auto took_ns = static_cast<double>(monotonic_ns() - start_ns);
    if (mapping_totals().value_or(MappingTotals{}).anonymous_huge_bytes >= before + kHugePageBytes) {
      out.push_back(took_ns);
    }
    madvise(region.start(), kHugePageBytes, MADV_DONTNEED);
  }
  return out.empty() ? std::nullopt : std::optional(median(std::move(out)));
}

double give_back_ns(std::size_t pages, int tries) {
  const Region region(pages * page_bytes());
  madvise(region.start(), pages * page_bytes(), MADV_NOHUGEPAGE);
  std::vector<double> out;
  for (int i = 0; i < tries; ++i) {
    touch(region.start(), pages);
    const std::int64_t start_ns = monotonic_ns();
    madvise(region.start(), pages * page_bytes(), MADV_DONTNEED);
    out.push_back(static_cast<double>(monotonic_ns() - start_ns));
  }
  return median(std::move(out));
}

// A fixed amount of work on memory that is there: no fault, no system call.
class Work {
 public:
  Work() : region_(kBytes) {
    touch(region_.start(), kBytes / page_bytes());
    std::int64_t took_ns = 0;
    for (rounds_ = 1; (took_ns = slice_ns()) < kSliceNs / 4;) {
      rounds_ *= 2;
    }
    rounds_ = std::max<std::int64_t>(1, rounds_ * kSliceNs / took_ns);
  }
  std::int64_t slice_ns() {
    const std::int64_t start_ns = monotonic_ns();
    auto* words = reinterpret_cast<volatile std::uint32_t*>(region_.start());
    for (std::int64_t round = 0; round < rounds_; ++round) {
      for (std::size_t i = 0; i < 512; ++i) {
        state_ = state_ * 1664525 + 1013904223;
        words[state_ >> 16] = words[state_ >> 16] + state_;
      }
    }
    return monotonic_ns() - start_ns;
  }

 private:
  static constexpr std::size_t kBytes = sizeof(std::uint32_t) << 16;
  Region region_;
  std::int64_t rounds_ = 1;
  std::uint32_t state_ = 1;
};

// The SD of a normal distribution with their quartiles: a few that were interrupted do not count, as they do not in a median of ratios.
double deviation(std::vector<double> values) {
  constexpr double kQuartilesInSds = 1.349;
  std::sort(values.begin(), values.end());
  return (values[values.size() * 3 / 4] - values[values.size() / 4]) / kQuartilesInSds;
}

void measure_spread(std::size_t slices, HostCosts& into) {
  Work work;
  std::vector<double> logs;
  for (std::size_t i = 0; i < slices; ++i) {
    logs.push_back(std::log(static_cast<double>(work.slice_ns())));
  }
  const auto differences = [&logs](std::size_t distance, std::size_t step) {
    std::vector<double> out;
    for (std::size_t i = 0; i + distance < logs.size(); i += step) {
      out.push_back(logs[i + distance] - logs[i]);
    }
    return out;
  };
  into.slice_spread = deviation(differences(1, 2));
  into.apart_spread = deviation(differences(kSlicesApart, 2));
}

}  // namespace

HostCosts measure_host_costs(Effort effort) {
  const int factor = effort == Effort::kQuick ? 1 : 10;
  HostCosts out;
  out.system_call_ns = median_ns(20 * factor, 500, [] { syscall(SYS_getppid); });
  out.clock_ns = median_ns(20 * factor, 500, [] { static_cast<void>(monotonic_ns()); });
  out.small_page_ns = small_page_ns(8 * factor, out.clock_ns);
  out.huge_page_ns = huge_page_ns(5 * factor);
  for (const auto& [pages, tries] : {std::pair{1, 100}, {33, 24}, {34, 24}, {512, 8}}) {
    out.give_back.push_back({pages, give_back_ns(static_cast<std::size_t>(pages), tries * factor)});
  }
  measure_spread(effort == Effort::kQuick ? 80 : 3000, out);
  return out;
}

}  // namespace bench
