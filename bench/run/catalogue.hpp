// The workloads that workers know, as they describe them.
#pragma once

#include <filesystem>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "bench/cells/launcher.hpp"
#include "bench/model/kind.hpp"

namespace bench {

struct ResolvedWorkload {
  std::string name;   // canonical: parameters only where they are not the defaults
  bool any_threads;   // false: it runs on one thread only
  Kind kind;
  bool is_server;                          // it lasts: whole runs of one allocator after the other
  nlohmann::json parameters;               // {name: value}, all of them
  std::int64_t smoke_iterations;           // enough for a test
};

class Catalogue {
 public:
  // Asks a worker under the C library's malloc. Throws std::runtime_error if it fails.
  explicit Catalogue(Launcher& launcher);

  // Each object as the worker writes it: name, question, origin, operation, kind, threads, parameters, module ...
  [[nodiscard]] const nlohmann::json& workloads() const { return workloads_; }
  [[nodiscard]] std::vector<std::string> names() const;
  // Names that a module of the user's registers.
  [[nodiscard]] std::vector<std::string> names_in(const std::filesystem::path& module) const;
  // Modules that could not be loaded, a line each.
  [[nodiscard]] const std::vector<std::string>& failures() const { return failures_; }

  // Checks names with parameters, in order; throws UsageError for the first that is wrong.
  std::vector<ResolvedWorkload> resolve(Launcher& launcher, const std::vector<std::string>& texts) const;

 private:
  // REQUIRES: `workload` is one of workloads(), with parameters or without.
  [[nodiscard]] Kind kind_of(std::string_view workload) const;

  nlohmann::json workloads_;
  std::vector<std::string> failures_;
};

// Workloads that were not built because a library is missing: name and Debian package.
struct MissingWorkload {
  std::string name;
  std::string package;
};
std::vector<MissingWorkload> missing_workloads(const Layout& layout);

}  // namespace bench
