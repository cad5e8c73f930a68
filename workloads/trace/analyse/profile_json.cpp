// A profile as JSON, which scripts/trace_chart.py draws.
#include <nlohmann/json.hpp>

#include "workloads/trace/analyse/profile.hpp"

namespace trace {

std::string to_json(const Profile& profile, const std::string& name) {
  using nlohmann::json;
  json kinds = json::object();
  for (std::uint8_t kind = kFirstKind; kind <= kLastKind; ++kind) {
    kinds[to_string(static_cast<Kind>(kind))] = profile.kinds[kind];
  }
  json points = json::array();
  for (const auto& point : profile.timeline) {
    points.push_back({point.time_us, point.event, point.live_bytes, point.live_objects});
  }
  json threads = json::array();
  for (const auto& thread : profile.threads) {
    threads.push_back({{"events", thread.events},
                       {"allocations", thread.allocations},
                       {"frees", thread.frees},
                       {"remote_frees", thread.remote_frees}});
  }
  const json out = {
      {"name", name},
      {"info", profile.info},
      {"truncated", profile.truncated},
      {"file_bytes", profile.file_bytes},
      {"events", profile.totals.events},
      {"threads", profile.totals.threads},
      {"duration_us", profile.totals.duration_us},
      {"peak_live_bytes", profile.totals.peak_live_bytes},
      {"peak_live_objects", profile.totals.peak_live_objects},
      {"allocated_bytes", profile.allocated_bytes},
      {"kinds", kinds},
      {"frees", profile.frees},
      {"remote_frees", profile.remote_frees},
      {"reallocs",
       {{"grew", profile.reallocs.grew},
        {"shrank", profile.reallocs.shrank},
        {"same", profile.reallocs.same}}},
      {"bucket", "0 for 0, else 1 + floor(log2)"},
      {"sizes", profile.sizes},
      {"size_bytes", profile.size_bytes},
      {"lifetimes_by_size", profile.lifetimes},
      {"never_freed_by_size", profile.never_freed},
      {"per_thread", threads},
      {"timeline_columns", {"time_us", "event", "live_bytes", "live_objects"}},
      {"timeline", points},
  };
  return out.dump(1) + "\n";
}

}  // namespace trace
