// benchmark.json in Google Benchmark's own format, so that its tools read it:
//
//   compare.py benchmarks before/benchmark.json after/benchmark.json      two runs
//   compare.py filters benchmark.json glibc/ osmem/                       two allocators of one run
//
// A benchmark is named ALLOCATOR/WORKLOAD/threads:N; each repetition is an entry whose times are
// those of one operation. The format has no entry without a time (compare.py fails on one), so what
// failed is listed in the context, under "failed".
#include <fmt/format.h>

#include <cmath>
#include <map>
#include <nlohmann/json.hpp>
#include <set>
#include <tuple>

#include "bench/output/format.hpp"

namespace bench {
namespace {

using nlohmann::ordered_json;

// All figures of one worker process.
struct Repetition {
  const Sample* first = nullptr;
  std::map<std::string_view, double> figures;
};

// allocator, workload, threads, block
using Key = std::tuple<std::string_view, std::string_view, int, int>;

std::string name_of(const Sample& sample) {
  return fmt::format("{}/{}/threads:{}", sample.allocator, sample.workload, sample.threads);
}

double figure(const Repetition& repetition, std::string_view metric, double otherwise) {
  const auto found = repetition.figures.find(metric);
  return found == repetition.figures.end() ? otherwise : found->second;
}

ordered_json entry(const Repetition& repetition, int index, int family, int repetitions) {
  const double throughput = figure(repetition, "throughput", 0);
  const double wall_s = figure(repetition, "wall_time", 1 / throughput);
  const double iterations = std::max(1.0, figure(repetition, "iterations", throughput * wall_s));
  const double cpu_s = figure(repetition, "user_time", 0) + figure(repetition, "system_time", 0);
  ordered_json json;
  json["name"] = name_of(*repetition.first);
  json["family_index"] = family;
  json["per_family_instance_index"] = 0;
  json["run_name"] = json["name"];
  json["run_type"] = "iteration";
  json["repetitions"] = repetitions;
  json["repetition_index"] = index;
  json["threads"] = repetition.first->threads;
  json["iterations"] = std::llround(iterations);
  json["real_time"] = 1e9 * wall_s / iterations;
  json["cpu_time"] = 1e9 * (cpu_s > 0 ? cpu_s : wall_s) / iterations;
  json["time_unit"] = "ns";
  json["items_per_second"] = throughput;
  for (const auto& [metric, value] : repetition.figures) {
    if (metric != "throughput" && !json.contains(metric)) {
      json[metric] = value;
    }
  }
  return json;
}

ordered_json context(const Report& report) {
  const nlohmann::json& environment = report.facts.environment;
  const auto text = [&](const char* key) {
    return environment.is_object() && environment.contains(key) && environment[key].is_string()
               ? environment[key].get<std::string>()
               : std::string();
  };
  ordered_json json;
  json["date"] = text("date");
  json["host_name"] = text("host");
  json["executable"] = "bench";
  if (environment.is_object() && environment.contains("cpu") && environment["cpu"].is_object()) {
    json["num_cpus"] = environment["cpu"].value("count", 0);
  }
  json["library_build_type"] = text("build_type");
  json["command"] = report.facts.command;
  json["failed"] = failure_lines(report);
  return json;
}

// A repetition with any failure counts as failed as a whole: what it measured before is no figure.
std::map<Key, Repetition> good_repetitions(const Report& report) {
  std::map<Key, Repetition> repetitions;
  std::set<Key> failed;
  for (const Sample& sample : report.samples) {
    const Key key{sample.allocator, sample.workload, sample.threads, sample.block};
    if (sample.status != Status::kOk || !sample.value) {
      failed.insert(key);
      continue;
    }
    Repetition& repetition = repetitions[key];
    repetition.first = repetition.first == nullptr ? &sample : repetition.first;
    repetition.figures[sample.metric] = *sample.value;
  }
  std::erase_if(repetitions, [&](const auto& item) {
    return failed.contains(item.first) || !(figure(item.second, "throughput", 0) > 0);
  });
  return repetitions;
}

}  // namespace

std::string render_google_benchmark(const Report& report, const Style& /*style*/) {
  const std::map<Key, Repetition> repetitions = good_repetitions(report);
  std::map<std::string, int> counts;
  for (const auto& [key, repetition] : repetitions) {
    ++counts[name_of(*repetition.first)];
  }
  std::map<std::string, std::pair<int, int>> seen;  // family and repetitions so far
  ordered_json json;
  json["context"] = context(report);
  json["benchmarks"] = ordered_json::array();
  for (const auto& [key, repetition] : repetitions) {
    const std::string name = name_of(*repetition.first);
    auto& [family, index] = seen.try_emplace(name, static_cast<int>(seen.size()), 0).first->second;
    json["benchmarks"].push_back(entry(repetition, index++, family, counts[name]));
  }
  return json.dump(2, ' ', false, ordered_json::error_handler_t::replace) + '\n';
}

}  // namespace bench
