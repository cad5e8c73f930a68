#include "bench/measure/system_files.hpp"

#include <fstream>

namespace bench {

namespace fs = std::filesystem;

std::optional<std::string> first_line(const fs::path& file) {
  std::ifstream in(file);
  std::string line;
  return std::getline(in, line) ? std::optional(line) : std::nullopt;
}

std::optional<std::string> field_of(const fs::path& file, std::string_view key, std::string_view separators) {
  std::ifstream in(file);
  for (std::string line; std::getline(in, line);) {
    if (line.starts_with(key)) {
      const auto at = line.find_first_not_of(separators, key.size());
      return at == std::string::npos ? std::string() : line.substr(at);
    }
  }
  return std::nullopt;
}

std::optional<std::string> chosen(const fs::path& file) {
  const auto line = first_line(file);
  if (!line) {
    return std::nullopt;
  }
  const auto open = line->find('[');
  const auto close = line->find(']');
  return open == std::string::npos || close == std::string::npos ? line : line->substr(open + 1, close - open - 1);
}

std::vector<fs::path> cgroup_folders() {
  std::vector<fs::path> out;
  const auto own = field_of("/proc/self/cgroup", "0::", "");
  for (fs::path group = own.value_or(""); !group.empty(); group = group.parent_path()) {
    out.push_back(fs::path("/sys/fs/cgroup") / group.relative_path());
    if (group == group.root_path()) {
      break;
    }
  }
  return out;
}

void put(nlohmann::json& into, const char* key, const std::optional<std::string>& value) {
  if (value) {
    into[key] = *value;
  }
}

}  // namespace bench
