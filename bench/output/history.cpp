#include "bench/output/history.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <tuple>

#include "bench/model/metric.hpp"
#include "bench/output/page_numbers.hpp"
#include "bench/stats/change_points.hpp"

namespace bench {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;
using nlohmann::ordered_json;

struct SeriesName {
  std::string metric;
  Kind kind = Kind::kSynthetic;
  std::string suite;     // of a kind's mean; empty for a cell
  std::string workload;  // of a cell; empty for a kind's mean
  int threads = 0;       // of a cell
  std::string allocator;

  auto operator<=>(const SeriesName&) const = default;
};

struct SeriesPoint {
  std::size_t run = 0;
  double ratio = 1;
  std::optional<Interval> interval;
  std::vector<double> logarithms;  // of ratios, a block each
};

using AllSeries = std::map<SeriesName, std::vector<SeriesPoint>>;

std::string word_of_environment(const StoredRun& run, const char* key) {
  const auto found = run.facts.environment.find(key);
  return found != run.facts.environment.end() && found->is_string() ? found->get<std::string>() : "";
}

// What must be alike for two runs' ratios to be compared.
std::string host_name(const StoredRun& run) {
  const json cpu = run.facts.environment.value("cpu", json::object());
  return fmt::format("{}, {} CPUs, {}", cpu.value("model", "unknown CPU"), cpu.value("count", 0), word_of_environment(run, "kernel"));
}

std::string file_of_baseline(const StoredRun& run) {
  for (const json& row : run.facts.environment.value("allocators", json::array())) {
    if (row.is_object() && row.value("name", "") == run.facts.baseline && row.contains("sha256") && row["sha256"].is_string()) {
      return row["sha256"].get<std::string>();
    }
  }
  return {};
}

double spread_of_host(const StoredRun& run) {
  const json card = run.facts.environment.value("card", json::object());
  const json costs = card.is_object() ? card.value("costs", json::object()) : json::object();
  return costs.is_object() ? costs.value("apart_spread", 0.0) : 0;
}

bool comparable(const StoredRun& a, const StoredRun& b) {
  return host_name(a) == host_name(b) && a.facts.baseline == b.facts.baseline && file_of_baseline(a) == file_of_baseline(b) &&
         a.facts.min_time_s == b.facts.min_time_s;
}

void add_run(const StoredRun& run, std::size_t place, AllSeries& all) {
  const Report report = digest(run.facts, run.samples);
  for (const GeometricMean& mean : report.means) {
    if (mean.ratio && mean.allocator != run.facts.baseline) {
      all[{mean.metric, mean.kind, run.facts.suite, "", 0, mean.allocator}].push_back(
          {place, *mean.ratio, mean.interval, log_ratio_values(mean.log_ratios)});
    }
  }
  for (const Summary& row : report.summaries) {
    if (row.ratio && row.allocator != run.facts.baseline) {
      all[{row.metric, row.kind, "", row.workload, row.threads, row.allocator}].push_back(
          {place, *row.ratio, row.ratio_interval, log_ratio_values(row.log_ratios)});
    }
  }
}

// Neighbouring points whose runs can be compared.
std::vector<std::span<const SeriesPoint>> stretches(const std::vector<SeriesPoint>& points, const std::vector<StoredRun>& runs) {
  std::vector<std::span<const SeriesPoint>> found;
  for (std::size_t first = 0; first < points.size();) {
    std::size_t end = first + 1;
    while (end < points.size() && comparable(runs[points[end - 1].run], runs[points[end].run])) {
      ++end;
    }
    found.push_back(std::span(points).subspan(first, end - first));
    first = end;
  }
  return found;
}

// The splits that are looked at, by metric.
std::map<std::string, std::size_t> splits_by_metric(const AllSeries& all, const std::vector<StoredRun>& runs) {
  std::map<std::string, std::size_t> count;
  for (const auto& [name, points] : all) {
    for (const auto& stretch : stretches(points, runs)) {
      count[name.metric] += stretch.size() - 1;
    }
  }
  return count;
}

ordered_json changes_of(const std::vector<SeriesPoint>& points, const std::vector<StoredRun>& runs, std::size_t splits) {
  ordered_json changes = ordered_json::array();
  for (const auto& stretch : stretches(points, runs)) {
    std::vector<RunMean> means;
    for (const SeriesPoint& point : stretch) {
      means.push_back(run_mean(point.logarithms, spread_of_host(runs[point.run])));
    }
    for (const ChangePoint& change : change_points(means, splits, SummaryOptions{}.least_log_effect())) {
      changes.push_back({stretch[change.run].run, short_number(change.ratio), short_number(change.interval.low), short_number(change.interval.high)});
    }
  }
  return changes;
}

ordered_json series_json(const AllSeries& all, const std::vector<StoredRun>& runs) {
  auto splits = splits_by_metric(all, runs);
  ordered_json list = ordered_json::array();
  for (const auto& [name, points] : all) {
    ordered_json row = {{"metric", name.metric}, {"kind", to_string(name.kind)}, {"allocator", name.allocator}};
    if (name.workload.empty()) {
      row["suite"] = name.suite;
    } else {
      row["workload"] = name.workload;
      row["threads"] = name.threads;
    }
    row["points"] = ordered_json::array();
    for (const SeriesPoint& point : points) {
      row["points"].push_back({point.run, short_number(point.ratio), low_end(point.interval), high_end(point.interval)});
    }
    row["changes"] = changes_of(points, runs, splits[name.metric]);
    list.push_back(std::move(row));
  }
  return list;
}

ordered_json history_run_json(const StoredRun& run) {
  return {{"name", fs::weakly_canonical(run.folder).filename().string()},
          {"date", word_of_environment(run, "date")},
          {"commit", word_of_environment(run, "commit")},
          {"dirty", run.facts.environment.value("dirty", false)},
          {"suite", run.facts.suite},
          {"baseline", run.facts.baseline},
          {"host", host_name(run)},
          {"blocks", run.facts.repetitions},
          {"aa_spread", spread_of_host(run)}};
}

ordered_json history_metrics_json(const AllSeries& all) {
  ordered_json list = ordered_json::array();
  std::vector<std::string> names;
  for (const auto& [name, points] : all) {
    if (names.empty() || names.back() != name.metric) {
      names.push_back(name.metric);
    }
  }
  // Those of metrics() first, in its order.
  const auto rank = [](const std::string& name) {
    const auto found = std::ranges::find(metrics(), std::string_view(name), &Metric::name);
    return found - metrics().begin();
  };
  std::ranges::stable_sort(names, {}, rank);
  for (const std::string& name : names) {
    const Direction direction = metric_named(name).direction;
    list.push_back({{"name", name}, {"better", direction == Direction::kHigherIsBetter ? "higher" : direction == Direction::kLowerIsBetter ? "lower" : ""}});
  }
  return list;
}

}  // namespace

