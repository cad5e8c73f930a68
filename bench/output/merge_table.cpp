// Hosts side by side, for bench merge.
#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "bench/output/format.hpp"
#include "bench/output/grid.hpp"
#include "bench/output/index.hpp"
#include "bench/output/merge.hpp"
#include "bench/output/number.hpp"

namespace bench {
namespace {

constexpr std::size_t kColumns = 80;
constexpr std::size_t kHostsAbreast = 3;  // more would not fit
constexpr std::array kTold{std::string_view("throughput"), std::string_view("peak_rss"), std::string_view("mean_rss"), std::string_view("cost")};

std::string mean_of_host(const GeometricMean* mean) {
  if (mean == nullptr || !mean->ratio) {
    return "-";
  }
  return ratio_text(*mean->ratio) +
         (mean->interval ? fmt::format(" ({}-{})", ratio_text(mean->interval->low), ratio_text(mean->interval->high)) : "");
}

std::string mark_of(std::size_t host) { return fmt::format("host {}", host + 1); }

std::string means_beside(std::span<const Report> reports, std::size_t first, std::string_view metric) {
  const std::size_t end = std::min(reports.size(), first + kHostsAbreast);
  std::vector<Index> indices;
  for (const Report& report : reports) {
    indices.emplace_back(report);
  }
  std::vector<GridRow> rows{{{std::string(metric), Align::kLeft}, {"", Align::kLeft}}};
  for (std::size_t host = first; host < end; ++host) {
    rows[0].push_back({mark_of(host)});
  }
  const RunFacts& facts = reports.front().facts;
  for (const Kind kind : indices.front().kinds_with_mean(metric)) {
    for (const std::string& allocator : facts.allocators) {
      if (allocator == facts.baseline) {
        continue;
      }
      GridRow row{{std::string(to_string(kind)), Align::kLeft}, {allocator, Align::kLeft}};
      for (std::size_t host = first; host < end; ++host) {
        row.push_back({mean_of_host(indices[host].mean(kind, metric, allocator))});
      }
      rows.push_back(std::move(row));
    }
  }
  return rows.size() == 1 ? "" : render_grid(rows, false) + "\n";
}

std::string judged(const Summary& row) { return fmt::format("{} {}", ratio_text(row.ratio.value_or(1)), verdict_word(row)); }

// Cells that are better on one host and worse on another: the lines, and of how many.
std::string opposed_verdicts(std::span<const Report> reports) {
  std::string lines;
  std::size_t opposed = 0;
  const std::vector<Index> indices(reports.begin(), reports.end());
  for (const Summary& row : reports.front().summaries) {
    std::string hosts;
    bool better = false;
    bool worse = false;
    for (std::size_t host = 0; host < reports.size(); ++host) {
      const Summary* found = indices[host].summary({row.workload, row.threads, row.kind}, row.metric, row.allocator);
      if (found != nullptr && judgement(*found) != Judgement::kNeither) {
        better = better || judgement(*found) == Judgement::kBetter;
        worse = worse || judgement(*found) == Judgement::kWorse;
        hosts += fmt::format("{}{} {}", hosts.empty() ? "" : "; ", mark_of(host), judged(*found));
      }
    }
    if (better && worse) {
      ++opposed;
      lines += wrapped(fmt::format("{}{}, {}, {}: {}", row.workload, row.threads == 1 ? "" : fmt::format(" on {} threads", row.threads), row.metric,
                                   row.allocator, hosts),
                       2, kColumns);
    }
  }
  return fmt::format("Better on one host and worse on another: {} of {} figures\n{}", opposed, reports.front().summaries.size(), lines);
}

std::string csv_quoted(std::string_view text) {
  std::string out = "\"";
  for (const char c : text) {
    out += c == '"' ? "\"\"" : std::string(1, c);
  }
  return out + '"';
}

}  // namespace

std::string render_hosts(std::span<const HostRun> hosts, std::span<const Report> reports) {
  std::string text = fmt::format("{} hosts with unlike cards: nothing is averaged over them.\n\n", hosts.size());
  for (std::size_t host = 0; host < hosts.size(); ++host) {
    text += wrapped(fmt::format("{}: {}", mark_of(host), hosts[host].name), 0, kColumns);
    const auto line = hosts[host].facts.environment.value(nlohmann::json::json_pointer("/card/line"), std::string());
    text += line.empty() ? "" : wrapped(line, 2, kColumns);
    text += hosts[host].unlike.empty() ? "" : wrapped("unlike host 1 in " + hosts[host].unlike, 2, kColumns);
  }
  text += fmt::format("\nMeans of ratios to {} by kind, with 95 % intervals\n\n", reports.front().facts.baseline);
  for (const std::string_view metric : kTold) {
    for (std::size_t first = 0; first < hosts.size(); first += kHostsAbreast) {
      text += means_beside(reports, first, metric);
    }
  }
  return text + opposed_verdicts(reports);
}

std::string render_hosts_csv(std::span<const HostRun> hosts, std::span<const Report> reports) {
  std::string text;
  for (std::size_t host = 0; host < hosts.size(); ++host) {
    const std::string rows = render_summary_csv(reports[host], Style{});
    std::size_t begin = 0;
    for (bool header = true; begin < rows.size(); header = false) {
      const auto end = rows.find('\n', begin);
      if (!header || host == 0) {
        text += (header ? "host,host_name," : fmt::format("{},{},", host + 1, csv_quoted(hosts[host].name))) + rows.substr(begin, end - begin + 1);
      }
      begin = end + 1;
    }
  }
  return text;
}

}  // namespace bench
