#include "bench/output/report.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <tuple>
#include <utility>

namespace bench {
namespace {

// The order of rows is that of first appearance, which for allocators is the random order of the
// first block: replaced by the table's.
void order_allocators(std::vector<Summary>& rows, const std::vector<std::string>& allocators) {
  const auto rank = [&](const Summary& row) {
    return std::ranges::find(allocators, row.allocator) - allocators.begin();
  };
  const auto same_group = [](const Summary& a, const Summary& b) {
    return std::tie(a.workload, a.threads, a.metric) == std::tie(b.workload, b.threads, b.metric);
  };
  for (auto begin = rows.begin(); begin != rows.end();) {
    auto end = std::find_if_not(begin, rows.end(),
                                [&](const Summary& row) { return same_group(*begin, row); });
    std::stable_sort(begin, end,
                     [&](const Summary& a, const Summary& b) { return rank(a) < rank(b); });
    begin = end;
  }
}

}  // namespace

Report digest(RunFacts facts, std::vector<Sample> samples) {
  Report report;
  report.summaries = summarise(samples, facts.baseline);
  order_allocators(report.summaries, facts.allocators);
  report.means = geometric_means(report.summaries, facts.baseline);
  report.warnings = facts.warnings;
  for (Warning& warning : noise_warnings(samples)) {
    report.warnings.push_back(std::move(warning));
  }
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

}  // namespace bench
