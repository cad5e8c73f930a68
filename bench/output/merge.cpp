#include "bench/output/merge.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <optional>
#include <set>

#include "bench/output/csv_file.hpp"
#include "bench/output/manifest.hpp"
#include "bench/output/run_directory.hpp"

namespace bench {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;
using CellKey = std::pair<std::string, int>;  // workload, threads

constexpr double kAlikeCosts = 2;  // a factor; quick measurements of costs scatter, unlike hosts differ by more
constexpr std::size_t kNamesTold = 5;

[[noreturn]] void refuse(std::string_view what, std::string_view remedy) { throw UnreadableRun(fmt::format("{}; {}", what, remedy)); }

std::string text_of(const json& value) { return value.is_string() ? value.get<std::string>() : value.is_null() ? "none" : value.dump(); }

json at_path(const json& environment, const char* path) { return environment.value(json::json_pointer(path), json()); }

struct Named {
  const char* path;
  const char* name;
};

// What was measured, and how: the same in all that is joined.
constexpr Named kMeasuredAlike[] = {{"/commit", "commit of bench"}, {"/dirty", "uncommitted changes"}, {"/build_type", "build type"},
                                    {"/compiler", "compiler"}, {"/compiler_flags", "compiler flags"}, {"/suite", "suite"},
                                    {"/baseline", "baseline"}, {"/repetitions", "blocks"}, {"/min_time_s", "--min-time"}, {"/seed", "seed"},
                                    {"/margin", "margin"}, {"/looks", "--precision or --budget"},
                                    {"/memory_per_cpu_bytes", "--memory-per-cpu"}, {"/references", "references"}};

// What makes a host what it is.
constexpr Named kCard[] = {{"/cpu/model", "CPU"}, {"/cpu/count", "CPUs"}, {"/cpu/usable", "usable CPUs"}, {"/cpu/governor", "governor"},
                           {"/cpu/turbo", "turbo"}, {"/memory_bytes", "memory"}, {"/kernel", "kernel"}, {"/libc", "C library"},
                           {"/aslr", "ASLR"}, {"/overcommit_memory", "overcommit"}, {"/transparent_huge_pages", "huge pages"},
                           {"/card/hypervisor", "hypervisor"}, {"/card/clock_source", "clock"}, {"/card/huge_pages", "huge pages"},
                           {"/card/smt", "SMT"}, {"/card/numa_nodes", "NUMA nodes"}, {"/card/numa_balancing", "NUMA balancing"},
                           {"/card/cgroup", "cgroup limits"}};

constexpr Named kCosts[] = {{"/card/costs/system_call_ns", "ns a system call"}, {"/card/costs/small_page_ns", "ns a first touch of a page"}};

std::string host_name_of(const StoredRun& run) { return text_of(at_path(run.facts.environment, "/host")); }

// Why the hosts are not of one card; empty if they are.
std::string difference_of_cards(const StoredRun& first, const StoredRun& other) {
  const json& a = first.facts.environment;
  const json& b = other.facts.environment;
  for (const Named& key : kCard) {
    if (const json here = at_path(b, key.path), there = at_path(a, key.path); here != there) {
      return fmt::format("{}: {}, there {}", key.name, text_of(here), text_of(there));
    }
  }
  for (const Named& key : kCosts) {
    const json here = at_path(b, key.path);
    const json there = at_path(a, key.path);
    if (!here.is_number() || !there.is_number() || host_name_of(first) == host_name_of(other)) {
      continue;
    }
    const double ratio = here.get<double>() / there.get<double>();
    if (ratio > kAlikeCosts || ratio < 1 / kAlikeCosts) {
      return fmt::format("{}: {:.0f}, there {:.0f}", key.name, here.get<double>(), there.get<double>());
    }
  }
  return "";
}

// Name, version, library and settings of each allocator; paths may differ.
json identities(const StoredRun& run) {
  json rows = json::object();
  for (const json& row : run.facts.environment.value("allocators", json::array())) {
    rows[row.value("name", "")] = {{"version", row.value("version", json())}, {"SHA-256", row.value("sha256", json())},
                                   {"environment", row.value("environment", json::object())}};
  }
  return rows;
}

void check_measured_alike(const StoredRun& first, const StoredRun& other) {
  constexpr std::string_view kRemedy = "join runs of one build with the same options";
  const auto fail = [&](std::string_view what, const json& here, const json& there) {
    refuse(fmt::format("{} and {} differ in {}: {} and {}", first.folder.string(), other.folder.string(), what, text_of(there), text_of(here)), kRemedy);
  };
  for (const Named& key : kMeasuredAlike) {
    if (const json here = at_path(other.facts.environment, key.path), there = at_path(first.facts.environment, key.path); here != there) {
      fail(key.name, here, there);
    }
  }
  const json there = identities(first);
  const json here = identities(other);
  for (const auto& [name, facts] : there.items()) {
    if (!here.contains(name)) {
      refuse(fmt::format("{} did not measure {}, which {} did", other.folder.string(), name, first.folder.string()), kRemedy);
    }
    for (const auto& [key, value] : facts.items()) {
      if (here[name][key] != value) {
        fail(fmt::format("the {} of {}", key, name), here[name][key], value);
      }
    }
  }
  if (here.size() != there.size()) {
    refuse(fmt::format("{} measured allocators that {} did not", other.folder.string(), first.folder.string()), kRemedy);
  }
}

// What a run says about its part of a plan; whole runs are the one shard of one.
struct Part {
  int index = 1;
  int count = 1;
  std::vector<CellKey> plan;  // of all shards; empty for a whole run
};

Part part_of(const StoredRun& run) {
  const auto found = run.facts.environment.find("shard");
  if (found == run.facts.environment.end()) {
    return {};
  }
  try {
    Part part{found->at("index"), found->at("count"), found->at("cells").get<std::vector<CellKey>>()};
    if (part.index >= 1 && part.index <= part.count) {
      return part;
    }
  } catch (const json::exception&) {
  }
  refuse(fmt::format("{}: its \"shard\" is damaged", (run.folder / "environment.json").string()), "take an undamaged copy");
}

std::set<CellKey> cells_in(const StoredRun& run) {
  std::set<CellKey> cells;
  for (const Sample& sample : run.samples) {
    cells.emplace(sample.workload, sample.threads);
  }
  return cells;
}

std::string names_of(const std::set<CellKey>& cells) {
  std::string text;
  std::size_t told = 0;
  for (const auto& [workload, threads] : cells) {
    if (++told > kNamesTold) {
      return text + fmt::format(" and {} more", cells.size() - kNamesTold);
    }
    text += (text.empty() ? "" : ", ") + workload + (threads == 1 ? "" : fmt::format(" on {} threads", threads));
  }
  return text;
}

std::set<CellKey> without(const std::set<CellKey>& all, const std::set<CellKey>& some) {
  std::set<CellKey> rest;
  std::ranges::set_difference(all, some, std::inserter(rest, rest.end()));
  return rest;
}

void check_ended(const StoredRun& run) {
  if (run.facts.cut_off) {
    refuse(fmt::format("{} was cut off", run.folder.string()), fmt::format("go on with it first: bench --resume {}", run.folder.string()));
  }
  const Part part = part_of(run);
  std::set<CellKey> own;
  for (std::size_t n = 0; n < part.plan.size(); ++n) {
    if (n % static_cast<std::size_t>(part.count) == static_cast<std::size_t>(part.index - 1)) {
      own.insert(part.plan[n]);
    }
  }
  if (const auto lost = without(own, cells_in(run)); !lost.empty()) {
    refuse(fmt::format("{} lacks cells of its shard: {}", run.folder.string(), names_of(lost)),
           fmt::format("go on with it: bench --resume {}, or run that shard again", run.folder.string()));
  }
}

bool same_figures(const StoredRun& a, const StoredRun& b) {
  return std::ranges::equal(a.samples, b.samples, [](const Sample& x, const Sample& y) {
    return x.block == y.block && x.workload == y.workload && x.threads == y.threads && x.allocator == y.allocator && x.metric == y.metric &&
           x.value == y.value;
  });
}

void check_given_once(std::span<const StoredRun> runs) {
  for (std::size_t i = 0; i < runs.size(); ++i) {
    for (std::size_t k = 0; k < i; ++k) {
      if (same_figures(runs[k], runs[i])) {
        refuse(fmt::format("{} and {} are the same run", runs[k].folder.string(), runs[i].folder.string()), "give each run once");
      }
    }
  }
}

using Group = std::vector<const StoredRun*>;

std::vector<Group> groups_by_card(std::span<const StoredRun> runs) {
  std::vector<Group> groups;
  for (const StoredRun& run : runs) {
    const auto found = std::ranges::find_if(groups, [&run](const Group& group) { return difference_of_cards(*group.front(), run).empty(); });
    if (found == groups.end()) {
      groups.push_back({&run});
    } else {
      found->push_back(&run);
    }
  }
  return groups;
}

std::string host_names(const Group& group) {
  std::string text;
  std::set<std::string> told;
  for (const StoredRun* run : group) {
    if (const std::string name = host_name_of(*run); told.insert(name).second) {
      text += (text.empty() ? "" : ", ") + name;
    }
  }
  return text;
}

// How often each shard is there; all of one plan, each as often as the others.
std::map<int, int> counted_shards(const Group& group) {
  const Part first = part_of(*group.front());
  std::map<int, int> times;
  for (const StoredRun* run : group) {
    const Part part = part_of(*run);
    if (part.count != first.count || part.plan != first.plan) {
      refuse(fmt::format("{} and {} are not of one plan (shards of {} and {})", group.front()->folder.string(), run->folder.string(), first.count,
                         part.count),
             "split the same suite and options into the same number of shards, with the same packages installed on each host");
    }
    ++times[part.index];
  }
  int most = 0;
  for (const auto& [index, count] : times) {
    most = std::max(most, count);
  }
  for (int index = 1; index <= first.count; ++index) {
    if (times[index] != most) {
      refuse(fmt::format("shard {}/{} is {} on {}", index, first.count,
                         times[index] == 0 ? "missing" : fmt::format("there {} times, others {}", times[index], most), host_names(group)),
             "run it there; shards of hosts with unlike cards make no whole");
    }
  }
  return times;
}

std::set<CellKey> all_cells(const Group& group) {
  std::set<CellKey> cells;
  for (const StoredRun* run : group) {
    cells.merge(cells_in(*run));
  }
  return cells;
}

// Whole runs of one host that are joined must have the same cells, too.
void check_whole_runs(const Group& group) {
  const auto cells = all_cells(group);
  for (const StoredRun* run : group) {
    if (const auto lost = without(cells, cells_in(*run)); part_of(*run).count == 1 && !lost.empty()) {
      refuse(fmt::format("{} lacks cells that others have: {}", run->folder.string(), names_of(lost)), "run the same suite everywhere");
    }
  }
}

json source_facts(const StoredRun& run) {
  json facts = {{"folder", run.folder.filename().string()}, {"command", run.facts.command}};
  for (const char* key : {"host", "date", "load_average"}) {
    facts[key] = run.facts.environment.value(key, json());
  }
  const Part part = part_of(run);
  facts["shard"] = fmt::format("{}/{}", part.index, part.count);
  facts["card"] = at_path(run.facts.environment, "/card/line");
  return facts;
}

HostRun joined(const Group& group) {
  const auto times = counted_shards(group);
  check_whole_runs(group);
  HostRun host;
  host.name = host_names(group);
  host.facts = group.front()->facts;
  int blocks = 0;
  for (const StoredRun* run : group) {
    for (const Sample& sample : run->samples) {
      blocks = std::max(blocks, sample.block + 1);
    }
  }
  std::map<int, int> taken;
  host.facts.environment["merged"] = json::array();
  for (const StoredRun* run : group) {
    const int offset = blocks * taken[part_of(*run).index]++;
    host.sources.push_back(run->folder);
    host.block_offsets.push_back(offset);
    host.facts.environment["merged"].push_back(source_facts(*run));
    for (Sample sample : run->samples) {
      sample.block += offset;
      host.samples.push_back(std::move(sample));
    }
  }
  if (const Part part = part_of(*group.front()); !part.plan.empty()) {
    host.facts.workloads.clear();
    for (const auto& [workload, threads] : part.plan) {
      if (std::ranges::find(host.facts.workloads, workload) == host.facts.workloads.end()) {
        host.facts.workloads.push_back(workload);
      }
    }
  }
  host.facts.repetitions *= times.begin()->second;
  host.facts.environment["host"] = host.name;
  host.facts.environment.erase("shard");
  return host;
}

// A file whose rows begin with a block, of all sources; nothing where none has it.
std::string joined_rows(const HostRun& host, const char* name) {
  std::string text;
  for (std::size_t i = 0; i < host.sources.size(); ++i) {
    const fs::path file = packed_or_plain(host.sources[i] / name);
    if (std::error_code error; !fs::exists(file, error)) {
      continue;
    }
    const std::vector<std::string> lines = read_lines(file).lines;
    for (std::size_t line = text.empty() ? 0 : 1; line < lines.size(); ++line) {
      const auto comma = lines[line].find(',');
      const bool is_row = line > 0 && comma != std::string::npos;
      text += is_row ? std::to_string(std::stoi(lines[line].substr(0, comma)) + host.block_offsets[i]) + lines[line].substr(comma) : lines[line];
      text += '\n';
    }
  }
  return text;
}

}  // namespace

