// bench-trace-cost TRACE: what one pass of a recorded program's allocation calls costs in this process, whose malloc was preloaded. One line of
// JSON on stdout: calls, CPU seconds, and the resident memory at its highest with what it is made of. `bench advise` reads it.
//
// The CPU time is that of all calls and of a first write to each page that they hand out, in a heap that was empty before, as it is in the
// program; what replaying itself takes (an empty replay) is subtracted.
#include <malloc.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <exception>
#include <map>

#include "bench/measure/process_memory.hpp"
#include "workloads/trace/format/reader.hpp"
#include "workloads/trace/replay/replay.hpp"

namespace {

constexpr std::uint64_t kResidentBytes = 512ULL << 20U;  // decoded calls beyond this are streamed from a file

double cpu_s() {
  timespec now{};
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
  return static_cast<double>(now.tv_sec) + static_cast<double>(now.tv_nsec) * 1e-9;
}

// What was live when most bytes were.
struct AtPeak {
  std::uint64_t bytes = 0;
  std::map<std::uint64_t, std::uint64_t> counts;  // of objects, by their size
};

std::uint64_t event_of_peak(const char* file) {
  trace::Reader reader{std::filesystem::path(file)};
  std::uint64_t best = 0;
  std::uint64_t event = 0;
  for (std::uint64_t number = 1; reader.next(); ++number) {
    if (reader.slots().live_bytes() > best) {
      best = reader.slots().live_bytes();
      event = number;
    }
  }
  return event;
}

AtPeak at_peak(const char* file) {
  const std::uint64_t last = event_of_peak(file);
  trace::Reader reader{std::filesystem::path(file)};
  for (std::uint64_t number = 0; number < last; ++number) {
    reader.next();
  }
  AtPeak peak;
  const trace::Slots& slots = reader.slots();
  peak.bytes = slots.live_bytes();
  for (std::uint32_t slot = 0; slot < slots.size(); ++slot) {
    if (slots.live(slot)) {
      ++peak.counts[slots.bytes(slot)];
    }
  }
  return peak;
}

// The bytes that these objects take in the allocator: what each could use, whatever it asked for.
std::uint64_t usable_bytes(const AtPeak& peak) {
  std::uint64_t total = 0;
  for (const auto& [bytes, count] : peak.counts) {
    void* block = std::malloc(bytes);
    total += (block != nullptr ? std::max<std::uint64_t>(malloc_usable_size(block), bytes) : bytes) * count;
    std::free(block);
  }
  return total;
}

int measure(const char* file) {
  trace::Replay replay(file, trace::Touch::kPage, kResidentBytes);
  bench::map_in_code();
  const bool is_reset = bench::reset_peak();
  const std::uint64_t before = bench::resident_memory().value_or(bench::ResidentMemory{}).now_bytes;
  const double start_s = cpu_s();
  workloads::Steps once(1);
  replay.run(0, once);
  const double took_s = cpu_s() - start_s;
  const std::uint64_t peak_bytes = bench::resident_memory().value_or(bench::ResidentMemory{}).peak_bytes;
  if (!is_reset || peak_bytes < before) {
    std::fprintf(stderr, "bench-trace-cost: /proc does not tell this process's peak of memory\n");
    return 3;
  }
  const double own_s = replay.own_ns_per_operation() * 1e-9 * static_cast<double>(replay.program().calls());
  const AtPeak peak = at_peak(file);
  std::printf("{\"calls\": %lu, \"cpu_s\": %.9f, \"peak_rss_bytes\": %lu, \"live_bytes\": %lu, \"usable_bytes\": %lu}\n",
              static_cast<unsigned long>(replay.program().calls()), std::max(took_s - own_s, 0.0), static_cast<unsigned long>(peak_bytes - before),
              static_cast<unsigned long>(peak.bytes), static_cast<unsigned long>(usable_bytes(peak)));
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 2) {
    std::fprintf(stderr, "usage: bench-trace-cost TRACE\n");
    return 2;
  }
  try {
    return measure(argv[1]);
  } catch (const std::exception& error) {
    std::fprintf(stderr, "bench-trace-cost: %s\n", error.what());
    return 3;
  }
}
