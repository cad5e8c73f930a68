// The machine, the system and the build that figures come from, as written to environment.json.
#pragma once

#include <filesystem>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

namespace bench {

// Keys: cpu {model, count, usable, governor, turbo, caches}, memory_bytes, memory_limit_bytes (of the cgroup, if any), kernel,
// distribution, libc, compiler, compiler_flags, build_type, commit, dirty, date, host, transparent_huge_pages, overcommit_memory,
// aslr, load_average, peak_watch (whether peaks can be watched), limits, allocator_variables (settings in the environment that
// allocators may read). Not the host's card, which takes time: host_card.hpp. What cannot be read is left out.
nlohmann::json describe_environment();

// A value that a file of the kernel's should have.
struct HostSetting {
  std::filesystem::path file;
  std::string value;
};

struct HostWarning {
  std::string what;
  std::string remedy;
  std::vector<HostSetting> settings = {};  // that mend it and harm nothing else, for bench doctor --fix; needs root
};

// Doubts that the environment itself gives cause for: governor, turbo, load, memory limit, peaks that cannot be watched, debug build,
// dirty tree, settings of allocators in the environment; and where environment["card"] is the host's card: time taken by the hypervisor,
// swapping, slow clocks, limits of CPU time, moving of pages between nodes, noise.
std::vector<HostWarning> host_warnings(const nlohmann::json& environment);

// What of it the user asked to have mended: writes the settings and tells what became of each, a line each.
std::vector<std::string> mend(const HostWarning& warning);

// "Wed Nov 21 2026" is not for machines: "2026-11-21T12:00:00+00:00".
std::string date_and_time();
std::string host_name();

}  // namespace bench