std::vector<HostRun> merge_runs(std::span<const StoredRun> runs) {
  if (runs.size() < 2) {
    refuse("one run is nothing to join", "give the directories of all shards or hosts: bench merge DIR DIR --out DIR");
  }
  for (const StoredRun& run : runs) {
    check_ended(run);
    check_measured_alike(runs.front(), run);
  }
  check_given_once(runs);
  const std::vector<Group> groups = groups_by_card(runs);
  std::vector<HostRun> hosts;
  for (const Group& group : groups) {
    hosts.push_back(joined(group));
    hosts.back().unlike = difference_of_cards(*groups.front().front(), *group.front());
  }
  for (const Group& group : groups) {
    for (const Group& other : groups) {
      if (const auto lost = without(all_cells(other), all_cells(group)); !lost.empty()) {
        refuse(fmt::format("{} lacks cells that {} has: {}", host_names(group), host_names(other), names_of(lost)),
               "run the same suite, with the same packages and thread counts, on each host");
      }
    }
  }
  return hosts;
}

void write_host_run(const HostRun& host, const Report& report, const fs::path& folder) {
  RunDirectory directory(folder);
  directory.append(host.samples);
  for (const char* name : {"timelines.csv", "latency.csv"}) {
    if (const std::string text = joined_rows(host, name); !text.empty()) {
      write_whole_file(folder / name, text);
    }
  }
  directory.write(report);
  seal(folder);
}

}  // namespace bench
