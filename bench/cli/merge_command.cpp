// bench merge: shards of a plan and runs of many hosts, joined.
#include <fmt/format.h>

#include <cctype>
#include <filesystem>
#include <memory>

#include "bench/cli/commands.hpp"
#include "bench/output/format.hpp"
#include "bench/output/merge.hpp"
#include "bench/output/run_directory.hpp"
#include "bench/plan/suite.hpp"

namespace bench::cli {
namespace {

namespace fs = std::filesystem;

struct MergeWords {
  std::vector<std::string> folders;
  std::string out;
};

// "2-node1": a host's folder; its name may hold anything.
std::string folder_name(std::size_t number, const std::string& host) {
  std::string name = host.substr(0, host.find(','));
  for (char& c : name) {
    c = std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '-' || c == '.' ? c : '-';
  }
  return fmt::format("{}-{}", number, name);
}

int merge(const MergeWords& words) {
  if (words.out.empty()) {
    throw UsageError("say where the joined run goes: bench merge DIR... --out DIR");
  }
  const fs::path out = words.out;
  if (fs::exists(out) && !(fs::is_directory(out) && fs::is_empty(out))) {
    throw UsageError(words.out + " is there already; choose a new directory with --out");
  }
  std::vector<StoredRun> runs;
  for (const std::string& folder : words.folders) {
    runs.push_back(read_run(folder));
  }
  const std::vector<HostRun> hosts = merge_runs(runs);
  std::vector<Report> reports;
  for (const HostRun& host : hosts) {
    reports.push_back(digest(host.facts, host.samples));
  }
  if (hosts.size() == 1) {
    write_host_run(hosts[0], reports[0], out);
    write_stdout(render_table(reports[0], style_of_stdout()));
  } else {
    for (std::size_t i = 0; i < hosts.size(); ++i) {
      write_host_run(hosts[i], reports[i], out / folder_name(i + 1, hosts[i].name));
    }
    const std::string text = render_hosts(hosts, reports);
    write_whole_file(out / "hosts.csv", render_hosts_csv(hosts, reports));
    write_whole_file(out / "hosts.txt", text);
    write_stdout(text);
  }
  std::fprintf(stderr, "bench: %zu runs joined, %zu %s; results in %s\n", runs.size(), hosts.size(), hosts.size() == 1 ? "card of hosts" : "cards of hosts",
               words.out.c_str());
  return kAllMeasured;
}

}  // namespace

void add_merge(CLI::App& app, Context& context) {
  auto words = std::make_shared<MergeWords>();
  CLI::App* command = app.add_subcommand("merge", "Join the shards of a run, and runs of many hosts");
  command->add_option("runs", words->folders, "directories of runs")->required()->type_name("DIR");
  command->add_option("--out", words->out, "where the joined run goes; a new directory")->take_last()->type_name("DIR");
  command->footer("Runs of hosts with the same card become one run. Hosts with unlike cards stay apart: a directory for each, and hosts.txt shows\n"
                  "them side by side. What was not measured alike, and what is missing, is refused. Exit: 0 joined, 2 refused.");
  command->callback([words, &context] { context.action = [words] { return merge(*words); }; });
}

}  // namespace bench::cli
