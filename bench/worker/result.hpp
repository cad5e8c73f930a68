// The JSON that a worker leaves in its result file.
#pragma once

#include <nlohmann/json.hpp>
#include <optional>

#include "bench/allocators/allocator.hpp"
#include "bench/protocol/request.hpp"
#include "bench/worker/session.hpp"

namespace bench::worker {

nlohmann::json describe(const allocators::Allocator& allocator);
nlohmann::json describe(const std::optional<allocators::Stats>& stats);
nlohmann::json describe(const Session& session);
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
