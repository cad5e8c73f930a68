#include "allocator/osmem/api/options.hpp"

#include <sys/auxv.h>
#include <unistd.h>

#include <cstring>

#include "allocator/osmem/api/guarded.hpp"
#include "allocator/osmem/base/check.hpp"
#include "allocator/osmem/base/writer.hpp"

namespace osmem {

constinit Options g_options;

// Reads environ itself: it may be null this early.
const char* value_of(const char* name) {
  if (environ == nullptr) return nullptr;
  const std::size_t length = std::strlen(name);
  for (char** entry = environ; *entry != nullptr; ++entry) {
    if (std::strncmp(*entry, name, length) == 0 && (*entry)[length] == '=') return *entry + length + 1;
  }
  return nullptr;
}

namespace {

void warn(const char* name, const char* value, const char* expected) {
  Writer(STDERR_FILENO)
      .text("osmem: ").text(name).text("=").text(value).text(" is not ").text(expected).text("; the default stays\n");
}

void read_flag(const char* name, bool& flag) {
  const char* value = value_of(name);
  if (value == nullptr) return;
  if (std::strcmp(value, "1") == 0) {
    flag = true;
  } else if (std::strcmp(value, "0") == 0) {
    flag = false;
  } else {
    warn(name, value, "0 or 1");
  }
}

void read_number(const char* name, std::size_t& number, std::size_t largest) {
  const char* value = value_of(name);
  if (value == nullptr) return;
  std::size_t parsed = 0;
  const char* c = value;
  for (; *c >= '0' && *c <= '9' && parsed <= largest; ++c) parsed = parsed * 10 + static_cast<std::size_t>(*c - '0');
  if (c == value || *c != '\0' || parsed > largest) {
    warn(name, value, "a whole number in range");
    return;
  }
  number = parsed;
}

// A number of bytes, with K, M, G or T behind it for powers of 1,024.
void read_bytes(const char* name, std::size_t& bytes, std::size_t least) {
  const char* value = value_of(name);
  if (value == nullptr) return;
  constexpr std::size_t kLargest = std::size_t{1} << 50;
  std::size_t parsed = 0;
  const char* c = value;
  for (; *c >= '0' && *c <= '9' && parsed <= kLargest; ++c) parsed = parsed * 10 + static_cast<std::size_t>(*c - '0');
  const char* const end_of_digits = c;
  constexpr char kUnits[] = "KMGT";
  if (const char* unit = *c == '\0' ? nullptr : std::strchr(kUnits, *c); unit != nullptr && parsed <= kLargest) {
    for (const char* u = kUnits; u <= unit && parsed <= kLargest; ++u) parsed <<= 10;
    ++c;
  }
  if (end_of_digits == value || *c != '\0' || parsed > kLargest || parsed < least) {
    warn(name, value, "a number of bytes in range, with K, M, G or T behind it or nothing");
    return;
  }
  bytes = parsed;
}

void read_profile() {
  const char* value = value_of("OSMEM_PROFILE");
  if (value == nullptr) return;
  if (std::strcmp(value, "lean") == 0) {
    g_options.memory_per_cpu = kLeanMemoryPerCpu;
  } else if (std::strcmp(value, "balanced") == 0) {
    g_options.memory_per_cpu = kBalancedMemoryPerCpu;
  } else if (std::strcmp(value, "fast") == 0) {
    g_options.memory_per_cpu = kFastMemoryPerCpu;
  } else {
    warn("OSMEM_PROFILE", value, "lean, balanced or fast");
  }
}

void read_heap() {
  const char* value = value_of("OSMEM_HEAP");
  if (value == nullptr) return;
  if (std::strcmp(value, "region") == 0) {
    g_options.heap = HeapBackEnd::kRegion;
  } else if (std::strcmp(value, "sbrk") == 0) {
    g_options.heap = HeapBackEnd::kBreak;
  } else {
    warn("OSMEM_HEAP", value, "region or sbrk");
  }
}

void read_stats() {
  const char* value = value_of("OSMEM_STATS");
  if (value == nullptr || std::strcmp(value, "0") == 0) return;
  if (std::strcmp(value, "1") == 0) {
    g_options.stats = StatsAtExit::kText;
  } else if (std::strcmp(value, "json") == 0) {
    g_options.stats = StatsAtExit::kJson;
  } else {
    warn("OSMEM_STATS", value, "0, 1 or json");
  }
}

void read_on_error() {
  const char* value = value_of("OSMEM_ON_ERROR");
  if (value == nullptr) return;
  if (std::strcmp(value, "report") == 0) {
    g_errors_are_only_reported = true;
  } else if (std::strcmp(value, "abort") != 0) {
    warn("OSMEM_ON_ERROR", value, "abort or report");
  }
}

void read_guard_sample() {
  if (kHardened && value_of("OSMEM_GUARD_SAMPLE") != nullptr) {
    Writer(STDERR_FILENO).text("osmem: OSMEM_GUARD_SAMPLE is of the default build: here every block is looked at\n");
    return;
  }
  read_bytes("OSMEM_GUARD_SAMPLE", guarded::g_sample_bytes, 0);
}

}  // namespace

void read_options() {
  if (getauxval(AT_SECURE) != 0) return;
  read_heap();
  read_stats();
  read_on_error();
  read_guard_sample();
  read_flag("OSMEM_LEAKS", g_options.leaks);
  read_flag("OSMEM_VERBOSE", g_options.verbose);
  read_flag("OSMEM_BACKGROUND", g_options.background);
  read_flag("OSMEM_HUGE_PAGES", g_options.huge_pages);
  read_number("OSMEM_MMAP_THRESHOLD", g_options.mmap_threshold_bytes, std::size_t{1} << 30);
  read_profile();
  read_bytes("OSMEM_MEMORY_PER_CPU", g_options.memory_per_cpu, std::size_t{1} << 20);
  read_bytes("OSMEM_RSS_LIMIT", g_options.rss_limit_bytes, std::size_t{1} << 20);
  if (g_options.verbose) {
    Writer(STDERR_FILENO)
        .text("osmem: heap ").text(g_options.heap == HeapBackEnd::kRegion ? "region" : "sbrk")
        .text(", mmap threshold ").number(g_options.mmap_threshold_bytes)
        .text(" bytes (0: adaptive), ").number(g_options.memory_per_cpu >> 20)
        .text(" MiB of memory cost as much as a CPU\n");
  }
}

}  // namespace osmem
