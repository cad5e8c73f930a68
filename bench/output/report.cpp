#include "bench/output/report.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <span>
#include <string_view>
#include <tuple>
#include <utility>

#include "bench/model/metric.hpp"
#include "bench/stats/quantile.hpp"

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
    return std::tuple(std::ranges::find(kKinds, row.kind) - kKinds.begin(), rank_of(row.workload, facts.workloads), row.threads,
                      rank_of_metric(row.metric), rank_of(row.allocator, facts.allocators));
  };
  std::ranges::sort(rows, [&](const Summary& a, const Summary& b) { return key(a) < key(b); });
}

}  // namespace

SummaryOptions summary_options(const RunFacts& facts) {
  SummaryOptions options;
  options.margin = facts.margin;
  options.looks = facts.looks;
  options.without_verdict = facts.references;
  for (std::string& copy : copies_of_baseline(facts)) {
    options.without_verdict.push_back(std::move(copy));
  }
  return options;
}

Report digest(RunFacts facts, std::vector<Sample> samples) {
  Report report;
  const SummaryOptions options = summary_options(facts);
  std::vector<Sample> all = samples;
  for (Sample& cost : cost_samples(samples, facts.baseline, facts.bytes_per_cpu)) {
    all.push_back(std::move(cost));
  }
  report.summaries = summarise(all, facts.baseline, options);
  put_in_order(report.summaries, facts);
  report.means = geometric_means(report.summaries, facts.baseline, options);
  report.costs = cell_costs(samples, facts.baseline, candidates(facts));
  std::ranges::stable_sort(report.costs, {}, [&](const CellCost& cell) {
    return std::tuple(std::ranges::find(kKinds, cell.kind) - kKinds.begin(), rank_of(cell.workload, facts.workloads), cell.threads);
  });
  report.warnings = facts.warnings;
  for (Warning& warning : noise_warnings(samples)) {
    report.warnings.push_back(std::move(warning));
  }
  facts.environment["references"] = facts.references;
  facts.environment["copies"] = copies_of_baseline(facts);
  facts.environment["repetitions"] = facts.repetitions;
  facts.environment["min_time_s"] = facts.min_time_s;
  facts.environment["margin"] = facts.margin;
  facts.environment["looks"] = {{"first_blocks", facts.looks.first_blocks}, {"count", facts.looks.count}};
  facts.environment["memory_per_cpu_bytes"] = facts.bytes_per_cpu;
  facts.environment["cut_off"] = facts.cut_off;
  report.facts = std::move(facts);
  report.samples = std::move(samples);
  return report;
}

std::vector<std::string> copies_of_baseline(const RunFacts& facts) {
  const nlohmann::json rows = facts.environment.value("allocators", nlohmann::json::array());
  const auto is_baseline = [&](const nlohmann::json& row) { return row.value("name", "") == facts.baseline; };
  const auto baseline = std::ranges::find_if(rows, is_baseline);
  std::vector<std::string> copies;
  for (const nlohmann::json& row : rows) {
    const auto same = [&](const char* key) { return row.contains(key) && baseline->contains(key) && row[key] == (*baseline)[key]; };
    if (baseline != rows.end() && !is_baseline(row) && same("sha256") && row["sha256"].is_string() && same("environment")) {
      copies.push_back(row.value("name", ""));
    }
  }
  return copies;
}

std::vector<std::string> candidates(const RunFacts& facts) {
  const std::vector<std::string> others = summary_options(facts).without_verdict;
  std::vector<std::string> names;
  for (const std::string& name : facts.allocators) {
    if (std::ranges::find(others, name) == others.end()) {
      names.push_back(name);
    }
  }
  return names;
}

std::vector<ParetoFront> fronts(const Report& report) {
  std::vector<ParetoFront> all;
  for (const Kind kind : kKinds) {
    auto front = pareto_front(kind, report.means, candidates(report.facts), report.facts.baseline, summary_options(report.facts));
    if (front) {
      all.push_back(std::move(*front));
    }
  }
  return all;
}

std::vector<std::string> price_lines(const Report& report) {
  std::vector<std::string> lines;
  for (const Kind kind : kKinds) {
    const auto ranges = cheapest_by_price(cost_of_kind(report.costs, kind));
    if (!ranges.empty() && candidates(report.facts).size() > 1) {
      lines.push_back(fmt::format("{}: {}", to_string(kind), in_words(ranges)));
    }
  }
  return lines;
}

std::string detectable_line(const Report& report, std::string_view metric) {
  std::vector<double> shares;
  for (const Summary& row : report.summaries) {
    if (row.metric == metric && row.detectable) {
      shares.push_back(*row.detectable);
    }
  }
  if (shares.empty()) {
    return "";
  }
  return fmt::format("Of {} comparisons, half would have shown a difference of {:.1f} %, nine in ten one of {:.1f} % (power 80 %)",
                     shares.size(), 100 * median(shares), 100 * quantile(shares, 0.9));
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
