#include "bench/worker/result.hpp"

#include <cstdio>
#include <algorithm>
#include <stdexcept>

#include "workloads/trace/replay/replay.hpp"

namespace bench::worker {
namespace {

using nlohmann::json;

json describe(const Timeline& timeline) {
  json points = json::array();
  for (const auto& point : timeline.points()) {
    points.push_back({point.time_ns, point.resident_bytes, point.live_bytes});
  }
  json marks = json::array();
  for (const auto& mark : timeline.marks()) {
    marks.push_back({{"time_ns", mark.time_ns},
                     {"phase", mark.name},
                     {"rss_bytes", mark.totals.resident_bytes},
                     {"pss_bytes", mark.totals.proportional_bytes},
                     {"huge_bytes", mark.totals.anonymous_huge_bytes}});
  }
  return {{"points", points}, {"phases", marks}, {"mean_rss_bytes", timeline.mean_resident_bytes()}};
}

json describe(const workloads::Info& info) {
  json parameters = json::array();
  for (const auto& parameter : info.parameters) {
    parameters.push_back({{"name", parameter.name},
                          {"default", workloads::format_value(parameter, parameter.value)},
                          {"unit", parameter.unit},
                          {"meaning", parameter.meaning},
                          {"choices", parameter.choices},
                          {"min", parameter.min_value},
                          {"max", parameter.max_value}});
  }
  static constexpr const char* kKinds[] = {"synthetic", "realistic", "trace", "user", "server"};
  return {{"name", info.name},
          {"question", info.question},
          {"origin", info.origin},
          {"operation", info.operation},
          {"kind", kKinds[static_cast<int>(info.kind)]},
          {"threads", info.threading == workloads::Threading::kAny},
          {"threads_note", info.threads_note},
          {"profile", info.profile},
          {"smoke_iterations", info.smoke_iterations},
          {"smoke_parameters", info.smoke_parameters},
          {"parameters", parameters}};
}

}  // namespace

json describe(const std::optional<allocators::Stats>& stats) {
  json out = json::object();
  if (!stats) {
    return out;
  }
  const auto put = [&out](const char* key, const std::optional<std::uint64_t>& value) {
    if (value) {
      out[key] = *value;
    }
  };
  put("allocated_bytes", stats->allocated_bytes);
  put("active_bytes", stats->active_bytes);
  put("resident_bytes", stats->resident_bytes);
  put("mapped_bytes", stats->mapped_bytes);
  return out;
}

json describe(const allocators::Allocator& allocator) {
  return {{"version", allocator.version()},
          {"library", allocator.library().path().string()},
          {"stats", describe(allocator.stats())}};
}

json describe(const CallTimes& times) {
  const auto ns = [&times](std::uint64_t ticks) { return static_cast<double>(ticks) * times.ns_per_tick; };
  json functions = json::array();
  for (std::size_t row = 0; row < kTimedCalls; ++row) {
    json buckets = json::array();
    for (std::size_t i = 0; i < LogBuckets::kCount; ++i) {
      if (times.counts[row][i] > 0) {
        buckets.push_back({ns(LogBuckets::low_of(i)), ns(LogBuckets::low_of(i + 1)), times.counts[row][i]});
      }
    }
    if (!buckets.empty()) {
      functions.push_back({{"name", kTimedCallNames[row]}, {"max_ns", ns(times.max_ticks[row])}, {"buckets", buckets}});
    }
  }
  json slowest = json::array();
  for (std::size_t i = 0; i < times.slowest_count; ++i) {
    const SlowCall& call = times.slowest[i];
    slowest.push_back({{"ns", ns(call.ticks)}, {"size_bytes", call.size_bytes}, {"call", kTimedCallNames[static_cast<std::size_t>(call.call)]},
                       {"minor_faults", call.minor_faults}, {"major_faults", call.major_faults}, {"purges", call.purges},
                       {"mappings", call.mappings}, {"preemptions", call.preemptions}, {"waits", call.waits}});
  }
  return {{"timer", times.uses_counter ? "the CPU's counter" : "clock_gettime"}, {"cost_ns", times.cost_ticks * times.ns_per_tick},
          {"step_ns", times.step_ticks * times.ns_per_tick},
          {"functions", functions}, {"slowest", slowest}};
}

json describe(const workloads::RequestLog& log) {
  json buckets = json::array();
  std::uint64_t max_ns = 0;
  for (std::size_t i = 0; i < LogBuckets::kCount; ++i) {
    std::uint64_t count = 0;
    for (const auto& share : log.shares()) {
      count += share.counts[i];
      max_ns = std::max(max_ns, share.max_ns);
    }
    if (count > 0) {
      buckets.push_back({LogBuckets::low_of(i), LogBuckets::low_of(i + 1), count});
    }
  }
  return {{"max_ns", max_ns}, {"buckets", buckets}};
}

json describe(const Session& session) {
  json out = to_json(session.outcome());
  out["workload"] = session.selection().name();
  if (session.timeline() != nullptr) {
    out["timeline"] = describe(*session.timeline());
    out["live_mean_bytes"] = session.timeline()->mean_live_bytes();
  }
  return out;
}

json describe_workloads() {
  json out = json::array();
  for (const auto& entry : workloads::registered()) {
    out.push_back(describe(entry.info));
  }
  return out;
}

std::vector<std::string> load_workload_file(const std::filesystem::path& path) {
  if (path.extension() == ".trace") {
    return {trace::register_trace(path)};
  }
  return workloads::load_module(path);
}

workloads::Selection select_workload(const std::string& text, const Request& request) {
  const std::string name = text.substr(0, text.find(':'));
  if (workloads::find(name) == nullptr && !name.empty() && name.find('/') == std::string::npos) {
    const auto module = request.module_folder / (name + ".so");
    if (!request.module_folder.empty() && std::filesystem::exists(module)) {
      workloads::load_module(module);
    }
  }
  if (workloads::find(name) == nullptr && name.starts_with("trace/")) {
    trace::register_traces(request.trace_folder);
  }
  return workloads::select(text);
}

json resolve_workloads(const Request& request) {
  json out = json::array();
  for (const auto& text : request.workloads) {
    try {
      const auto selection = select_workload(text, request);
      json parameters = json::object();
      for (std::size_t i = 0; i < selection.values.size(); ++i) {
        parameters[selection.entry.info.parameters[i].name] = selection.values[i];
      }
      out.push_back({{"text", text},
                     {"name", selection.name()},
                     {"parameters", parameters},
                     {"smoke_iterations", selection.entry.info.smoke_iterations},
                     {"threads", selection.entry.info.threading == workloads::Threading::kAny}});
    } catch (const workloads::SelectionError& error) {
      out.push_back({{"text", text}, {"error", error.what()}});
    }
  }
  return out;
}

void write_result(const std::filesystem::path& path, const json& result) {
  const std::string text = result.dump() + "\n";
  const std::string beside = path.string() + ".part";
  std::FILE* file = std::fopen(beside.c_str(), "w");
  const bool written = file != nullptr && std::fwrite(text.data(), 1, text.size(), file) == text.size();
  const bool closed = file != nullptr && std::fclose(file) == 0;
  if (!written || !closed || std::rename(beside.c_str(), path.c_str()) != 0) {
    throw std::runtime_error("cannot write the result to " + path.string() + "; is the disk full?");
  }
}

}  // namespace bench::worker
