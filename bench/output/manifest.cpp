#include "bench/output/manifest.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <fstream>
#include <nlohmann/json.hpp>

#include "bench/measure/sha256.hpp"
#include "bench/output/read_run.hpp"
#include "bench/output/run_directory.hpp"

namespace bench {
namespace {

namespace fs = std::filesystem;
using nlohmann::ordered_json;

constexpr const char* kName = "manifest.json";

std::vector<std::string> file_names(const fs::path& folder) {
  std::vector<std::string> names;
  for (const auto& entry : fs::directory_iterator(folder)) {
    const std::string name = entry.path().filename().string();
    if (entry.is_regular_file() && name != kName && !name.ends_with(".new") && !name.ends_with(".part")) {
      names.push_back(name);
    }
  }
  std::ranges::sort(names);
  return names;
}

ordered_json libraries_in(const fs::path& folder) {
  std::ifstream in(folder / "environment.json");
  const auto environment = ordered_json::parse(in, nullptr, false);
  ordered_json libraries = ordered_json::object();
  if (environment.is_object() && environment.contains("allocators")) {
    for (const auto& row : environment["allocators"]) {
      if (row.is_object() && row.contains("name") && row.contains("sha256")) {
        libraries[row["name"].get<std::string>()] = row["sha256"];
      }
    }
  }
  return libraries;
}

ordered_json read_manifest(const fs::path& file) {
  std::ifstream in(file);
  auto manifest = ordered_json::parse(in, nullptr, false);
  if (!in.is_open() || !manifest.is_object() || !manifest.contains("files") || !manifest["files"].is_object()) {
    throw UnreadableRun(fmt::format("{}: {}; give a directory of a run that has ended", file.string(),
                                    in.is_open() ? "not a manifest" : "no such file, so there is no seal to look at"));
  }
  return manifest;
}

}  // namespace

bool is_sealed(const fs::path& folder) { return fs::exists(folder / kName); }

void seal(const fs::path& folder) {
  ordered_json files = ordered_json::object();
  for (const std::string& name : file_names(folder)) {
    if (const auto digest = sha256_of_file(folder / name)) {
      files[name] = {{"bytes", fs::file_size(folder / name)}, {"sha256", *digest}};
    }
  }
  const ordered_json manifest = {{"files", std::move(files)}, {"libraries", libraries_in(folder)}};
  write_whole_file(folder / kName, manifest.dump(2) + '\n');
}

Inspection inspect_seal(const fs::path& folder) {
  const ordered_json manifest = read_manifest(folder / kName);
  Inspection inspection;
  inspection.digest = sha256_of_file(folder / kName).value_or("");
  inspection.files = manifest["files"].size();
  for (const auto& [name, entry] : manifest["files"].items()) {
    const auto digest = sha256_of_file(folder / name);
    if (!digest) {
      inspection.differences.push_back(name + ": missing or not to be read");
    } else if (!entry.is_object() || entry.value("sha256", "") != *digest) {
      inspection.differences.push_back(name + ": changed since it was sealed");
    }
  }
  for (const std::string& name : file_names(folder)) {
    if (!manifest["files"].contains(name)) {
      inspection.unsealed.push_back(name);
    }
  }
  return inspection;
}

}  // namespace bench
