#include <fmt/format.h>

#include <cerrno>
#include <cstring>
#include <fstream>

#include "bench/measure/environment.hpp"
#include "bench/measure/peak_watch.hpp"
#include "bench/measure/system_files.hpp"

namespace bench {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

std::string text_of(const json& object, const char* key) {
  return object.contains(key) && object.at(key).is_string() ? object.at(key).get<std::string>() : std::string();
}

std::vector<HostSetting> governor_settings() {
  std::vector<HostSetting> out;
  std::error_code missing;
  for (const auto& cpu : fs::directory_iterator("/sys/devices/system/cpu", missing)) {
    if (const fs::path file = cpu.path() / "cpufreq" / "scaling_governor"; fs::exists(file, missing)) {
      out.push_back({file, "performance"});
    }
  }
  return out;
}

std::vector<HostSetting> turbo_settings() {
  const fs::path off = "/sys/devices/system/cpu/intel_pstate/no_turbo";
  std::error_code missing;
  return fs::exists(off, missing) ? std::vector<HostSetting>{{off, "1"}} : std::vector<HostSetting>{{"/sys/devices/system/cpu/cpufreq/boost", "0"}};
}

void warn_of_cpu(const json& cpu, std::vector<HostWarning>& out) {
  const std::string governor = text_of(cpu, "governor");
  if (!governor.empty() && governor != "performance") {
    out.push_back({fmt::format("the CPU frequency governor is {}: the clock changes with the load", governor),
                   "set it with: cpupower frequency-set -g performance, or bench doctor --fix", governor_settings()});
  }
  if (cpu.value("turbo", false)) {
    out.push_back({"turbo is on: the clock depends on the temperature and on what other cores do",
                   "write 1 to /sys/devices/system/cpu/intel_pstate/no_turbo, or 0 to .../cpufreq/boost; bench doctor --fix does",
                   turbo_settings()});
  }
}

void warn_of_load(const json& environment, std::vector<HostWarning>& out) {
  const double load = std::strtod(text_of(environment, "load_average").c_str(), nullptr);
  const int cpus = environment.at("cpu").value("usable", 1);
  if (load > 0.25 * cpus) {
    out.push_back({fmt::format("the load average was {:.2f} on {} CPUs when the run began: other programs take part", load, cpus),
                   "end them, wait until the load has gone, and run again"});
  }
}

void warn_of_memory(const json& environment, std::vector<HostWarning>& out) {
  if (environment.contains("memory_limit_bytes")) {
    out.push_back({fmt::format("a cgroup limits memory to {} MiB: reclaim may slow the large workloads",
                               environment.at("memory_limit_bytes").get<std::uint64_t>() / (1024 * 1024)),
                   "raise memory.max, or leave out workloads near the limit"});
  }
  const std::string huge = text_of(environment, "transparent_huge_pages");
  if (huge == "always") {
    out.push_back({"transparent huge pages are set to always: resident memory of every allocator is rounded up to 2 MiB pieces",
                   "compare also with madvise in /sys/kernel/mm/transparent_hugepage/enabled"});
  }
  if (!environment.value("peak_watch", true)) {
    out.push_back({fmt::format("small peaks cannot be watched: where memory went back, peak_rss may be up to {} KiB too low",
                               vm_hwm_error_bytes(environment.at("cpu").value("usable", 1)) / 1024),
                   "use Linux 5.5 or newer, and a container that allows the seccomp call"});
  }
}

void warn_of_shares(const json& card, std::vector<HostWarning>& out) {
  constexpr double kMostSteal = 0.01;
  if (const double share = card.value("steal_share", 0.0); share > kMostSteal) {
    out.push_back({fmt::format("the hypervisor gave {:.0f} % of the CPUs' time to others since the start", 100 * share),
                   "use a machine with CPUs of its own, or more blocks (--repetitions)"});
  }
  const json limits = card.value("cgroup", json::object());
  if (const std::string limit = text_of(limits, "cpu.max"); !limit.empty()) {
    out.push_back({fmt::format("a cgroup limits CPU time (cpu.max is {}): a process is stopped when its share is used up", limit),
                   "raise cpu.max, or bind to whole CPUs instead (docker run --cpuset-cpus)"});
  }
  if (const std::string nodes = text_of(card, "numa_nodes"); nodes.find_first_of(",-") != std::string::npos && text_of(card, "numa_balancing") != "0") {
    out.push_back({fmt::format("the kernel moves pages between the memory nodes {}: some accesses fault for it", nodes),
                   "write 0 to /proc/sys/kernel/numa_balancing; bench doctor --fix does", {{"/proc/sys/kernel/numa_balancing", "0"}}});
  }
}

// Of what was seen or measured.
void warn_of_card(const json& card, std::vector<HostWarning>& out) {
  constexpr double kMostSpread = 0.03;
  warn_of_shares(card, out);
  if (const auto used = card.value("swap_used_bytes", std::uint64_t{0}); used > 0) {
    out.push_back({fmt::format("{} MiB are swapped out: memory is or was short, and reading back takes time", used >> 20),
                   "end what needs the memory, then swapoff -a && swapon -a"});
  }
  const std::string clock = text_of(card, "clock_source");
  if (clock == "hpet" || clock == "acpi_pm" || clock == "jiffies") {
    out.push_back({fmt::format("the clock is {}: each reading is a slow system call", clock),
                   "see why the kernel distrusts the TSC: dmesg | grep -i tsc"});
  }
  const json costs = card.value("costs", json::object());
  if (const double spread = costs.value("slice_spread", 0.0); spread > kMostSpread) {
    out.push_back({fmt::format("equal slices of 5 ms of work, one after the other, differ by {:.1f} % (SD): somebody else uses the CPUs", 100 * spread),
                   "end other programs here, or choose a host with CPUs of its own; more blocks (--repetitions) help, too"});
  }
}

void warn_of_build(const json& environment, std::vector<HostWarning>& out) {
  const std::string type = text_of(environment, "build_type");
  if (type != "Release" && type != "RelWithDebInfo") {
    out.push_back({fmt::format("this is a {} build: its figures say nothing about a released one", type.empty() ? "plain" : type),
                   "build with: cmake --preset release && cmake --build --preset release"});
  }
  if (environment.value("dirty", false)) {
    out.push_back({fmt::format("built from a modified tree of commit {}: nobody else can build the same", text_of(environment, "commit")),
                   "commit the changes before publishing figures"});
  }
}

}  // namespace

std::vector<HostWarning> host_warnings(const json& environment) {
  std::vector<HostWarning> out;
  warn_of_cpu(environment.at("cpu"), out);
  warn_of_load(environment, out);
  warn_of_memory(environment, out);
  if (environment.contains("card")) {
    warn_of_card(environment.at("card"), out);
  }
  warn_of_build(environment, out);
  for (const auto& variable : environment.at("allocator_variables")) {
    const std::string text = variable;
    out.push_back({text.starts_with("LD_PRELOAD") ? fmt::format("{} is not passed on: each process is given its own allocator", text)
                                                  : fmt::format("{} is set and reaches the allocators", text),
                   "unset it, or make it part of one configuration: name=path,VARIABLE=VALUE"});
  }
  return out;
}

std::vector<std::string> mend(const HostWarning& warning) {
  std::vector<std::string> out;
  for (const auto& [file, value] : warning.settings) {
    const std::string before = chosen(file).value_or("absent");
    errno = 0;
    std::ofstream stream(file);
    stream << value << std::flush;
    out.push_back(stream ? fmt::format("{} is now {} (was {})", file.string(), value, before)
                         : fmt::format("{} stays {}: {}", file.string(), before, std::strerror(errno)));
  }
  return out;
}

}  // namespace bench
