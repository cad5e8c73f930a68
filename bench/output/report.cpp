#include "bench/output/report.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <span>
#include <string_view>
#include <tuple>
#include <utility>

#include "bench/model/metric.hpp"

namespace bench {
namespace {

// Its place in the list, then by name.
using Rank = std::pair<std::ptrdiff_t, std::string_view>;

Rank rank_of(const std::string& name, std::span<const std::string> list) {
  return {std::ranges::find(list, name) - list.begin(), name};
}

Rank rank_of_metric(const std::string& name) {
  const auto list = metrics();
  return {std::ranges::find(list, name, &Metric::name) - list.begin(), name};
}

void put_in_order(std::vector<Summary>& rows, const RunFacts& facts) {
  const auto key = [&](const Summary& row) {
    return std::tuple(rank_of(row.workload, facts.workloads), row.threads,
                      rank_of_metric(row.metric), rank_of(row.allocator, facts.allocators));
  };
  std::ranges::sort(rows, [&](const Summary& a, const Summary& b) { return key(a) < key(b); });
}

}  // namespace

Report digest(RunFacts facts, std::vector<Sample> samples) {
  Report report;
  report.summaries = summarise(samples, facts.baseline);
  put_in_order(report.summaries, facts);
  report.means = geometric_means(report.summaries, facts.baseline);
  report.warnings = facts.warnings;
  for (Warning& warning : noise_warnings(samples)) {
    report.warnings.push_back(std::move(warning));
  }
  facts.environment["references"] = facts.references;
  facts.environment["repetitions"] = facts.repetitions;
  facts.environment["min_time_s"] = facts.min_time_s;
  facts.environment["cut_off"] = facts.cut_off;
  report.facts = std::move(facts);
  report.samples = std::move(samples);
  return report;
}

std::vector<std::string> candidates(const Report& report) {
  std::vector<std::string> names;
  for (const std::string& name : report.facts.allocators) {
    if (std::ranges::find(report.facts.references, name) == report.facts.references.end()) {
      names.push_back(name);
    }
  }
  return names;
}

std::vector<std::string> failure_lines(const Report& report) {
  std::vector<std::string> lines;
  for (const Summary& row : report.summaries) {
    if (row.status == Status::kOk) {
      continue;
    }
    std::string line = fmt::format(
        "{}, {} thread{}, {}: {}{}{}", row.workload, row.threads, row.threads == 1 ? "" : "s",
        row.allocator, to_string(row.status), row.detail.empty() ? "" : ": ", row.detail);
    if (std::ranges::find(lines, line) == lines.end()) {
      lines.push_back(std::move(line));
    }
  }
  return lines;
}

std::string left_out_text(const GeometricMean& mean) {
  std::vector<std::pair<std::string, std::string>> cells_of;  // by reason, in order of appearance
  for (const LeftOutCell& cell : mean.left_out) {
    std::string name = cell.workload;
    name += cell.threads > 1 ? fmt::format(" on {} threads", cell.threads) : "";
    const auto found =
        std::ranges::find(cells_of, cell.why, &std::pair<std::string, std::string>::first);
    if (found == cells_of.end()) {
      cells_of.emplace_back(cell.why, std::move(name));
    } else {
      found->second += ", " + name;
    }
  }
  std::string text;
  for (const auto& [why, cells] : cells_of) {
    text += fmt::format("{}{}: {}", text.empty() ? "" : "; ", why, cells);
  }
  return text;
}

}  // namespace bench
