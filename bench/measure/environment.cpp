#include "bench/measure/environment.hpp"

#include <gnu/libc-version.h>
#include <sched.h>
#include <sys/resource.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <array>
#include <ctime>
#include <filesystem>
#include <optional>
#include <string_view>

#include "bench/measure/build_facts.hpp"
#include "bench/measure/peak_watch.hpp"
#include "bench/measure/system_files.hpp"

namespace bench {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

std::string without_quotes(std::string text) {
  std::erase(text, '"');
  return text;
}

int usable_cpu_count() {
  cpu_set_t set;
  CPU_ZERO(&set);
  return sched_getaffinity(0, sizeof set, &set) == 0 ? CPU_COUNT(&set) : 1;
}

json describe_caches() {
  json caches = json::array();
  for (int index = 0; index < 8; ++index) {
    const fs::path folder = "/sys/devices/system/cpu/cpu0/cache/index" + std::to_string(index);
    const auto level = first_line(folder / "level");
    const auto type = first_line(folder / "type");
    const auto size = first_line(folder / "size");
    if (level && type && size) {
      caches.push_back({{"level", *level}, {"type", *type}, {"size", *size}});
    }
  }
  return caches;
}

json describe_cpu() {
  json cpu = {{"count", sysconf(_SC_NPROCESSORS_ONLN)}, {"usable", usable_cpu_count()}, {"caches", describe_caches()}};
  put(cpu, "model", field_of("/proc/cpuinfo", "model name", "\t :"));
  put(cpu, "governor", first_line("/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor"));
  if (const auto off = first_line("/sys/devices/system/cpu/intel_pstate/no_turbo")) {
    cpu["turbo"] = *off == "0";
  } else if (const auto on = first_line("/sys/devices/system/cpu/cpufreq/boost")) {
    cpu["turbo"] = *on == "1";
  }
  return cpu;
}

json describe_limits() {
  constexpr std::array<std::pair<const char*, int>, 6> kLimits = {{{"address_space", RLIMIT_AS},
                                                                   {"data", RLIMIT_DATA},
                                                                   {"stack", RLIMIT_STACK},
                                                                   {"locked_memory", RLIMIT_MEMLOCK},
                                                                   {"processes", RLIMIT_NPROC},
                                                                   {"open_files", RLIMIT_NOFILE}}};
  json limits = json::object();
  for (const auto& [name, resource] : kLimits) {
    rlimit limit{};
    if (getrlimit(static_cast<__rlimit_resource>(resource), &limit) == 0) {
      limits[name] = limit.rlim_cur == RLIM_INFINITY ? json("unlimited") : json(limit.rlim_cur);
    }
  }
  return limits;
}

// The smallest memory limit of the cgroups (version 2) that this process is in.
std::optional<std::uint64_t> cgroup_limit_bytes() {
  std::optional<std::uint64_t> least;
  for (const auto& folder : cgroup_folders()) {
    const auto text = first_line(folder / "memory.max");
    if (text && *text != "max") {
      const std::uint64_t bytes = std::strtoull(text->c_str(), nullptr, 10);
      least = least ? std::min(*least, bytes) : bytes;
    }
  }
  return least;
}

json allocator_variables() {
  constexpr std::array<std::string_view, 7> kPrefixes = {"MALLOC_", "MIMALLOC_", "TCMALLOC_", "OSMEM_",
                                                         "GLIBC_TUNABLES", "LD_PRELOAD", "SNMALLOC_"};
  json found = json::array();
  for (char** entry = environ; *entry != nullptr; ++entry) {
    for (const auto prefix : kPrefixes) {
      if (std::string_view(*entry).starts_with(prefix)) {
        found.push_back(*entry);
      }
    }
  }
  return found;
}

void describe_kernel(json& into) {
  utsname system{};
  if (uname(&system) == 0) {
    into["kernel"] = std::string(system.sysname) + " " + system.release + " " + system.machine;
  }
  put(into, "distribution", field_of("/etc/os-release", "PRETTY_NAME", "=\""));
  if (into.contains("distribution")) {
    into["distribution"] = without_quotes(into["distribution"]);
  }
  put(into, "transparent_huge_pages", chosen("/sys/kernel/mm/transparent_hugepage/enabled"));
  put(into, "overcommit_memory", first_line("/proc/sys/vm/overcommit_memory"));
  put(into, "aslr", first_line("/proc/sys/kernel/randomize_va_space"));
  put(into, "load_average", first_line("/proc/loadavg"));
  into["peak_watch"] = PeakWatch::available();
}

}  // namespace

std::string date_and_time() {
  const std::time_t now = std::time(nullptr);
  std::tm local{};
  localtime_r(&now, &local);
  std::array<char, 40> text{};
  std::strftime(text.data(), text.size(), "%Y-%m-%dT%H:%M:%S%z", &local);
  std::string out = text.data();
  return out.size() > 2 ? out.insert(out.size() - 2, ":") : out;
}

std::string host_name() {
  std::array<char, 256> name{};
  return gethostname(name.data(), name.size() - 1) == 0 ? name.data() : "unknown";
}

json describe_environment() {
  json out;
  out["cpu"] = describe_cpu();
  out["memory_bytes"] = static_cast<std::uint64_t>(sysconf(_SC_PHYS_PAGES)) * static_cast<std::uint64_t>(sysconf(_SC_PAGESIZE));
  if (const auto limit = cgroup_limit_bytes()) {
    out["memory_limit_bytes"] = *limit;
  }
  describe_kernel(out);
  out["libc"] = std::string("glibc ") + gnu_get_libc_version();
  out["compiler"] = kCompiler;
  out["compiler_flags"] = kCompilerFlags;
  out["build_type"] = kBuildType;
  out["commit"] = kCommit;
  out["dirty"] = kDirty;
  out["date"] = date_and_time();
  out["host"] = host_name();
  out["limits"] = describe_limits();
  out["allocator_variables"] = allocator_variables();
  return out;
}

}  // namespace bench
