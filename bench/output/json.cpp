// environment.json, and the JSON of --format=json: environment, summaries, geometric means and
// warnings in one object.
#include <cmath>
#include <nlohmann/json.hpp>
#include <span>

#include "bench/output/format.hpp"

namespace bench {
namespace {

using nlohmann::ordered_json;

ordered_json number(const std::optional<double>& value) {
  return value ? ordered_json(*value) : ordered_json(nullptr);
}

ordered_json pair(const std::optional<Interval>& interval) {
  return interval ? ordered_json::array({interval->low, interval->high}) : ordered_json(nullptr);
}

ordered_json summary_json(const Summary& row) {
  ordered_json json;
  json["workload"] = row.workload;
  json["threads"] = row.threads;
  json["kind"] = to_string(row.kind);
  json["metric"] = row.metric;
  json["unit"] = row.unit;
  json["allocator"] = row.allocator;
  json["n"] = row.n;
  json["median"] = number(row.median);
  json["median_interval"] = pair(row.range);
  json["ratio"] = number(row.ratio);
  json["ratio_interval"] = pair(row.ratio_interval);
  json["verdict"] = verdict_word(row);
  json["detectable"] = number(row.detectable);
  json["status"] = to_string(row.status);
  if (!row.detail.empty()) {
    json["detail"] = row.detail;
  }
  return json;
}

ordered_json mean_json(const GeometricMean& mean) {
  ordered_json json;
  json["kind"] = to_string(mean.kind);
  json["metric"] = mean.metric;
  json["allocator"] = mean.allocator;
  json["families"] = mean.families;
  json["cells"] = mean.cells;
  json["cells_left_out"] = mean.left_out.size();
  json["ratio"] = number(mean.ratio);
  json["ratio_interval"] = pair(mean.interval);
  json["without_family"] = mean.without ? ordered_json(mean.without->family) : ordered_json(nullptr);
  json["without_ratio"] = mean.without ? ordered_json(mean.without->ratio) : ordered_json(nullptr);
  return json;
}

// The last price has no end: JSON has no infinity.
ordered_json prices_json(std::span<const CostLine> lines) {
  ordered_json json = ordered_json::array();
  for (const PriceRange& range : cheapest_by_price(lines)) {
    json.push_back({{"allocator", range.allocator},
                    {"from_bytes", range.from_bytes},
                    {"to_bytes", std::isinf(range.to_bytes) ? ordered_json(nullptr) : ordered_json(range.to_bytes)}});
  }
  return json;
}

ordered_json cheapest_json(const Report& report) {
  ordered_json json;
  json["cells"] = ordered_json::array();
  for (const CellCost& cell : report.costs) {
    json["cells"].push_back({{"workload", cell.workload}, {"threads", cell.threads}, {"ranges", prices_json(cell.lines)}});
  }
  json["kinds"] = ordered_json::object();
  for (const Kind kind : kKinds) {
    if (const auto lines = cost_of_kind(report.costs, kind); !lines.empty()) {
      json["kinds"][std::string(to_string(kind))] = prices_json(lines);
    }
  }
  return json;
}

// Text from outside (details, versions) may not be UTF-8: replaced rather than fatal.
std::string dumped(const auto& json) {
  return json.dump(2, ' ', false, ordered_json::error_handler_t::replace) + '\n';
}

}  // namespace

std::string render_json(const Report& report, const Style& /*style*/) {
  ordered_json json;
  json["command"] = report.facts.command;
  json["suite"] = report.facts.suite;
  json["baseline"] = report.facts.baseline;
  json["repetitions"] = report.facts.repetitions;
  json["min_time_s"] = report.facts.min_time_s;
  json["seed"] = report.facts.seed;
  json["cut_off"] = report.facts.cut_off;
  json["environment"] = report.facts.environment;
  json["summaries"] = ordered_json::array();
  for (const Summary& row : report.summaries) {
    json["summaries"].push_back(summary_json(row));
  }
  json["geometric_means"] = ordered_json::array();
  for (const GeometricMean& mean : report.means) {
    json["geometric_means"].push_back(mean_json(mean));
  }
  json["memory_per_cpu_bytes"] = report.facts.bytes_per_cpu;
  json["cheapest_by_bytes_per_cpu"] = cheapest_json(report);
  json["warnings"] = ordered_json::array();
  for (const Warning& warning : report.warnings) {
    json["warnings"].push_back({{"what", warning.what}, {"remedy", warning.remedy}});
  }
  return dumped(json);
}

std::string render_environment(const Report& report, const Style& /*style*/) {
  return dumped(report.facts.environment);
}

}  // namespace bench
