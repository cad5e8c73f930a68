// Joins stored runs: shards of one plan, and hosts. What is joined must have been measured alike; hosts whose cards are unlike stay apart.
#pragma once

#include <filesystem>
#include <span>
#include <string>
#include <vector>

#include "bench/output/read_run.hpp"

namespace bench {

// The runs of all hosts of one card as one run.
struct HostRun {
  std::string name;                             // of its hosts: "node1", "node1, node2"
  std::string unlike;                           // what sets it apart from the first: "kernel: A, there B"; empty for the first
  RunFacts facts;                               // environment["merged"]: an object for each of its sources
  std::vector<Sample> samples;
  std::vector<std::filesystem::path> sources;   // and by how much their blocks were moved:
  std::vector<int> block_offsets;               // one for each source; not 0 where a cell was measured in more than one of them
};

// One for each card, in order of appearance. Hosts are of one card if their settings and hardware are the same and, unless they have the
// same name, their system calls and page faults cost the same within a factor of 2. Throws UnreadableRun, which says what to do: fewer
// than two runs, a run twice, a run that was cut off, unlike versions or options, shards or cells that are missing.
std::vector<HostRun> merge_runs(std::span<const StoredRun> runs);

// Each host's figures beside the others', of equal cells; nothing is averaged over hosts. At most 80 columns, but for long names.
// `reports` are the digests of `hosts`, in their order.
std::string render_hosts(std::span<const HostRun> hosts, std::span<const Report> reports);

// The rows of every host's summary.csv, with the host's number and name in front.
std::string render_hosts_csv(std::span<const HostRun> hosts, std::span<const Report> reports);

// Writes the run of one host into a new directory, its timelines and histograms, and seals it. Throws OutputError or UnreadableRun.
void write_host_run(const HostRun& host, const Report& report, const std::filesystem::path& folder);

}  // namespace bench
