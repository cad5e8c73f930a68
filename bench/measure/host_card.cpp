#include "bench/measure/host_card.hpp"

#include <fmt/format.h>
#include <linux/perf_event.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <sstream>

#include "bench/measure/system_files.hpp"

#if defined(__x86_64__)
#include <cpuid.h>
#endif

namespace bench {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

// The hypervisor by the name that it tells programs, and the maker of the machine that it shows.
std::string hypervisor() {
  std::string name;
#if defined(__x86_64__)
  unsigned eax = 0;
  unsigned words[3] = {};
  unsigned ecx = 0;
  unsigned unused = 0;
  if (__get_cpuid(1, &eax, &unused, &ecx, &unused) != 0 && (ecx & (1U << 31)) != 0) {
    __cpuid(0x40000000, eax, words[0], words[1], words[2]);
    name.assign(reinterpret_cast<const char*>(words), sizeof words);
    name = name.substr(0, name.find('\0'));
    name = name.substr(0, name.find_last_not_of(' ') + 1);
    name = name.starts_with("KVM") ? "KVM" : name;
  }
#endif
  if (name.empty()) {
    name = first_line("/sys/hypervisor/type").value_or("");
  }
  const auto maker = first_line("/sys/class/dmi/id/sys_vendor").value_or("");
  const std::string machine = maker + (maker.empty() ? "" : " ") + first_line("/sys/class/dmi/id/product_name").value_or("");
  if (name.empty()) {
    return "none";
  }
  return machine.find_first_not_of(' ') == std::string::npos ? name : name + " (" + machine + ")";
}

// Share of the CPUs' time since the start that the hypervisor gave to others.
std::optional<double> steal_share() {
  std::istringstream fields(first_line("/proc/stat").value_or(""));
  std::string name;
  fields >> name;
  double total = 0;
  double steal = 0;
  for (int i = 0; i < 8; ++i) {
    double ticks = 0;
    if (!(fields >> ticks)) {
      return std::nullopt;
    }
    total += ticks;
    steal = ticks;  // the eighth
  }
  return total > 0 ? std::optional(steal / total) : std::nullopt;
}

void describe_swap(json& into) {
  const auto kib = [](std::string_view key) {
    return std::strtoull(field_of("/proc/meminfo", key, " ").value_or("0").c_str(), nullptr, 10);
  };
  const auto total = kib("SwapTotal:");
  into["swap_bytes"] = total * 1024;
  into["swap_used_bytes"] = (total - kib("SwapFree:")) * 1024;
}

json huge_pages() {
  const fs::path folder = "/sys/kernel/mm/transparent_hugepage";
  json out = json::object();
  put(out, "enabled", chosen(folder / "enabled"));
  put(out, "defrag", chosen(folder / "defrag"));
  out["sizes"] = json::object();
  std::error_code missing;
  for (const auto& size : fs::directory_iterator(folder, missing)) {
    const std::string name = size.path().filename();  // hugepages-64kB
    const auto state = name.starts_with("hugepages-") ? chosen(size.path() / "enabled") : std::nullopt;
    if (state && *state != "never") {
      out["sizes"][name.substr(10, name.size() - 12)] = *state;
    }
  }
  return out;
}

// The tightest of the limits above us that limit something.
json cgroup_limits() {
  json out = json::object();
  for (const char* name : {"memory.max", "memory.high", "cpu.max", "pids.max"}) {
    for (const auto& folder : cgroup_folders()) {
      const auto text = first_line(folder / name);
      if (text && !text->starts_with("max") && !out.contains(name)) {
        out[name] = *text;
      }
    }
  }
  return out;
}

// What perf's counters give to this user: a description, or why they give nothing.
std::string perf_access() {
  const auto opens = [](std::uint32_t type, std::uint64_t event) {
    perf_event_attr wanted{};
    wanted.size = sizeof wanted;
    wanted.type = type;
    wanted.config = event;
    wanted.exclude_kernel = 1;
    wanted.disabled = 1;
    const long file = syscall(SYS_perf_event_open, &wanted, 0, -1, -1, 0);
    const int error = file < 0 ? errno : 0;
    if (file >= 0) {
      close(static_cast<int>(file));
    }
    return error;
  };
  const int error = opens(PERF_TYPE_HARDWARE, PERF_COUNT_HW_INSTRUCTIONS);
  if (error == 0) {
    return "hardware and software events";
  }
  if (opens(PERF_TYPE_SOFTWARE, PERF_COUNT_SW_PAGE_FAULTS) == 0) {
    return std::string("software events alone: ") + (error == ENOENT || error == EOPNOTSUPP ? "no counters are here" : std::strerror(error));
  }
  return std::string("none: ") + std::strerror(error) + ", perf_event_paranoid is " + first_line("/proc/sys/kernel/perf_event_paranoid").value_or("absent");
}

json costs_of(const HostCosts& costs) {
  json out = {{"system_call_ns", costs.system_call_ns}, {"clock_ns", costs.clock_ns}, {"small_page_ns", costs.small_page_ns}};
  if (costs.huge_page_ns) {
    out["huge_page_ns"] = *costs.huge_page_ns;
  }
  out["give_back_ns"] = json::object();
  for (const auto& [pages, ns] : costs.give_back) {
    out["give_back_ns"][std::to_string(pages)] = ns;
  }
  out["slice_spread"] = costs.slice_spread;
  out["apart_spread"] = costs.apart_spread;
  return out;
}

std::string line_of(const json& card, const HostCosts& costs) {
  const auto us = [](double ns) { return ns < 995 ? fmt::format("{:.2f}", ns / 1000) : fmt::format("{:.1f}", ns / 1000); };
  std::string back;
  std::string pages;
  for (const auto& cost : costs.give_back) {
    back += (back.empty() ? "" : "/") + us(cost.ns);
    pages += (pages.empty() ? "" : "/") + std::to_string(cost.pages);
  }
  return fmt::format("hypervisor {}; in us: system call {}, first touch of a page {}, of 2 MiB {}, giving back {} pages {}; A/A spread {:.1f} %",
                     card.at("hypervisor").get<std::string>(), us(costs.system_call_ns), us(costs.small_page_ns),
                     costs.huge_page_ns ? us(*costs.huge_page_ns) : "-", pages, back, 100 * costs.slice_spread);
}

}  // namespace

json host_card(Effort effort) {
  json out;
  const HostCosts costs = measure_host_costs(effort);
  out["costs"] = costs_of(costs);
  out["hypervisor"] = hypervisor();
  put(out, "clock_source", first_line("/sys/devices/system/clocksource/clocksource0/current_clocksource"));
  describe_swap(out);
  if (const auto share = steal_share()) {
    out["steal_share"] = *share;
  }
  put(out, "pressure", first_line("/proc/pressure/cpu"));
  out["huge_pages"] = huge_pages();
  out["overcommit"] = json::object();
  put(out["overcommit"], "memory", first_line("/proc/sys/vm/overcommit_memory"));
  put(out["overcommit"], "ratio", first_line("/proc/sys/vm/overcommit_ratio"));
  out["cgroup"] = cgroup_limits();
  out["perf"] = perf_access();
  put(out, "smt", first_line("/sys/devices/system/cpu/smt/active"));
  put(out, "numa_nodes", first_line("/sys/devices/system/node/online"));
  put(out, "numa_balancing", first_line("/proc/sys/kernel/numa_balancing"));
  out["line"] = line_of(out, costs);
  return out;
}

}  // namespace bench
