// The JSON that a worker leaves in its result file.
#pragma once

#include <nlohmann/json.hpp>
#include <optional>

#include "bench/allocators/allocator.hpp"
#include "bench/protocol/request.hpp"
#include "bench/worker/session.hpp"
#include "workloads/requests.hpp"

namespace bench::worker {

nlohmann::json describe(const allocators::Allocator& allocator);
nlohmann::json describe(const std::optional<allocators::Stats>& stats);
nlohmann::json describe(const Session& session);
// {"timer", "cost_ns", "step_ns", "functions": [{"name", "max_ns", "buckets": [[from_ns, to_ns, count], ...]}], "slowest": [...]}: functions that
// were called, buckets that are not empty, the slowest call first.
nlohmann::json describe(const CallTimes& times);
// {"max_ns", "buckets": [[from_ns, to_ns, count], ...]} of all threads' requests.
nlohmann::json describe(const workloads::RequestLog& log);
nlohmann::json describe_workloads();
nlohmann::json resolve_workloads(const Request& request);

// Loads a shared object with workloads, or registers a trace as one; their names. Throws workloads::SelectionError or
// trace::TraceError.
std::vector<std::string> load_workload_file(const std::filesystem::path& path);

// The selection of that text, its module loaded from the request's folder if need be. Throws workloads::SelectionError.
workloads::Selection select_workload(const std::string& text, const Request& request);

// Writes to a file beside, then renames: the reader sees all or nothing. Throws std::runtime_error.
void write_result(const std::filesystem::path& path, const nlohmann::json& result);

}  // namespace bench::worker