History read_history(const fs::path& folder) {
  std::error_code error;
  if (!fs::is_directory(folder, error)) {
    throw UnreadableRun(fmt::format("{}: no such directory; give one whose folders are runs, such as results/", folder.string()));
  }
  std::vector<fs::path> folders;
  for (const auto& entry : fs::directory_iterator(folder)) {
    if (entry.is_directory()) {
      folders.push_back(entry.path());
    }
  }
  std::ranges::sort(folders);
  History history;
  for (const fs::path& each : folders) {
    try {
      history.runs.push_back(read_run(each));
    } catch (const UnreadableRun& reason) {
      history.left_out.push_back({each.filename().string(), reason.what()});
    }
  }
  if (history.runs.empty()) {
    throw UnreadableRun(fmt::format("{}: none of its {} folders is a run of this version; give one whose folders are runs, such as results/",
                                    folder.string(), folders.size()));
  }
  std::ranges::stable_sort(history.runs, {}, [](const StoredRun& run) { return word_of_environment(run, "date"); });
  return history;
}

ordered_json history_data(const History& history) {
  AllSeries all;
  for (std::size_t i = 0; i < history.runs.size(); ++i) {
    add_run(history.runs[i], i, all);
  }
  ordered_json runs = ordered_json::array();
  for (const StoredRun& run : history.runs) {
    runs.push_back(history_run_json(run));
  }
  ordered_json left_out = ordered_json::array();
  for (const LeftOut& each : history.left_out) {
    left_out.push_back({each.folder, each.why});
  }
  return {{"version", 1}, {"runs", std::move(runs)}, {"left_out", std::move(left_out)}, {"metrics", history_metrics_json(all)}, {"series", series_json(all, history.runs)}};
}

}  // namespace bench
