#include <fmt/format.h>

#include "bench/measure/environment.hpp"
#include "bench/measure/peak_watch.hpp"

namespace bench {
namespace {

using nlohmann::json;

std::string text_of(const json& object, const char* key) {
  return object.contains(key) && object.at(key).is_string() ? object.at(key).get<std::string>() : std::string();
}

void warn_of_cpu(const json& cpu, std::vector<HostWarning>& out) {
  const std::string governor = text_of(cpu, "governor");
  if (!governor.empty() && governor != "performance") {
    out.push_back({fmt::format("the CPU frequency governor is {}: the clock changes with the load", governor),
                   "set it with: cpupower frequency-set -g performance"});
  }
  if (cpu.value("turbo", false)) {
    out.push_back({"turbo is on: the clock depends on the temperature and on what other cores do",
                   "write 1 to /sys/devices/system/cpu/intel_pstate/no_turbo, or 0 to .../cpufreq/boost"});
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
  warn_of_build(environment, out);
  for (const auto& variable : environment.at("allocator_variables")) {
    const std::string text = variable;
    out.push_back({text.starts_with("LD_PRELOAD") ? fmt::format("{} is not passed on: each process is given its own allocator", text)
                                                  : fmt::format("{} is set and reaches the allocators", text),
                   "unset it, or make it part of one configuration: name=path,VARIABLE=VALUE"});
  }
  return out;
}

}  // namespace bench
